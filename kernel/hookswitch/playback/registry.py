"""All playbacks of the server."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from hookswitch.errors import NotFound
from hookswitch.legs.leg import Leg
from hookswitch.media.plane import MediaPlane
from hookswitch.rooms.place import Place
from hookswitch.rooms.room import Room

from .client import Player, Source
from .messages import PlayerConfig
from .playing import Playback


class Playbacks:
    """What is being played, by place."""

    def __init__(self, media: MediaPlane, config: PlayerConfig) -> None:
        self._media = media
        self._player = Player(config)
        self._playing: dict[str, dict[str, Playback]] = {}

    def __len__(self) -> int:
        return sum(len(here) for here in self._playing.values())

    def prepare(self) -> None:
        """Have the player run before it is needed."""
        self._player.start()

    async def start(
        self, place: Place, source: Source, repeat: int, volume: int, stop_on: Collection[str]
    ) -> Playback:
        """Play something. Raises Conflict when nobody could hear it."""
        place.check()
        playback = Playback(
            str(uuid.uuid4()), place, self._media, self._player, stop_on, self._ended
        )
        self._playing.setdefault(place.id, {})[playback.id] = playback
        try:
            await playback.start(source, repeat, volume)
        except BaseException:
            self._ended(playback)
            raise
        return playback

    def get(self, place_id: str, playback_id: str) -> Playback:
        """What is played there. Raises NotFound."""
        playback = self._playing.get(place_id, {}).get(playback_id)
        if playback is None or playback.ended.is_set():
            raise NotFound(f"playback {playback_id} not found")
        return playback

    def interrupt(self, leg: Leg, kind: str) -> list[Playback]:
        """What the mixer does not see happened on a leg; answers what is to be stopped for it."""
        here = [*self._at(leg.id), *(self._at(leg.room_id) if leg.room_id else ())]
        return [playback for playback in here if kind in playback.stop_on]

    async def joined(self, room: Room, participant: str, port: str) -> None:
        """Who comes into a room may interrupt what is played there."""
        for playback in self._at(room.id):
            await playback.listen_to(port)

    async def left(self, room: Room, participant: str) -> None:
        """What is played in a room goes on until its end, or until the last has left."""
        if not room.legs and not room.guests:
            await self.gone(room.id)

    async def closed(self, room: Room) -> None:
        """A room is about to be closed."""
        await self.gone(room.id)

    async def gone(self, place_id: str) -> None:
        """A leg has ended or a room was closed: nothing is played there any more."""
        for playback in self._at(place_id):
            await playback.close()

    async def stop(self) -> None:
        """End everything."""
        for place_id in list(self._playing):
            await self.gone(place_id)
        await self._player.stop()

    def _at(self, place_id: str) -> list[Playback]:
        return list(self._playing.get(place_id, {}).values())

    def _ended(self, playback: Playback) -> None:
        here = self._playing.get(playback.place.id, {})
        here.pop(playback.id, None)
        if not here:
            self._playing.pop(playback.place.id, None)
