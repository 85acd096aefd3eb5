"""The messages of one Call-ID, as they are kept."""

from __future__ import annotations

import pickle
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from hookswitch_transport_sip.sip.hop import Hop

FIRST = LAST = 100
"""Messages kept of one Call-ID: so many of its beginning, so many of its end."""

_OVERHEAD = 200
"""About what a message costs in memory beside its octets."""

_PER_CALL = 1000
"""And what a packed ladder costs."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it went over the wire; `at` is seconds since 1970, `hop` the other side."""

    at: float
    sent: bool
    hop: Hop
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data) + _OVERHEAD


_Row = tuple[float, bool, tuple[Any, ...], bytes]
"""A message as it is kept. The garbage collector does not look at plain tuples of plain values, and
there are tens of thousands of them."""


@dataclass(slots=True)
class Ladder:
    """The messages of one Call-ID."""

    first: list[_Row] = field(default_factory=list)
    last: deque[_Row] = field(default_factory=deque)
    omitted: int = 0
    size: int = 0
    legs: list[str] = field(default_factory=list)
    """The legs of it, ended ones included."""
    left: int = 0
    """How many of them have not ended."""

    def add(self, message: Message) -> int:
        """Keep a message; answers by how many octets the ladder has grown."""
        before = self.size
        self.size += message.size
        row = (message.at, message.sent, tuple(message.hop), message.data)
        if len(self.first) < FIRST:
            self.first.append(row)
        else:
            self.last.append(row)
            if len(self.last) > LAST:
                self.size -= _message(self.last.popleft()).size
                self.omitted += 1
        return self.size - before

    def __iter__(self) -> Iterator[Message]:
        return map(_message, self.rows())

    def rows(self) -> Iterator[_Row]:
        """The messages as they are kept."""
        return chain(self.first, self.last)


def _message(row: _Row) -> Message:
    at, sent, hop, data = row
    return Message(at, sent, Hop(*hop), data)


@dataclass(frozen=True, slots=True)
class Packed:
    """A finished ladder, compressed to about a fifth."""

    ended: float
    legs: tuple[str, ...]
    omitted: int
    data: bytes

    @classmethod
    def of(cls, ladder: Ladder, ended: float) -> Packed:
        data = zlib.compress(pickle.dumps(list(ladder.rows()), pickle.HIGHEST_PROTOCOL), 1)
        return cls(ended, tuple(ladder.legs), ladder.omitted, data)

    @property
    def size(self) -> int:
        return len(self.data) + _PER_CALL

    def ladder(self) -> Ladder:
        """The ladder again, of whose legs none is left."""
        ladder = Ladder(omitted=self.omitted, legs=list(self.legs))
        for row in pickle.loads(zlib.decompress(self.data)):  # our own
            ladder.add(_message(row))
        return ladder
