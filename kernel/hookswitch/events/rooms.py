"""Events of a room: its life, its routing, its bridges to other rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from hookswitch.events.model import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEvent(Event):
    """Base of the events that always name a room."""

    room_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCreated(RoomEvent):
    type: ClassVar[str] = "room.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomDeleted(RoomEvent):
    type: ClassVar[str] = "room.deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomRoutingChanged(RoomEvent):
    type: ClassVar[str] = "room.routing_changed"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeEvent(Event):
    """Base of the events of a bridge, which belongs to two rooms; ``room_id`` is optional."""

    bridge_id: str
    room_a_id: str
    room_b_id: str
    direction: Literal["bidirectional", "send", "receive", "none"]
    reason: str | None = None

    @property
    def lane(self) -> str:
        """The first room's, so that a bridge's changes stay in order."""
        return self.room_id or self.room_a_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomBridged(BridgeEvent):
    type: ClassVar[str] = "room.bridged"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomBridgeUpdated(BridgeEvent):
    type: ClassVar[str] = "room.bridge_updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomUnbridged(BridgeEvent):
    type: ClassVar[str] = "room.unbridged"
