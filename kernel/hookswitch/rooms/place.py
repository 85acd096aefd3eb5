"""Where something is played, recorded, transcribed or answered: on a leg, or in a room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Protocol

from hookswitch.errors import Conflict
from hookswitch.events.model import Event
from hookswitch.events.record import WebhookTarget, choose_target
from hookswitch.legs.leg import Leg
from hookswitch.legs.state import LegState
from hookswitch.media.plane import MediaPlane, OnReport, RingPort
from hookswitch.mixer.commands import Command, Connect, Join, SetPort

from .room import Room

MakeEvent = Callable[..., Event]
"""An event's class; takes its fields, ``leg_id`` and ``room_id`` among them."""


class Place(Protocol):
    """A leg or a room, as those see it who put a voice or ears there."""

    @property
    def id(self) -> str:
        """The leg's or room's."""

    @property
    def app_id(self) -> str | None:
        """Of the leg or room."""

    @property
    def webhook(self) -> WebhookTarget | None:
        """Where its events go, if not where all others do."""

    def legs(self) -> Iterable[Leg]:
        """The legs that hear what is played here."""

    def check(self) -> None:
        """Raises Conflict when nobody could hear or be heard here."""

    def rate(self) -> int:
        """Sampling rate in Hz that loses nothing of a voice put here."""

    async def open_voice(
        self, port: str, rate: int, on_report: OnReport, *commands: Command
    ) -> RingPort:
        """Open a port that is heard here; ``commands`` go with it. Raises CommandError."""

    channels: ClassVar[tuple[str, ...]]
    """What a recording's channels are."""

    def record_rate(self) -> int:
        """Sampling rate in Hz of a recording."""

    def heard_rate(self) -> int:
        """Sampling rate in Hz beyond which nothing is heard here."""

    async def open_ears(self, name: str, rate: int, on_report: OnReport) -> list[RingPort]:
        """Open an ear for each of ``channels``, all from the same tick on. Raises CommandError."""

    def participants(self) -> Mapping[str, str]:
        """Who is here, each with a port of its own."""

    def emit(self, event: MakeEvent, **fields: object) -> None:
        """Publish an event of this place."""


class LegPlace(Place):
    """A leg: what is played is heard by its peer alone."""

    def __init__(self, leg: Leg, media: MediaPlane) -> None:
        self.leg = leg
        self._media = media

    @property
    def id(self) -> str:
        return self.leg.id

    @property
    def app_id(self) -> str | None:
        return self.leg.app_id

    @property
    def webhook(self) -> WebhookTarget | None:
        return choose_target(self.leg.options.webhook, self.leg.room_webhook, None)

    @property
    def port(self) -> str:
        """The leg's port. Raises Conflict when it has none."""
        if self.leg.port is None or self.leg.state in (LegState.RINGING, LegState.HUNG_UP):
            raise Conflict(f"leg {self.leg.id} has no audio while it is {self.leg.state}")
        return self.leg.port

    def legs(self) -> Iterable[Leg]:
        return (self.leg,)

    def check(self) -> None:
        _ = self.port

    def rate(self) -> int:
        return self._media.rate_of(self.port)

    async def open_voice(
        self, port: str, rate: int, on_report: OnReport, *commands: Command
    ) -> RingPort:
        here = Connect(port, self.port)
        return await self._media.open_voice(port, rate, on_report, here, *commands, near=self.port)

    channels = ("left", "right")

    def record_rate(self) -> int:
        """16 kHz in a room; alone, what the call's codec has."""
        return self.rate() if self.leg.room_id is None else 16000

    def heard_rate(self) -> int:
        return self.rate()

    async def open_ears(self, name: str, rate: int, on_report: OnReport) -> list[RingPort]:
        """Left what the leg says, right what it hears."""
        says, hears = f"{name}-left", f"{name}-right"
        here = Connect(self.port, says, "says"), Connect(self.port, hears, "hears")
        return await self._media.open_ears([says, hears], rate, on_report, *here, near=self.port)

    def participants(self) -> Mapping[str, str]:
        return {}

    def emit(self, event: MakeEvent, **fields: object) -> None:
        self.leg.emit(event(leg_id=self.leg.id, **fields))


class RoomPlace(Place):
    """A room: what is played is heard by all of it, whatever its routing."""

    def __init__(self, room: Room, media: MediaPlane, emit: Callable[[Room, Event], None]) -> None:
        self.room = room
        self._media, self._emit = media, emit

    @property
    def id(self) -> str:
        return self.room.id

    @property
    def app_id(self) -> str | None:
        return self.room.app_id

    @property
    def webhook(self) -> WebhookTarget | None:
        return self.room.webhook

    def legs(self) -> Iterable[Leg]:
        return self.room.legs.values()

    def check(self) -> None:
        if not self.room.legs and not self.room.guests:
            raise Conflict(f"room {self.room.id} is empty")

    def rate(self) -> int:
        ports = [leg.port for leg in self.room.legs.values() if leg.port is not None]
        ports += list(self.room.guests)
        fastest = max((self._media.rate_of(port) for port in ports), default=0)
        return min(fastest or self.room.sample_rate, self.room.sample_rate)

    async def open_voice(
        self, port: str, rate: int, on_report: OnReport, *commands: Command
    ) -> RingPort:
        here = Join(port, self.room.id), SetPort(port, broadcast=True)
        return await self._media.open_voice(
            port, rate, on_report, *here, *commands, room=self.room.id
        )

    channels = ("mix",)

    def record_rate(self) -> int:
        return self.room.sample_rate

    def heard_rate(self) -> int:
        return self.room.sample_rate

    async def open_ears(self, name: str, rate: int, on_report: OnReport) -> list[RingPort]:
        here = Join(name, self.room.id)
        return await self._media.open_ears([name], rate, on_report, here, room=self.room.id)

    def participants(self) -> Mapping[str, str]:
        ports = {leg.id: leg.port for leg in self.room.legs.values() if leg.port is not None}
        return ports | {guest: guest for guest in self.room.guests}

    def emit(self, event: MakeEvent, **fields: object) -> None:
        self._emit(self.room, event(room_id=self.room.id, **fields))
