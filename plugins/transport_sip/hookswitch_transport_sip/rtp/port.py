"""What the bank knows of one open port beside its place in the arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

from .endpoint import Endpoint
from .params import RtpParams
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
    started: bool = False
    timed_out: bool = False
    handed_over: bool = False
    """Another bank goes on with the call: no BYE is said when the port is closed."""

    @property
    def key(self) -> GroupKey:
        """The group the port is sent with."""
        params = self.params
        return GroupKey(params.codec, self.rate, params.clock_rate, params.ptime_ms)
