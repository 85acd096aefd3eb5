"""What an event is: a frozen value in the past tense that becomes one flat JSON object.

A plugin defines its own by subclassing `Event` the same way:

    @dataclass(frozen=True, slots=True, kw_only=True)
    class CallParked(Event):
        type: ClassVar[str] = "parking.call_parked"
        slot: int
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened. Fields that are None do not appear in the JSON form.

    ``leg_id`` and ``room_id`` also decide the order of delivery: events of one leg (or, without
    a leg, of one room) reach a webhook in the order in which they happened. A field whose name
    is a Python keyword is written with a trailing underscore (``from_``).
    """

    type: ClassVar[str] = ""

    leg_id: str | None = None
    room_id: str | None = None

    @property
    def lane(self) -> str:
        """What the event is about: events of one lane are delivered in order."""
        return self.leg_id or self.room_id or ""

    def to_json(self) -> dict[str, Any]:
        """The event's own fields as plain JSON values."""
        return _plain_fields(self)


@cache
def _names(cls: type) -> tuple[tuple[str, str], ...]:
    """Attribute and JSON name of each field of a dataclass."""
    return tuple((f.name, f.name.rstrip("_")) for f in fields(cls))


def plain(value: Any) -> Any:
    """Turn dataclasses, tuples and numbers JSON cannot hold into what JSON can hold."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if is_dataclass(value):
        return _plain_fields(value)
    return str(value)


def _plain_fields(value: Any) -> dict[str, Any]:
    cls: Any = type(value)
    items = ((name, plain(getattr(value, attribute))) for attribute, name in _names(cls))
    return {name: item for name, item in items if item is not None}


def encode(message: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON. A lone surrogate (from a peer's odd header) becomes a question mark."""
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")
