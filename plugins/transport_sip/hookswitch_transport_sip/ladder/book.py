"""The ladders of all calls in a bounded amount of memory."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from .ladder import Ladder, Message, Packed
from .view import LegViews, View, call_id_of

KEPT_FOR = 3600.0
"""Seconds the ladder of a finished call can be asked for."""

SETTLED_AFTER = 40.0
"""Seconds after a call's end until the last retransmission has come, and it is packed."""

_WAITING = 512
"""Calls whose messages are kept though no leg claimed them yet."""

_LEGS = 100
"""Legs known of one Call-ID, those that have not ended aside: some callers never choose another."""


class Shown(NamedTuple):
    """What a leg shows: the messages of all its branches, in order of time."""

    call_id: str
    omitted: int
    messages: list[Message]


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
        self._packed: OrderedDict[str, Packed] = OrderedDict()
        self._legs: dict[str, LegViews] = {}

    @property
    def size(self) -> int:
        """Octets held."""
        return self._size

    def add(self, message: Message) -> None:
        """Take a message; those that belong to no call are not kept."""
        if self._limit <= 0 or (call_id := call_id_of(message.data)) is None:
            return
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
        """A leg has come of a call, or one more branch of its call."""
        if self._limit <= 0:
            return
        self._legs.setdefault(leg_id, LegViews(view.call_id)).views.append(view)
        ladder = self._running.get(view.call_id)
        if ladder is None:
            ladder = self._running[view.call_id] = self._reopened(view.call_id)
        ladder.legs.append(leg_id)
        ladder.left += 1
        if len(ladder.legs) > _LEGS:
            self._forget_one_of(ladder.legs)

    def tie(self, leg_id: str, view: View, now: float) -> None:
        """A leg that has ended was tried again, which made no other leg."""
        if leg_id in self._legs:
            self.open(leg_id, view)
            self.close(leg_id, now)

    def name(self, leg_id: str, call_id: str) -> None:
        """Of the branches of a leg's call, this is the one it is known by."""
        if (leg := self._legs.get(leg_id)) is not None:
            leg.call_id = call_id

    def close(self, leg_id: str, now: float) -> None:
        """A leg has ended; a few messages may still come."""
        leg = self._legs.get(leg_id)
        if leg is not None:
            self._ended.extend((now, view.call_id) for view in leg.views[leg.closed :])
            leg.closed = len(leg.views)
        self.tidy(now)

    def shown(self, leg_id: str) -> Shown | None:
        """What a leg shows, None when it is not known (any more)."""
        leg = self._legs.get(leg_id)
        if leg is None:
            return None
        views: dict[str, list[View]] = {}
        for view in leg.views:
            views.setdefault(view.call_id, []).append(view)
        ladders = {call_id: self._ladder(call_id) for call_id in views}
        seen = {each: list(_seen(ladder, views[each])) for each, ladder in ladders.items()}
        messages = heapq.merge(*seen.values(), key=lambda message: message.at)
        omitted = sum(ladder.omitted for ladder in ladders.values())
        call_id = leg.call_id
        if not seen.get(call_id):  # nothing of that call has left
            call_id = next((each for each in reversed(seen) if seen[each]), call_id)
        return Shown(call_id, omitted, list(messages))

    def _ladder(self, call_id: str) -> Ladder:
        """The messages of a call; empty when they had to go."""
        running = self._running.get(call_id)
        if running is not None:
            return running
        packed = self._packed.get(call_id)
        return packed.ladder() if packed else Ladder()

    def _reopened(self, call_id: str) -> Ladder:
        """The ladder of a call that (again) has a leg, with what came before the leg did."""
        waiting = self._waiting.pop(call_id, None) or Ladder()
        packed = self._packed.pop(call_id, None)
        if packed is None:
            return waiting
        ladder = packed.ladder()
        for message in waiting:
            ladder.add(message)
        ladder.omitted += waiting.omitted
        self._size += ladder.size - packed.size - waiting.size
        return ladder

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
        packed = self._packed[call_id] = Packed.of(ladder, ended)
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

    def _forget_one_of(self, legs: list[str]) -> None:
        """The first that has ended."""
        for number, leg_id in enumerate(legs):
            leg = self._legs.get(leg_id)
            if leg is None or leg.closed == len(leg.views):
                self._legs.pop(leg_id, None)
                del legs[number]
                return

    def _forget(self, call_id: str) -> None:
        packed = self._packed.pop(call_id)
        self._size -= packed.size
        for leg_id in packed.legs:
            self._legs.pop(leg_id, None)


def _seen(ladder: Ladder, views: list[View]) -> Iterator[Message]:
    return (message for message in ladder if any(view.shows(message) for view in views))
