"""The ladders of all calls in a bounded amount of memory."""

from __future__ import annotations

import pickle
import re
import zlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from hookswitch_transport_sip.sip.hop import Hop

KEPT_FOR = 3600.0
"""Seconds the ladder of a finished call can be asked for."""

SETTLED_AFTER = 40.0
"""Seconds after a call's end until the last retransmission has come, and it is packed."""

FIRST = LAST = 100
"""Messages kept of one call: so many of its beginning, so many of its end."""

_OVERHEAD = 200
"""About what a message costs in memory beside its octets."""

_PER_CALL = 1000
"""And what a packed ladder costs."""

_WAITING = 512
"""Calls whose messages are kept though no leg claimed them yet."""

_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE)


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


_TAGS = re.compile(rb"\r\n([Ff]rom|[Tt]o|[fFtT])[ \t]*:[^\r\n]*?;[ \t]*tag[ \t]*=[ \t]*([^\s;,]+)")


@dataclass(frozen=True, slots=True)
class View:
    """What a leg sees of a ladder: two legs of one Call-ID are told apart by their tags."""

    call_id: str
    tag: str
    inbound: bool

    def shows(self, message: Message) -> bool:
        """Whether a message is one of this leg's."""
        head = message.data.partition(b"\r\n\r\n")[0]
        tags = {name[:1].lower(): tag for name, tag in _TAGS.findall(head)}
        is_request = not head.startswith(b"SIP/")
        ours = tags.get(b"f" if message.sent == is_request else b"t", b"")
        return ours == self.tag.encode() or (self.inbound and not ours)


class Book:
    """Ladders of running calls as they are, of finished ones packed; the oldest go first.

    ``limit`` in octets; 0 keeps nothing. Times are seconds since 1970.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._running: dict[str, Ladder] = {}
        self._waiting: OrderedDict[str, Ladder] = OrderedDict()
        self._ended: deque[tuple[float, str]] = deque()
        self._packed: OrderedDict[str, _Packed] = OrderedDict()
        self._views: dict[str, View] = {}

    @property
    def size(self) -> int:
        """Octets held."""
        return self._size

    def add(self, message: Message) -> None:
        """Take a message; those that belong to no call are not kept."""
        if self._limit <= 0 or (found := _CALL_ID.search(message.data)) is None:
            return
        call_id = found[1].decode("utf-8", "surrogateescape")
        ladder = self._running.get(call_id) or self._waiting.get(call_id)
        if ladder is None:
            if not message.data.startswith(b"INVITE "):
                return
            ladder = self._waiting[call_id] = Ladder()
            if len(self._waiting) > _WAITING:
                self._size -= self._waiting.popitem(last=False)[1].size
        self._size += ladder.add(message)
        if self._size > self._limit:
            self._shrink()

    def open(self, leg_id: str, view: View) -> None:
        """A leg has come of a call."""
        if self._limit <= 0:
            return
        self._views[leg_id] = view
        ladder = self._running.get(view.call_id)
        if ladder is None:
            ladder = self._waiting.pop(view.call_id, None) or Ladder()
            self._running[view.call_id] = ladder
        ladder.legs.append(leg_id)
        ladder.left += 1

    def close(self, leg_id: str, now: float) -> None:
        """A leg has ended; a few messages may still come."""
        view = self._views.get(leg_id)
        if view is not None:
            self._ended.append((now, view.call_id))
        self.tidy(now)

    def view(self, leg_id: str) -> View | None:
        """Which part of which ladder a leg has, None when it is not known (any more)."""
        return self._views.get(leg_id)

    def ladder(self, call_id: str) -> Ladder:
        """The messages of a call; empty when they had to go."""
        running = self._running.get(call_id)
        if running is not None:
            return running
        packed = self._packed.get(call_id)
        return packed.ladder() if packed else Ladder()

    def tidy(self, now: float) -> None:
        """Pack what ended a while ago, forget what ended an hour ago."""
        while self._ended and self._ended[0][0] < now - SETTLED_AFTER:
            self._pack(*self._ended.popleft())
        while self._packed:
            call_id, packed = next(iter(self._packed.items()))
            if packed.ended > now - KEPT_FOR:
                break
            self._forget(call_id)

    def _pack(self, ended: float, call_id: str) -> None:
        ladder = self._running.get(call_id)
        if ladder is None:
            return
        ladder.left -= 1
        if ladder.left > 0:
            return
        del self._running[call_id]
        if call_id in self._packed:
            self._forget(call_id)  # a Call-ID used again
        packed = self._packed[call_id] = _Packed.of(ladder, ended)
        self._size += packed.size - ladder.size

    def _shrink(self) -> None:
        """Make room: the oldest finished calls go, then the oldest running ones' messages.

        A tenth more than needed goes, so that it is not done for every message.
        """
        enough = self._limit * 9 // 10
        while self._size > enough and self._packed:
            self._forget(next(iter(self._packed)))
        while self._size > enough and self._ended:
            self._pack(*self._ended.popleft())
            if self._packed:
                self._forget(next(iter(self._packed)))
        for ladder in chain(self._running.values(), self._waiting.values()):
            if self._size <= enough:
                break
            self._size -= ladder.size
            ladder.omitted += len(ladder.first) + len(ladder.last)
            ladder.first, ladder.last, ladder.size = [], deque(), 0

    def _forget(self, call_id: str) -> None:
        packed = self._packed.pop(call_id)
        self._size -= packed.size
        for leg_id in packed.legs:
            self._views.pop(leg_id, None)


@dataclass(frozen=True, slots=True)
class _Packed:
    """A finished ladder, compressed to about a fifth."""

    ended: float
    legs: tuple[str, ...]
    omitted: int
    data: bytes

    @classmethod
    def of(cls, ladder: Ladder, ended: float) -> _Packed:
        data = zlib.compress(pickle.dumps(list(ladder.rows()), pickle.HIGHEST_PROTOCOL), 1)
        return cls(ended, tuple(ladder.legs), ladder.omitted, data)

    @property
    def size(self) -> int:
        return len(self.data) + _PER_CALL

    def ladder(self) -> Ladder:
        ladder = Ladder(omitted=self.omitted)
        for row in pickle.loads(zlib.decompress(self.data)):  # our own, see above
            ladder.add(_message(row))
        return ladder
