"""All rooms: opening and closing them, and the ways in and out."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from hookswitch.errors import BadRequest, Conflict, NotFound
from hookswitch.events.legs import LegJoinedRoom, LegLeftRoom
from hookswitch.events.model import Event
from hookswitch.events.record import WebhookTarget
from hookswitch.events.rooms import RoomCreated, RoomDeleted, RoomRoutingChanged
from hookswitch.legs.leg import Leg
from hookswitch.legs.state import LegState
from hookswitch.media.plane import MediaPlane
from hookswitch.mixer.bank import ROOM_RATES
from hookswitch.mixer.commands import Leave, SetGains, SetPort, SetRouting

from .room import Gains, Guest, Matrix, Room, check_room_id

EmitOfRoom = Callable[[Room, Event], None]


class Watcher(Protocol):
    """Who must know of comings and goings before anything else happens: playbacks, recordings."""

    async def joined(self, room: Room, participant: str, port: str) -> None:
        """A leg or guest is in the room."""

    async def left(self, room: Room, participant: str) -> None:
        """A leg or guest is no longer in the room."""

    async def closed(self, room: Room) -> None:
        """The room is about to be closed; its ports still are there."""


ANSWER_WITHIN = 10.0
"""Seconds a ringing leg is given to connect when it is put into a room."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """How a leg enters a room; None leaves a property as it is."""

    mute: bool | None = None
    deaf: bool | None = None
    accept_dtmf: bool | None = None
    role: str | None = None


class Rooms:
    """The rooms of the server, by id."""

    def __init__(self, media: MediaPlane, default_rate: int, emit: EmitOfRoom) -> None:
        self._media, self._default_rate, self._emit = media, default_rate, emit
        self._rooms: dict[str, Room] = {}
        self.watchers: list[Watcher] = []

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))

    def __len__(self) -> int:
        return len(self._rooms)

    def get(self, room_id: str) -> Room:
        """A room by id. Raises NotFound."""
        if room_id not in self._rooms:
            raise NotFound(f"room {room_id} not found")
        return self._rooms[room_id]

    def find(self, room_id: str | None) -> Room | None:
        return self._rooms.get(room_id) if room_id else None

    async def create(
        self,
        room_id: str | None = None,
        sample_rate: int | None = None,
        app_id: str | None = None,
        webhook: WebhookTarget | None = None,
    ) -> Room:
        """Open a room. Raises Conflict when the id is taken."""
        rate = sample_rate or self._default_rate
        if rate not in ROOM_RATES:
            raise BadRequest(f"sample_rate: must be one of {ROOM_RATES}")
        try:
            room = Room(check_room_id(room_id or str(uuid.uuid4())), rate, app_id, webhook)
        except ValueError as error:
            raise BadRequest(f"id: {error}") from None
        if room.id in self._rooms:
            raise Conflict(f"room {room.id} exists already")
        self._rooms[room.id] = room
        async with room.lock:
            await self._media.open_room(room.id, rate)
            self._emit(room, RoomCreated(room_id=room.id))
        return room

    async def delete(self, room_id: str) -> None:
        """Close a room and hang up all that is in it."""
        room = self.get(room_id)
        del self._rooms[room_id]
        for leg in list(room.legs.values()):
            leg.hang_up("room_deleted")
        for guest in list(room.guests.values()):
            guest.leave()
        for watcher in self.watchers:
            await watcher.closed(room)
        async with room.lock:
            await self._media.close_room(room_id)
        self._emit(room, RoomDeleted(room_id=room_id))

    async def ensure(self, room_id: str, app_id: str | None = None) -> Room:
        """The room of this id, opened now if there is none."""
        room = self._rooms.get(room_id)
        if room is None:
            return await self.create(room_id, app_id=app_id)
        async with room.lock:  # it may be opening
            return room

    async def add(self, room_id: str, leg: Leg, entrance: Entrance) -> str | None:
        """Put a leg into a room; answers the room it came from, if any.

        Raises BadRequest when the leg has no media or is in this room already.
        """
        if leg.room_id == room_id:
            raise BadRequest(f"leg_id: leg {leg.id} is in room {room_id} already")
        if leg.state is LegState.RINGING and leg.type == "sip_inbound":
            await self._answered(leg)
        if leg.port is None or leg.state in (LegState.RINGING, LegState.HUNG_UP):
            raise BadRequest(f"leg_id: leg {leg.id} is not connected")
        room = await self.ensure(room_id, leg.app_id)
        async with leg.moving:
            return await self._move(room, leg, leg.port, entrance)

    async def _answered(self, leg: Leg) -> None:
        """Have a ringing leg answered, unless it is being answered, and wait for that."""
        with suppress(Conflict):
            leg.call.answer(None)
        try:
            await leg.reach(LegState.CONNECTED, within=ANSWER_WITHIN)
        except Conflict as error:
            raise BadRequest(f"leg_id: {error}") from None

    async def _move(self, room: Room, leg: Leg, port: str, entrance: Entrance) -> str | None:
        before = leg.room_id
        if before == room.id:
            raise BadRequest(f"leg_id: leg {leg.id} is in room {room.id} already")
        if leg.state is LegState.HUNG_UP or self.find(room.id) is not room:
            raise Conflict("the leg or the room has just gone")
        settings = SetPort(
            port,
            mute=leg.muted if entrance.mute is None else entrance.mute,
            deaf=leg.deaf if entrance.deaf is None else entrance.deaf,
            role=leg.role if entrance.role is None else entrance.role,
        )
        await self._media.join(port, room.id, settings)
        await self._remove(leg)
        room.legs[leg.id] = leg
        leg.room_id, leg.pending_room = room.id, None
        if before:
            leg.emit(LegLeftRoom(leg_id=leg.id, room_id=before))
        leg.room_webhook = room.webhook
        leg.entered(settings, entrance.accept_dtmf)
        leg.emit(LegJoinedRoom(leg_id=leg.id, room_id=room.id))
        for watcher in self.watchers:
            await watcher.joined(room, leg.id, port)
        return before

    async def remove(self, room_id: str, leg: Leg) -> None:
        """Take a leg out of a room; it lives on."""
        async with leg.moving:
            if leg.room_id != room_id:
                raise NotFound(f"leg {leg.id} is not in room {room_id}")
            if leg.port is not None:
                await self._media.apply_to(leg.port, Leave(leg.port))
            await self._remove(leg)
            leg.emit(LegLeftRoom(leg_id=leg.id, room_id=room_id))
            leg.room_webhook = None

    async def ended(self, leg: Leg) -> None:
        """A leg is over; its port is closed already."""
        if (room_id := leg.room_id) is not None:
            await self._remove(leg)
            leg.emit(LegLeftRoom(leg_id=leg.id, room_id=room_id))

    async def add_guest(self, room: Room, guest: Guest, port: str) -> None:
        """Put a participant that is no leg into a room. Raises NotFound when that has just gone."""
        async with room.lock:  # the room may be opening
            if self.find(room.id) is not room:
                raise NotFound(f"room {room.id} not found")
            room.guests[guest.id] = guest  # now, that a deletion from here on reaches it
            await self._media.join(port, room.id, SetPort(port))
            for watcher in self.watchers:
                await watcher.joined(room, guest.id, port)

    async def remove_guest(self, room: Room, guest: Guest) -> None:
        """A guest is gone; its port is closed already."""
        if room.guests.pop(guest.id, None) is not None:
            for watcher in self.watchers:
                await watcher.left(room, guest.id)

    async def route(self, room_id: str, matrix: Matrix, reason: str) -> None:
        """Replace a room's routing."""
        room = self.get(room_id)
        async with room.lock:
            await self._set_routing(room, matrix, reason)

    async def reroute(
        self, room_id: str, updates: Mapping[str, Sequence[str] | None], reason: str
    ) -> None:
        """Change some rows of a room's routing; None takes a row away."""
        room = self.get(room_id)
        async with room.lock:
            matrix = dict(room.matrix)
            for listener, sources in updates.items():
                if sources is None:
                    matrix.pop(listener, None)
                else:
                    matrix[listener] = tuple(sources)
            await self._set_routing(room, matrix, reason)

    async def _set_routing(self, room: Room, matrix: Matrix, reason: str) -> None:
        await self._media.apply_to_room(room.id, SetRouting(room.id, matrix))
        room.matrix = matrix
        self._emit(room, RoomRoutingChanged(room_id=room.id, reason=reason))

    async def set_gains(self, room_id: str, gains: Gains) -> None:
        """Replace by how many dB listeners of a room hear sources louder. Raises BadRequest."""
        room = self.get(room_id)
        async with room.lock:
            for leg_id in {leg_id for pair in gains for leg_id in pair}:
                if leg_id not in room.legs:
                    raise BadRequest(f"gains: leg {leg_id} is not in room {room_id}")
            room.gains = dict(gains)
            await self._apply_gains(room)

    async def _apply_gains(self, room: Room) -> None:
        ports = {
            (room.legs[a].port or "", room.legs[b].port or ""): db
            for (a, b), db in room.gains.items()
        }
        await self._media.apply_to_room(room.id, SetGains(room.id, ports))

    async def _remove(self, leg: Leg) -> None:
        """Take a leg off its room's list; what was said of its gains goes with it."""
        room, leg.room_id = self.find(leg.room_id), None
        if room is None:
            return
        room.legs.pop(leg.id, None)
        kept = {pair: db for pair, db in room.gains.items() if leg.id not in pair}
        if kept != room.gains:
            room.gains = kept
            await self._apply_gains(room)
        for watcher in self.watchers:
            await watcher.left(room, leg.id)
