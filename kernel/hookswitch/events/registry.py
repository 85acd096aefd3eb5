"""Which event types exist: the kernel's own, and those plugins add."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from types import ModuleType

from hookswitch.events import legs, media, rooms
from hookswitch.events.model import Event

_TYPE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")


def _defined_in(module: ModuleType) -> Iterator[type[Event]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Event) and value.type:
            yield value


class EventTypes:
    """The event types of one server, by their wire name."""

    def __init__(self) -> None:
        self._types: dict[str, type[Event]] = {}
        for module in (legs, rooms, media):
            for cls in _defined_in(module):
                self.add(cls)

    def add(self, cls: type[Event]) -> None:
        """Add a type; ValueError when its name is malformed or belongs to another class."""
        if not is_dataclass(cls) or not _TYPE.fullmatch(cls.type):
            raise ValueError(f"{cls.__name__}: needs a type such as 'parking.call_parked'")
        if self._types.setdefault(cls.type, cls) is not cls:
            raise ValueError(f"{cls.__name__}: {cls.type!r} is {self._types[cls.type].__name__}")

    def __getitem__(self, type_: str) -> type[Event]:
        return self._types[type_]

    def __contains__(self, type_: object) -> bool:
        return type_ in self._types

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._types))

    def __len__(self) -> int:
        return len(self._types)
