"""All legs of the server, and what a leg may ask of the server around it."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from typing import Any, Protocol

from hookswitch.errors import NotFound
from hookswitch.events.model import Event
from hookswitch.media.plane import MediaPlane

from .leg import Leg


class LegContext(Protocol):
    """The server as a leg sees it."""

    media: MediaPlane
    speech_detection: bool
    """Whether speaking events are wanted of a leg that does not say."""

    def emit(self, leg: Leg, event: Event) -> None:
        """Publish an event of the leg."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background; what it raises is logged."""

    async def enter_pending_room(self, leg: Leg) -> None:
        """Put the leg into the room it was created for, if it waits for one."""

    def connected(self, leg: Leg) -> None:
        """The leg was answered and is where it belongs."""

    def processor(self, leg: Leg) -> str | None:
        """What changes the leg's sound, as ``module:Class``."""

    async def leave(self, leg: Leg) -> None:
        """Take an ended leg out of its room and close its port."""

    def forget(self, leg: Leg, reason: str, answered: float | None) -> None:
        """The leg is over; ``answered`` in seconds, None if it never was."""

    def pass_on_digit(self, leg: Leg, digit: str) -> None:
        """Give a digit to the others of the leg's room."""

    def pass_on_text(self, leg: Leg, text: str) -> None:
        """Give text to the others of the leg's room."""


class Legs:
    """The legs that are not over, by id."""

    def __init__(self) -> None:
        self._legs: dict[str, Leg] = {}

    def __iter__(self) -> Iterator[Leg]:
        return iter(list(self._legs.values()))

    def __len__(self) -> int:
        return len(self._legs)

    def add(self, leg: Leg) -> None:
        self._legs[leg.id] = leg

    def remove(self, leg: Leg) -> None:
        self._legs.pop(leg.id, None)

    def get(self, leg_id: str) -> Leg:
        """A leg by id. Raises NotFound."""
        if leg_id not in self._legs:
            raise NotFound(f"leg {leg_id} not found")
        return self._legs[leg_id]

    def find(self, leg_id: str) -> Leg | None:
        return self._legs.get(leg_id)
