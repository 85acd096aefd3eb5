"""What the call layer tells the bank about a port: the parameters of its specification."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from hookswitch.mixer.bank import BankError

from .keys import SrtpKeys

Address = tuple[str, int]

PACKET_TIMES = (10, 20, 30, 40, 60)
"""Milliseconds of audio in a packet we may send."""


@dataclass(frozen=True, slots=True)
class RtpParams:
    """Parameters of one RTP port (`PortSpec.params` of `RtpBank`).

    ``codec`` names a `CodecBatch` as ``module:Class``; its samples are at the port's rate, its
    timestamps at ``clock_rate``. ``payload_type`` is sent, and received unless
    ``receive_payload_type`` says otherwise. ``telephone_event`` maps the payload types on which
    we receive RFC 4733 events to their clock rate; ``telephone_event_pt`` is the one we send on,
    or None. The codec may change while the port is open, its sample and clock rate may not.
    ``fmtp`` is what the peer said of the codec; ``alternatives`` are payload types of other codecs
    that it may use, which the bank reports if it does. ``impairment`` is the codec's in the E-model
    (equipment, robustness against loss). With ``srtp`` nothing is sent or accepted in the clear.

    ``sequence``, ``timestamp`` and ``ssrc`` are chosen once per call at random, ``started_at`` is
    the monotonic time of that moment: a bank that opens the port later (a restarted worker)
    continues the numbers from them alone.

    ``remote`` and ``remote_rtcp`` are the addresses of the peer's SDP; ``signalling_ip`` is where
    its SIP comes from, a hint when it is behind a NAT; ``learned`` is where its packets came from
    before (a restarted worker goes on with it). Hosts are numeric.

    ``inband_dtmf``: digits are listened for in the audio, and reported beside telephone events.
    """

    codec: str
    payload_type: int
    ssrc: int
    receive_payload_type: int | None = None
    clock_rate: int = 8000
    sequence: int = 0
    timestamp: int = 0
    started_at: float = 0.0
    telephone_event: Mapping[int, int] = field(default_factory=dict)
    telephone_event_pt: int | None = None
    remote: Address | None = None
    remote_rtcp: Address | None = None
    rtcp_mux: bool = False
    signalling_ip: str | None = None
    learned: Address | None = None
    ptime_ms: int = 20
    send: bool = True
    receive: bool = True
    inband_dtmf: bool = False
    jitter_ms: int = 0
    jitter_max_ms: int = 300
    rtp_timeout_s: float = 30.0
    timeout_enabled: bool = True
    cname: str = ""
    fmtp: str = ""
    alternatives: tuple[int, ...] = ()
    impairment: tuple[float, float] = (0.0, 25.1)
    srtp: SrtpKeys | None = None

    def __post_init__(self) -> None:
        if self.ptime_ms not in PACKET_TIMES:
            raise BankError(f"ptime_ms: {self.ptime_ms} is not one of {PACKET_TIMES}")
        if not 0 <= self.payload_type <= 127:
            raise BankError(f"payload_type: {self.payload_type} is not within 0..127")
        if not 0 <= self.receive_type <= 127:
            raise BankError(f"receive_payload_type: {self.receive_type} is not within 0..127")
        if self.clock_rate <= 0 or self.clock_rate % 200:
            raise BankError(f"clock_rate: {self.clock_rate} has no whole number per 5 ms")
        if not 0 <= self.jitter_ms <= 1000:
            raise BankError(f"jitter_ms: {self.jitter_ms} is not within 0..1000")
        for address in (self.remote, self.remote_rtcp, self.learned):
            if address is not None:
                _check_address(address)

    @property
    def receive_type(self) -> int:
        """Payload type of the audio we receive."""
        return self.payload_type if self.receive_payload_type is None else self.receive_payload_type

    @property
    def event_rate(self) -> int:
        """Clock rate of the events we send, which need not be the codec's."""
        if self.telephone_event_pt is None:
            return self.clock_rate
        return self.telephone_event.get(self.telephone_event_pt, self.clock_rate)

    def numbers_at(self, now: float) -> tuple[int, int]:
        """Sequence number and timestamp as they would be, had the port sent since it began."""
        elapsed = max(now - self.started_at, 0.0)
        packets = math.ceil(elapsed * 1000 / self.ptime_ms)
        return self.sequence + packets, self.timestamp + int(elapsed * self.clock_rate)

    def pack(self) -> dict[str, Any]:
        """As plain values, for `PortSpec.params`."""
        return asdict(self)

    @classmethod
    def unpack(cls, params: Mapping[str, Any]) -> RtpParams:
        """From plain values; BankError names what is unknown or missing."""
        _check_names(params)
        try:
            return cls(**_tidy(params))
        except TypeError as error:
            raise BankError(f"RTP parameters: {error}") from None

    def merged(self, params: Mapping[str, Any]) -> RtpParams:
        """With the given values changed."""
        _check_names(params)
        return replace(self, **_tidy(params))


def _check_names(params: Mapping[str, Any]) -> None:
    unknown = set(params) - {each.name for each in fields(RtpParams)}
    if unknown:
        raise BankError(f"unknown RTP parameters: {', '.join(sorted(unknown))}")


def _check_address(address: Address) -> None:
    """A name would be looked up, and block, in the middle of a tick."""
    try:
        ipaddress.ip_address(address[0])
    except ValueError:
        raise BankError(f"{address[0]!r} is not a numeric address") from None
    if not 0 < address[1] < 65536:
        raise BankError(f"{address[1]} is not a port number")


def _tidy(params: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(params)
    for name in ("remote", "remote_rtcp", "learned"):
        if values.get(name) is not None:
            host, port = values[name]
            values[name] = (host, port)
    if "srtp" in values:
        values["srtp"] = SrtpKeys.of(values["srtp"])
    return values
