"""A room: who is in it and who hears whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hookswitch.events.record import WebhookTarget
from hookswitch.legs.leg import Leg

Matrix = Mapping[str, tuple[str, ...]]
"""Listener role -> the source roles it hears."""

Gains = Mapping[tuple[str, str], float]
"""(listening leg, speaking leg) -> dB."""

LONGEST_ID = 200
"""Characters of a room's id."""


def check_room_id(room_id: str) -> str:
    """Raise ValueError for an id that no path could name."""
    if not room_id.isprintable() or "/" in room_id or len(room_id) > LONGEST_ID:
        raise ValueError(
            f"a room's id has no slash, no control character and at most {LONGEST_ID} characters"
        )
    return room_id


@dataclass(frozen=True, slots=True)
class Guest:
    """A participant that is no leg: a bare WebSocket in the room.

    ``leave`` is called when the room is deleted.
    """

    id: str
    leave: Callable[[], None]


@dataclass(slots=True)
class Room:
    """A room. ``legs`` and ``guests`` keep the order of joining."""

    id: str
    sample_rate: int
    app_id: str | None = None
    webhook: WebhookTarget | None = None
    matrix: Matrix = field(default_factory=dict)
    gains: Gains = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the routing changes, so that two changes do not lose one another's."""
