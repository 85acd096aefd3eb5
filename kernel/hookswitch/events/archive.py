"""The event store and what to do when it fails.

A failing store (disk full, locked, unreadable) stops no event: what cannot be written waits in a
bounded backlog and is written as soon as that works again; reads see stored and waiting events
alike. A damaged file is moved aside and a new one started.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hookswitch.events.backlog import Backlog
from hookswitch.events.counters import EventCounters
from hookswitch.events.open_legs import OpenLeg, OpenLegs
from hookswitch.events.record import Record
from hookswitch.events.schema import is_corrupt, move_aside
from hookswitch.events.store import Store

logger = logging.getLogger(__name__)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """Where and how events are kept.

    ``fsync`` makes every commit survive a power cut, not only the end of the process.
    ``memory_limit`` is how many events may wait in memory while the store fails, and
    ``retry_every`` the seconds between attempts to write them.
    """

    path: str
    replay_events: int = 10_000
    fsync: bool = False
    retry_every: float = 1.0
    memory_limit: int = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """Events after a cursor; there are no others up to the last of them, or, when it is empty, up
    to ``high``. ``oldest`` is the first cursor that is left when some before it are gone.
    """

    records: Sequence[Record]
    high: int
    oldest: int | None = None


@dataclass(frozen=True, slots=True)
class Leftover:
    """What an earlier run of the server did not end: each url with undelivered events, with
    their number; and legs."""

    receivers: Sequence[tuple[str, int]]
    legs: Sequence[OpenLeg]


class Archive:
    """Synchronous, used by one thread; takes the time as an argument."""

    def __init__(self, options: ArchiveOptions, counters: EventCounters) -> None:
        self._options = options
        self._counters = counters
        self._backlog = Backlog()
        self._lost = range(0)
        self._retry_at: float | None = None
        self._store: Store | None = self._open_first()
        self._legs = OpenLegs(self._read(lambda store: store.open_legs(), []))

    @property
    def high(self) -> int:
        """The highest cursor given out."""
        stored = self._store.high if self._store else 0
        return max(stored, self._lost.stop - 1, next(reversed(self._backlog.records), 0))

    @property
    def retry_at(self) -> float | None:
        """When `write` should be called again, because the store fails."""
        return self._retry_at

    # -- writing

    def write(self, records: Sequence[Record], ended: Sequence[int], now: float) -> None:
        """Add events and forget deliveries that ended, now or when the store works again."""
        for record in records:
            self._legs.note(record)
        self._backlog.add(records, ended)
        if self._backlog and (self._retry_at is None or now >= self._retry_at):
            self._flush(now)
        elif not self._backlog:
            self._retry_at = None
        if len(self._backlog.records) > self._options.memory_limit:
            self._trim()
        self._counters.store_unwritten = len(self._backlog.records)

    def expire(self, url: str, before: float) -> tuple[int, int]:
        """Forget some deliveries created before then: how many (0: no more), up to which cursor."""
        count, upto = self._read(lambda store: store.expire(url, before), (0, 0))
        return count + self._backlog.expire(url, before), upto

    def close(self, now: float) -> None:
        """Write what is left and close the file."""
        if self._retry_at is not None:
            self._retry_at = now
        self.write((), (), now)
        lost = len(self._backlog.records)
        if lost:
            logger.error("event store %s: %d events could not be saved", self._options.path, lost)
        if self._store:
            self._close(self._store, clean=not lost and not self._lost)

    # -- reading

    def page(self, after: int, limit: int) -> Page:
        """Events kept after a cursor, and whether others that followed it are gone."""
        start = self._kept_after(after)
        none: list[Record] = []
        found = self._read(lambda store: store.after(start, limit), none)
        if len(found) < limit:
            found = [*found, *self._backlog.after(start)[: limit - len(found)]]
        if after < self._lost.start:
            found = [r for r in found if r.cursor < self._lost.start] or found
        oldest = found[0].cursor if found else self.high + 1
        gap = start != after or self._lost_between(after, oldest)
        return Page(found, self.high, oldest if gap else None)

    def lane(self, url: str, lane: str, after: int, limit: int) -> list[Record]:
        """Pending deliveries of one lane after a cursor, oldest first."""
        none: list[Record] = []
        found = self._read(lambda store: store.lane(url, lane, after, limit), none)
        waiting = [r for r in self._backlog.pending(url, after) if r.lane == lane]
        return [*found, *waiting][:limit]

    def lanes(self, url: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Cursor and lane of pending deliveries to ``url`` after a cursor, oldest first."""
        none: list[tuple[int, str]] = []
        found = self._read(lambda store: store.lanes(url, after, limit), none)
        waiting = [(r.cursor, r.lane) for r in self._backlog.pending(url, after)]
        return [*found, *waiting][:limit]

    def leftover(self) -> Leftover:
        """What the store holds at the start."""
        return Leftover(self._read(lambda store: store.receivers(), []), list(self._legs))

    def _kept_after(self, after: int) -> int:
        """Where reading starts: a cursor from the future belongs to another store's life."""
        pruned_to = self._store.pruned_to if self._store else 0
        if after > self.high:
            return pruned_to
        return max(after, pruned_to)

    def _lost_between(self, after: int, oldest: int) -> bool:
        if after < self._lost.stop <= oldest:
            return True
        return bool(self._store and after in self._store.hole)

    def _read(self, work: Callable[[Store], _T], default: _T) -> _T:
        if self._store is None:
            return default
        try:
            return work(self._store)
        except sqlite3.Error as error:
            self._counters.store_errors += 1
            logger.error("event store %s: %s", self._options.path, error)
            return default

    # -- failing

    def _flush(self, now: float) -> None:
        try:
            records, ended = list(self._backlog.records.values()), self._backlog.ended
            self._opened().write(records, ended, *self._legs.unsaved())
        except Exception as error:
            self._failed(error, now)
            return
        if self._retry_at is not None:
            saved = len(self._backlog.records)
            logger.warning("event store %s works again: %d events saved", self._options.path, saved)
        self._retry_at = None
        self._backlog.clear()
        self._legs.saved()

    def _failed(self, error: Exception, now: float) -> None:
        self._counters.store_errors += 1
        path = self._options.path
        if self._retry_at is None:
            logger.error("event store %s: %s; events stay in memory until it works", path, error)
        self._retry_at = now + self._options.retry_every
        if self._store and isinstance(error, sqlite3.Error) and is_corrupt(error):
            self._close(self._store, clean=False)
            self._store = None
            self._legs.store_lost()
            move_aside(path)
            self._retry_at = now

    def _trim(self) -> None:
        lost = self._backlog.trim(self._options.memory_limit)
        self._counters.store_lost += len(lost)
        first = lost[0].cursor
        # One failure loses a run of events; of an earlier failure nobody asks any more.
        again = self._lost.stop == first
        self._lost = range(self._lost.start if again else first, lost[-1].cursor + 1)

    def _open_first(self) -> Store:
        try:
            return self._open(first=1)
        except sqlite3.Error as error:
            logger.error("event store %s: %s", self._options.path, error)
            move_aside(self._options.path)
            # Nothing tells how far the damaged file had counted: the clock is beyond that.
            return self._open(first=int(time.time() * 1000))

    def _open(self, first: int) -> Store:
        options = self._options
        return Store(
            options.path, replay_events=options.replay_events, fsync=options.fsync, first=first
        )

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open(first=min(self._backlog.records, default=self.high + 1))
        return self._store

    def _close(self, store: Store, *, clean: bool) -> None:
        try:
            store.close(clean=clean)
        except sqlite3.Error as error:
            logger.error("event store %s: %s", self._options.path, error)
