"""RTCP: parse and build compound packets (RFC 3550 section 6)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SENDER_REPORT = 200
RECEIVER_REPORT = 201
SOURCE_DESCRIPTION = 202
GOODBYE = 203

_NTP_OFFSET = 2208988800
_REPORT = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says about a source (RFC 3550 section 6.4.1).

    ``fraction`` in 1/256, ``lost`` signed 24 bits, ``jitter`` in timestamp units, ``lsr`` and
    ``dlsr`` in 1/65536 s.
    """

    ssrc: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    lsr: int = 0
    dlsr: int = 0

    def pack(self) -> bytes:
        """24 bytes; values beyond their fields are clamped."""
        lost = min(max(self.lost, -0x800000), 0x7FFFFF) & 0xFFFFFF
        return _REPORT.pack(
            self.ssrc,
            min(self.fraction, 255) << 24 | lost,
            self.highest & 0xFFFFFFFF,
            min(self.jitter, 0xFFFFFFFF),
            self.lsr,
            min(self.dlsr, 0xFFFFFFFF),
        )

    @classmethod
    def unpack(cls, data: bytes) -> ReportBlock:
        """From 24 bytes."""
        ssrc, losses, highest, jitter, lsr, dlsr = _REPORT.unpack(data)
        lost = losses & 0xFFFFFF
        lost -= 0x1000000 if lost & 0x800000 else 0
        return cls(ssrc, losses >> 24, lost, highest, jitter, lsr, dlsr)


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """The sender's half of a sender report; ``ntp`` is 64 bits of NTP time."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report, or a receiver report when ``sender`` is None."""

    ssrc: int
    sender: SenderInfo | None
    blocks: tuple[ReportBlock, ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The named sources leave."""

    sources: tuple[int, ...]


def ntp_time(unix_time: float) -> int:
    """64-bit NTP timestamp of a Unix time."""
    return int((unix_time + _NTP_OFFSET) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """The middle 32 bits of an NTP timestamp, as LSR carries them."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip(block: ReportBlock, ntp: int) -> float | None:
    """Seconds to the peer and back, from a block that arrived at ``ntp`` (section 6.4.1)."""
    if block.lsr == 0:
        return None
    units = (middle(ntp) - block.lsr - block.dlsr) & 0xFFFFFFFF
    # A peer's rounding may make the result a little negative; far beyond is nonsense.
    if units >= 0xFFFF0000:
        return 0.0
    return units / 65536 if units < 30 * 65536 else None


def build(
    ssrc: int, cname: str, sender: SenderInfo | None, blocks: Sequence[ReportBlock], bye: bool
) -> bytes:
    """A compound packet: SR or RR, SDES with the CNAME, and BYE if wanted."""
    body = struct.pack("!I", ssrc)
    if sender is not None:
        body += struct.pack(
            "!QIII",
            sender.ntp,
            sender.timestamp & 0xFFFFFFFF,
            sender.packets & 0xFFFFFFFF,
            sender.octets & 0xFFFFFFFF,
        )
    kind = RECEIVER_REPORT if sender is None else SENDER_REPORT
    body += b"".join(block.pack() for block in blocks[:31])
    compound = _packet(kind, min(len(blocks), 31), body) + _description(ssrc, cname)
    return compound + _packet(GOODBYE, 1, struct.pack("!I", ssrc)) if bye else compound


def parse(data: bytes) -> list[Report | Goodbye] | None:
    """The reports and goodbyes of a compound packet; None when it is not one (section A.2)."""
    found: list[Report | Goodbye] = []
    try:
        for count, kind, body in _split(data):
            if kind in (SENDER_REPORT, RECEIVER_REPORT):
                found.append(_parse_report(count, kind, body))
            elif kind == GOODBYE:
                found.append(Goodbye(struct.unpack_from(f"!{count}I", body)))
    except (struct.error, ValueError):
        return None
    return found


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    item = struct.pack("!IBB", ssrc, 1, len(name)) + name
    return _packet(SOURCE_DESCRIPTION, 1, item + bytes(4 - len(item) % 4))


def _split(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    if not data:
        raise ValueError("empty")
    at = 0
    while at < len(data):
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data) or not 192 <= kind <= 223:
            raise ValueError("not RTCP")
        yield first & 31, kind, data[at + 4 : end]
        at = end


def _parse_report(count: int, kind: int, body: bytes) -> Report:
    (ssrc,) = struct.unpack_from("!I", body)
    at, sender = 4, None
    if kind == SENDER_REPORT:
        sender = SenderInfo(*struct.unpack_from("!QIII", body, at))
        at += 20
    if at + 24 * count > len(body):
        raise ValueError("report blocks are cut off")
    ends = range(at, at + 24 * count, 24)
    return Report(ssrc, sender, tuple(ReportBlock.unpack(body[i : i + 24]) for i in ends))
