"""What the bank knows of one open port beside its place in the arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

from .endpoint import Endpoint
from .params import RtpParams
from .security import Security
from .sender import GroupKey, Member
from .telephone_events import EventReceiver


@dataclass(slots=True, eq=False)
class RtpPort:
    """One port: ``slot`` is its index in the bank's arrays, ``row`` the engine's."""

    id: str
    slot: int
    row: int
    rate: int
    params: RtpParams
    endpoint: Endpoint
    member: Member
    events: EventReceiver = field(default_factory=EventReceiver)
    last_report: tuple[int, float] | None = None
    """Middle of the NTP time of the peer's last sender report, and when it came."""
    round_trip: float | None = None
    security: Security | None = None
    sent_before: tuple[int, int] = 0, 0
    """Packets and octets that were sent as another source."""
    started: bool = False
    timed_out: bool = False
    foreign: int = 0
    """Packets in a row of a codec that was agreed on, but is not the one in use."""
    misunderstood: bool = False
    """Whether there was audio of a payload type that was not agreed on."""
    rollover: int = 0
    """How often the peer's sequence numbers have wrapped, as last reported (SRTP)."""
    handed_over: bool = False
    """Another bank goes on with the call: no BYE is said when the port is closed."""

    @property
    def key(self) -> GroupKey:
        """The group the port is sent with."""
        params = self.params
        secure = params.srtp is not None
        return GroupKey(params.codec, self.rate, params.clock_rate, params.ptime_ms, secure)

    def send_rtcp(self, packet: bytes) -> None:
        """Send a compound packet, protected if everything else is."""
        if self.security is not None:
            sealed = self.security.outbound.protect_rtcp(packet)
            if sealed is None:
                return
            packet = sealed
        self.endpoint.send_rtcp(packet, self.params)

    def receive_rtcp(self) -> bytes | None:
        """A packet from the RTCP socket; None when there is none, or it is not genuine."""
        received = self.endpoint.receive_rtcp(self.params)
        if received is None:
            return None
        packet: bytes | None
        packet, source = received
        if self.security is not None:
            packet = self.security.unprotect_rtcp(packet)
        if packet is not None:
            self.endpoint.rtcp_learned = source
        return packet
