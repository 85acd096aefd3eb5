"""The event store: events kept for replay, webhook deliveries and legs that have not ended.

Synchronous and used by one thread. Every method either does all it says or raises sqlite3.Error
and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeVar

from hookswitch.events.open_legs import OpenLeg
from hookswitch.events.record import Record, WebhookTarget
from hookswitch.events.schema import connect

_T = TypeVar("_T")

UNCLEAN_SKIP = 1_000_000
"""Cursors left out after a crash: they may have been seen live without being written."""

_ROWS = (64, 8, 1)
"""Rows per INSERT. Each statement releases and takes the interpreter's lock; few are cheap."""

_EXPIRED_AT_ONCE = 5000

_EVENTS = "INSERT OR REPLACE INTO events VALUES "
_DELIVERIES = "INSERT OR REPLACE INTO deliveries VALUES "
_LEGS = "INSERT OR REPLACE INTO open_legs VALUES "
_READ = "SELECT e.cursor, e.event_id, e.app_id, e.body, d.lane, d.created, d.url, d.secret "


class Store:
    """An open event store. ``high`` is the highest cursor given out; older than or equal to
    ``pruned_to`` nothing is kept for replay."""

    def __init__(self, path: str, *, replay_events: int, fsync: bool = False, first: int = 1):
        self._db = connect(path, fsync=fsync)
        self._replay_events = replay_events
        self._prune_every = max(1, replay_events // 20)
        self._unpruned = 0
        last = self._meta("high", first - 1)
        self.pruned_to = self._meta("pruned_to", first - 1)
        self.high = last if self._meta("clean", 1) else last + UNCLEAN_SKIP
        self.hole = range(last + 1, self.high)
        self._transaction(lambda: self._set(high=self.high, pruned_to=self.pruned_to, clean=0))

    def close(self, *, clean: bool) -> None:
        """Close the file; ``clean`` says that every cursor given out was written."""
        try:
            if clean:
                self._transaction(lambda: self._set(high=self.high, clean=1))
        finally:
            self._db.close()

    # -- writing

    def write(
        self,
        records: Sequence[Record],
        ended: Sequence[int],
        legs: Sequence[OpenLeg] = (),
        closed: Sequence[str] = (),
    ) -> None:
        """Add events with their deliveries and legs, and forget those that ended, at once."""
        self._transaction(lambda: self._write(records, ended, legs, closed))

    def _write(
        self,
        records: Sequence[Record],
        ended: Sequence[int],
        legs: Sequence[OpenLeg],
        closed: Sequence[str],
    ) -> None:
        self._insert(_EVENTS, [(r.cursor, r.event_id, r.app_id, r.body) for r in records])
        self._insert(_DELIVERIES, [_delivery(r) for r in records if r.target])
        self._forget(ended)
        self._insert(_LEGS, [_leg(leg) for leg in legs])
        for start in range(0, len(closed), 500):
            self._delete("open_legs", "leg_id", closed[start : start + 500])
        if records:
            self.high = max(self.high, records[-1].cursor)
            self._set(high=self.high)
            self._unpruned += len(records)
        if self._unpruned >= self._prune_every:
            self._prune()

    def expire(self, url: str, before: float) -> tuple[int, int]:
        """Forget the oldest deliveries to ``url`` if they were created before then.

        Says how many and up to which cursor. Takes a slice at a time, so that other work of the
        thread gets its turn: call it again until it says 0.
        """
        first = self._oldest_delivery(url)
        if first is None or first[1] >= before:
            return 0, 0
        (upto,) = self._db.execute(
            "SELECT max(cursor) FROM (SELECT cursor, created FROM deliveries WHERE url = ? "
            "ORDER BY cursor LIMIT ?) WHERE created < ?",
            (url, _EXPIRED_AT_ONCE, before),
        ).fetchone()
        return self._transaction(lambda: self._expire(url, first[0], upto)), upto

    def _oldest_delivery(self, url: str) -> tuple[int, float] | None:
        row: tuple[int, float] | None = self._db.execute(
            "SELECT cursor, created FROM deliveries WHERE url = ? ORDER BY cursor LIMIT 1", (url,)
        ).fetchone()
        return row

    def _expire(self, url: str, first: int, upto: int) -> int:
        count = self._db.execute(
            "DELETE FROM deliveries WHERE url = ? AND cursor <= ?", (url, upto)
        ).rowcount
        self._delete_events(first - 1, min(upto, self.pruned_to))
        return count

    # -- reading

    def after(self, cursor: int, limit: int) -> list[Record]:
        """Events kept for replay after ``cursor``."""
        rows = self._db.execute(
            "SELECT cursor, event_id, app_id, body FROM events WHERE cursor > ? "
            "ORDER BY cursor LIMIT ?",
            (max(cursor, self.pruned_to), limit),
        )
        return [Record(*row) for row in rows]

    def oldest(self) -> int | None:
        """The first cursor kept for replay."""
        first = self.after(0, 1)
        return first[0].cursor if first else None

    def lane(self, url: str, lane: str, after: int, limit: int) -> list[Record]:
        """Pending deliveries of one lane."""
        rows = self._db.execute(
            _READ + "FROM deliveries d JOIN events e USING (cursor) "
            "WHERE d.url = ? AND d.lane = ? AND d.cursor > ? ORDER BY d.cursor LIMIT ?",
            (url, lane, after, limit),
        )
        return [_pending(*row) for row in rows]

    def lanes(self, url: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Cursor and lane of pending deliveries to ``url``, oldest first."""
        return self._db.execute(
            "SELECT cursor, lane FROM deliveries INDEXED BY deliveries_by_url "
            "WHERE url = ? AND cursor > ? ORDER BY cursor LIMIT ?",
            (url, after, limit),
        ).fetchall()

    def receivers(self) -> list[tuple[str, int]]:
        """Each url with pending deliveries, and how many there are."""
        return self._db.execute("SELECT url, count(*) FROM deliveries GROUP BY url").fetchall()

    def open_legs(self) -> list[OpenLeg]:
        """Legs that have not ended, in the order of their beginning."""
        rows = self._db.execute(
            "SELECT leg_id, leg_type, app_id, url, secret, started, answered, last "
            "FROM open_legs ORDER BY started, leg_id"
        )
        return [
            OpenLeg(leg_id, leg_type, app_id, WebhookTarget(url, secret) if url else None, *times)
            for leg_id, leg_type, app_id, url, secret, *times in rows
        ]

    # -- inside

    def _transaction(self, work: Callable[[], _T]) -> _T:
        before = (self.high, self.pruned_to, self._unpruned)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            result = work()
            self._db.execute("COMMIT")
        except BaseException:
            self.high, self.pruned_to, self._unpruned = before
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return result

    def _insert(self, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
        start = 0
        for size in _ROWS:
            while len(rows) - start >= size:
                chunk = rows[start : start + size]
                values = ",".join([_marks(len(chunk[0]))] * size)
                self._db.execute(into + values, list(chain.from_iterable(chunk)))
                start += size

    def _forget(self, ended: Sequence[int]) -> None:
        for start in range(0, len(ended), 500):
            chunk = ended[start : start + 500]
            self._delete("deliveries", "cursor", chunk)
            pruned = [cursor for cursor in chunk if cursor <= self.pruned_to]
            self._delete("events", "cursor", pruned)

    def _delete(self, table: str, column: str, keys: Sequence[int] | Sequence[str]) -> None:
        if keys:
            self._db.execute(f"DELETE FROM {table} WHERE {column} IN {_marks(len(keys))}", keys)

    def _prune(self) -> None:
        """Let go of events beyond the replay window, except those still to be delivered."""
        row = self._db.execute(
            "SELECT cursor FROM events WHERE cursor > ? ORDER BY cursor DESC LIMIT 1 OFFSET ?",
            (self.pruned_to, self._replay_events),
        ).fetchone()
        self._unpruned = 0
        if row:
            self._delete_events(self.pruned_to, row[0])
            self.pruned_to = row[0]
            self._set(pruned_to=self.pruned_to)

    def _delete_events(self, after: int, upto: int) -> None:
        self._db.execute(
            "DELETE FROM events WHERE cursor > ? AND cursor <= ? AND NOT EXISTS "
            "(SELECT 1 FROM deliveries d WHERE d.cursor = events.cursor)",
            (after, upto),
        )

    def _meta(self, key: str, default: int) -> int:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else default

    def _set(self, **values: int) -> None:
        self._insert("INSERT OR REPLACE INTO meta VALUES ", list(values.items()))


def _marks(count: int) -> str:
    return "(" + ",".join("?" * count) + ")"


def _delivery(record: Record) -> tuple[Any, ...]:
    assert record.target is not None
    target = record.target
    return record.cursor, target.url, target.secret, record.lane, record.created


def _leg(leg: OpenLeg) -> tuple[Any, ...]:
    url, secret = (leg.target.url, leg.target.secret) if leg.target else (None, None)
    return (
        *(leg.leg_id, leg.leg_type, leg.app_id, url, secret),
        *(leg.started, leg.answered, leg.last),
    )


def _pending(
    cursor: int,
    event_id: str,
    app_id: str | None,
    body: bytes,
    lane: str,
    created: float,
    url: str,
    secret: str | None,
) -> Record:
    return Record(cursor, event_id, app_id, body, lane, created, WebhookTarget(url, secret))
