"""One lane: the events about one leg (or room) for one receiver, strictly one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from hookswitch.events.record import Record

HELD_PER_LANE = 16
"""Events of a lane kept in memory; the others are read from the store when it is their turn."""


class Lane:
    """``last`` is the highest cursor that was taken into the queue, ``newest`` the highest that
    is known to exist: what lies between is in the store only."""

    __slots__ = ("attempts", "busy", "epoch", "key", "last", "newest", "queue", "ready_at")

    def __init__(self, key: str, *, last: int) -> None:
        self.key = key
        self.queue: deque[Record] = deque()
        self.last = self.newest = last
        self.attempts = 0
        self.epoch = 0
        self.ready_at = 0.0
        self.busy = False

    @property
    def more(self) -> bool:
        """Whether the store has events of this lane that the queue has not."""
        return self.newest > self.last

    @property
    def empty(self) -> bool:
        return not self.queue and not self.more

    def offer(self, record: Record, *, hold: bool) -> bool:
        """A new event of this lane; says whether it was taken into the queue."""
        taken = hold and not self.more and len(self.queue) < HELD_PER_LANE
        self.newest = record.cursor
        if taken:
            self.queue.append(record)
            self.last = record.cursor
        return taken

    def load(self, records: Sequence[Record], upto: int) -> None:
        """Take what the store had; up to ``upto`` there is nothing else."""
        self.queue.extend(records)
        self.last = max(self.last, upto, records[-1].cursor if records else 0)
        self.newest = max(self.newest, self.last)

    def forget(self, upto: int) -> int:
        """Drop waiting events up to a cursor; the one under way stays. How many left memory."""
        before = len(self.queue)
        under_way = self.queue.popleft() if self.busy and self.queue else None
        while self.queue and self.queue[0].cursor <= upto:
            self.queue.popleft()
        if under_way:
            self.queue.appendleft(under_way)
        self.last = max(self.last, min(upto, self.newest))
        return before - len(self.queue)
