"""Events of a leg: its life, its keys, its text, its place in rooms, its transfers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from hookswitch.events.model import Event


@dataclass(frozen=True, slots=True)
class OfferedCodec:
    """One codec of an inbound offer; the lowest priority number is the peer's first choice."""

    name: str
    payload_type: int
    clock_rate: int
    priority: int


@dataclass(frozen=True, slots=True)
class Cdr:
    """Why a leg ended and how long it lasted, in seconds."""

    reason: str
    duration_total: float
    duration_answered: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How the peer's media arrived."""

    mos_score: float | None = None
    rtp_packets_received: int | None = None
    rtp_packets_lost: int | None = None
    rtp_jitter_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEvent(Event):
    """Base of the events that always name a leg."""

    leg_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRinging(LegEvent):
    type: ClassVar[str] = "leg.ringing"
    leg_type: str
    from_: str | None = None
    to: str | None = None
    uri: str | None = None
    headers: Mapping[str, str] | None = None
    sip_headers: Mapping[str, str] | None = None
    offered_codecs: tuple[OfferedCodec, ...] | None = None
    source_address: str | None = None
    authenticated: bool | None = None
    auth_username: str | None = None
    registered_user: str | None = None
    trunk_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEarlyMedia(LegEvent):
    type: ClassVar[str] = "leg.early_media"
    leg_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegConnected(LegEvent):
    type: ClassVar[str] = "leg.connected"
    leg_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHeld(LegEvent):
    type: ClassVar[str] = "leg.hold"
    leg_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegUnheld(LegEvent):
    type: ClassVar[str] = "leg.unhold"
    leg_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDisconnected(LegEvent):
    type: ClassVar[str] = "leg.disconnected"
    leg_type: str
    cdr: Cdr
    quality: Quality | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegJoinedRoom(LegEvent):
    type: ClassVar[str] = "leg.joined_room"
    room_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegLeftRoom(LegEvent):
    type: ClassVar[str] = "leg.left_room"
    room_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegMuted(LegEvent):
    type: ClassVar[str] = "leg.muted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegUnmuted(LegEvent):
    type: ClassVar[str] = "leg.unmuted"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDeafened(LegEvent):
    type: ClassVar[str] = "leg.deaf"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegUndeafened(LegEvent):
    type: ClassVar[str] = "leg.undeaf"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRoleChanged(LegEvent):
    """``role`` is the new one; an empty string says that the leg has none now."""

    type: ClassVar[str] = "leg.role_changed"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegCommandFailed(LegEvent):
    """A command was accepted and its outcome is a failure."""

    type: ClassVar[str] = "leg.command_failed"
    command: str
    error: str


TransferKind = Literal["blind", "attended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTransferInitiated(LegEvent):
    type: ClassVar[str] = "leg.transfer_initiated"
    kind: TransferKind
    target: str
    replaces_leg_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTransferRequested(LegEvent):
    """The peer sent a REFER."""

    type: ClassVar[str] = "leg.transfer_requested"
    kind: TransferKind
    target: str
    replaces_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport(LegEvent):
    """Base of what a transfer's NOTIFYs tell."""

    status_code: int | None = None
    reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTransferProgressed(TransferReport):
    type: ClassVar[str] = "leg.transfer_progress"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTransferCompleted(TransferReport):
    type: ClassVar[str] = "leg.transfer_completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTransferFailed(TransferReport):
    type: ClassVar[str] = "leg.transfer_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived(LegEvent):
    type: ClassVar[str] = "dtmf.received"
    digit: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RttReceived(LegEvent):
    """Real-time text; ``loss_marker`` says that some was lost, where ``text`` has a U+FFFD."""

    type: ClassVar[str] = "rtt.received"
    text: str
    seq: int
    loss_marker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingStarted(LegEvent):
    type: ClassVar[str] = "speaking.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakingStopped(LegEvent):
    type: ClassVar[str] = "speaking.stopped"
