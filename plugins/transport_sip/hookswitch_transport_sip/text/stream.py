"""The text of one call, both ways: whose packets count, where ours go, and a minimum of RTCP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hookswitch_transport_sip.rtp.keys import SrtpKeys
from hookswitch_transport_sip.rtp.lock import SILENCE_S, Heard, LockState, SourceLock
from hookswitch_transport_sip.rtp.rtcp import ReportBlock, SenderInfo, build, ntp_time
from hookswitch_transport_sip.rtp.security import Security

from .packets import TextPacket
from .receiver import ReceiveFormat, TextReceiver
from .sender import CLOCK_RATE, FirstNumbers, SendFormat, TextSender

Address = tuple[str, int]

REPORT_S = 5.0
"""Between RTCP reports (RFC 3550 section 6.2)."""

FIND_S = 1.0
"""How long text waits for the first packet of a peer that seems to be behind a NAT: sent to the
address of its description, it would be lost."""

MOST_A_SECOND = 50
"""Packets that are read; nobody writes more than a few, and each may become an event."""


@dataclass(frozen=True, slots=True)
class TextParams:
    """What was agreed; addresses are numeric, None while nothing may be sent.

    ``srtp`` is None when the text goes in the clear.
    """

    send: SendFormat
    receive: ReceiveFormat
    remote: Address | None
    remote_rtcp: Address | None
    sends: bool = True
    receives: bool = True
    signalling_ip: str | None = None
    cname: str = ""
    srtp: SrtpKeys | None = None

    def continues(self, before: TextParams) -> bool:
        """Whether our stream can go on: one under another key of ours begins anew."""
        if self.srtp is None or before.srtp is None:
            return self.srtp is before.srtp
        return self.srtp.sends == before.srtp.sends


class TextStream:
    """Eats datagrams and times, answers text; `to_send` has what goes out.

    ``wall_clock`` gives Unix time for sender reports.
    """

    def __init__(
        self,
        params: TextParams,
        numbers: FirstNumbers,
        now: float,
        wall_clock: Callable[[], float],
    ) -> None:
        self.params = params
        self.strangers = 0
        """Packets of sources that are none of the call's."""
        self.flooded = 0
        """Packets beyond what a second may bring."""
        self.refused = 0
        """Packets that were not genuine, came a second time, or under a key that has expired."""
        self._under_key = 0
        self._security = (
            Security(params.srtp, numbers.ssrc, numbers.sequence) if params.srtp else None
        )
        self._second, self._this_second = now, 0
        self._lock = SourceLock(
            params.remote,
            params.signalling_ip,
            CLOCK_RATE,
            authenticated=params.srtp is not None,
        )
        self._sender = TextSender(numbers, params.send, now)
        self._receiver = TextReceiver(params.receive)
        if _is_doubtful(params):
            self._sender.not_before = now + FIND_S
        self._ssrc = numbers.ssrc
        self._last: Heard | None = None
        self._wall_clock = wall_clock
        self._report_due = now + REPORT_S
        self._rtcp: list[bytes] = []

    @property
    def heard_at(self) -> float | None:
        """When the last packet of the peer came."""
        return self._last.at if self._last else None

    def configure(self, params: TextParams) -> None:
        """Something else was agreed that `continues`; numbers go on."""
        if self._security is not None and params.srtp and params.srtp != self.params.srtp:
            known = self._security.rollover(self._last.ssrc) if self._last else None
            self._security.rekey(replace(params.srtp, rollover=known))
            self._under_key = 0
        self.params = params
        authenticated = params.srtp is not None
        self._lock.renegotiate(params.remote, params.signalling_ip, authenticated=authenticated)
        self._sender.configure(params.send)
        self._receiver.configure(params.receive)

    def receive(self, data: bytes, source: Address, now: float) -> str:
        """Take a datagram; answer the text that is known by it."""
        if self._security is not None:
            data = self._opened(data)
        packet = TextPacket.unpack(data)
        if packet is None or not self.params.receives:
            return ""
        heard = Heard(packet.ssrc, packet.sequence, packet.timestamp, now)
        self._notice_silence(source, now)
        if not self._lock.offer(source, heard):
            self.strangers += 1
            return ""
        if self._last is None:
            self._sender.not_before = now
        self._last = heard
        if self._is_flood(now):
            self.flooded += 1
            return ""
        return self._receiver.receive(packet, now)

    def write(self, text: str, now: float) -> None:
        """Queue text. Raises TooMuchText."""
        self._sender.write(text, now)

    def to_send(self) -> list[tuple[bytes, Address]]:
        """RTP packets made since the last call; those that have nowhere to go are dropped."""
        destination = self._lock.destination
        packets = self._sender.to_send()
        if destination is None or not self.params.sends:
            return []
        if self._security is not None:
            packets = _sealed(self._security.outbound.protect, packets)
        return [(packet, destination) for packet in packets]

    def rtcp_to_send(self) -> list[tuple[bytes, Address]]:
        """The same for RTCP."""
        reports, self._rtcp = self._rtcp, []
        if self.params.remote_rtcp is None:
            return []
        if self._security is not None:
            reports = _sealed(self._security.outbound.protect_rtcp, reports)
        return [(report, self.params.remote_rtcp) for report in reports]

    def next_timer(self) -> float:
        """When to call `handle_timer`."""
        waiting = self._receiver.next_timer()
        due = min(self._sender.next_timer(), self._report_due)
        return due if waiting is None else min(due, waiting)

    def handle_timer(self, now: float) -> str:
        """Do what is due; answer text that waited in vain for what comes before it."""
        self._sender.handle_timer(now)
        if now >= self._report_due:
            self._report_due = now + REPORT_S
            self._rtcp.append(self._report(now, bye=False))
        return self._receiver.handle_timer(now)

    def close(self, now: float) -> str:
        """Send what still waits, and say goodbye; answer text that waited for what was missing."""
        self._sender.flush(now)
        self._rtcp.append(self._report(now, bye=True))
        return self._receiver.give_up()

    def _opened(self, data: bytes) -> bytes:
        """A protected packet in the clear; nothing of one that is not genuine."""
        assert self._security is not None
        life = self._security.keys.lifetime
        opened = None
        if life is None or self._under_key < life:
            opened = self._security.unprotect(data, int.from_bytes(data[8:12], "big"))
        self.refused += opened is None
        self._under_key += opened is not None
        return opened or b""

    def _is_flood(self, now: float) -> bool:
        if now - self._second >= 1:
            self._second, self._this_second = now, 0
        self._this_second += 1
        return self._this_second > MOST_A_SECOND

    def _notice_silence(self, source: Address, now: float) -> None:
        """After a silence, the call may go on from another address."""
        locked = self._lock.state is LockState.LOCKED and source != self._lock.locked
        if locked and self._last is not None and now - self._last.at > SILENCE_S:
            self._lock.lose(self._last)

    def _report(self, now: float, *, bye: bool) -> bytes:
        sender, receiver = self._sender, self._receiver
        info = SenderInfo(
            ntp_time(self._wall_clock()), sender.timestamp(now), sender.packets, sender.octets
        )
        blocks = []
        if receiver.ssrc is not None:
            lost = max(receiver.counts.lost, 0)
            blocks.append(ReportBlock(receiver.ssrc, 0, lost, receiver.highest, 0))
        return build(self._ssrc, self.params.cname, info, blocks, bye)


def _sealed(protect: Callable[[bytes], bytes | None], packets: list[bytes]) -> list[bytes]:
    """What cannot be protected is not sent."""
    return [sealed for packet in packets if (sealed := protect(packet)) is not None]


def _is_doubtful(params: TextParams) -> bool:
    """Whether the peer may not be where its description says."""
    if params.signalling_ip is None or params.remote is None:
        return False
    return params.remote[0] != params.signalling_ip
