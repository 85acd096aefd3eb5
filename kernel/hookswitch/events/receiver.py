"""One webhook receiver: which of its lanes may be served when. No I/O; time is an argument.

While the receiver answers, up to ``concurrency`` lanes are served at once, each event of a lane
after the former; a lane whose event failed waits for its own back-off. The receiver counts as
*down* when it cannot be reached, or when several lanes failed and none succeeded since: then one
lane at a time probes it, with growing pauses and a different lane each time (so that one bad
event cannot keep it down), until one succeeds and all are released.

Memory is bounded: `max_lanes` lanes and `max_held` events are held; beyond that events stay in
the store. ``scanned`` is the cursor up to which every pending event belongs to a lane held here;
`on_disk` says that there are others after it, to be found by a scan.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence

from hookswitch.events.backoff import BackOff
from hookswitch.events.lane import HELD_PER_LANE, Lane
from hookswitch.events.outcome import Outcome
from hookswitch.events.record import Record

FAILING_LANES = 3
"""So many lanes failing in a row, without a success, mean that the receiver is down."""


class Receiver:
    """The lanes of one URL."""

    def __init__(
        self,
        url: str,
        *,
        backoff: BackOff,
        concurrency: int = 16,
        max_lanes: int = 1000,
        max_held: int = 1000,
        pending: int = 0,
    ) -> None:
        self.url = url
        self.pending = pending
        self.counted = 0
        self.lanes: dict[str, Lane] = {}
        self.held = 0
        self.scanned = 0
        self.skipped = 1 if pending else 0
        self._backoff = backoff
        self._concurrency = concurrency
        self._max_lanes = max_lanes
        self._max_held = max_held
        self._ready: deque[Lane] = deque()
        self._waiting: list[tuple[float, str, Lane]] = []
        self._busy = 0
        self._failing: set[str] = set()
        self._level = 0
        self._epoch = 0
        self._resume_at: float | None = None

    @property
    def room(self) -> int:
        """How many events of a lane may be read from the store."""
        return HELD_PER_LANE if self.held < self._max_held else 1

    @property
    def down(self) -> bool:
        return self._resume_at is not None

    @property
    def on_disk(self) -> bool:
        return self.skipped > self.scanned

    @property
    def wants_scan(self) -> bool:
        """Whether there is something on disk, and room for its lanes."""
        return self.on_disk and len(self.lanes) <= self._max_lanes // 2

    @property
    def idle(self) -> bool:
        return not self.lanes and not self.on_disk

    # -- events come in

    def offer(self, record: Record) -> None:
        """A new event was stored for this receiver."""
        self.pending += 1
        lane = self.lanes.get(record.lane)
        if lane is None:
            if self.on_disk or len(self.lanes) >= self._max_lanes:
                self._skip(record.cursor)
                return
            lane = self._add(record.lane, last=record.cursor - 1)
        # While something is on disk it may be of this very lane, and before this event.
        hold = self.held < self._max_held and not self.on_disk
        self.held += lane.offer(record, hold=hold)

    def scan(self, rows: Sequence[tuple[int, str]], upto: int) -> None:
        """Cursor and lane of stored events after ``scanned``; up to ``upto`` there are no others.

        Events skipped meanwhile are beyond ``upto``, for the next scan.
        """
        for cursor, key in rows:
            lane = self.lanes.get(key)
            if lane is None:
                if len(self.lanes) >= self._max_lanes:
                    return
                lane = self._add(key, last=cursor - 1)
            lane.newest = max(lane.newest, cursor)
            self.scanned = cursor
        self.scanned = max(self.scanned, upto)

    def _skip(self, cursor: int) -> None:
        if not self.on_disk:
            self.scanned = cursor - 1
        self.skipped = cursor

    def _add(self, key: str, *, last: int) -> Lane:
        lane = self.lanes[key] = Lane(key, last=last)
        self._ready.append(lane)
        return lane

    # -- lanes are served

    def take(self, now: float) -> Lane | None:
        """The lane whose next event is to be posted now, if any."""
        if self._busy >= self._allowed(now):
            return None
        self._wake(now)
        lane = self._next(probing=self.down)
        if lane:
            self._busy += 1
            lane.busy = True
            lane.epoch = self._epoch
        return lane

    def next_timer(self) -> float | None:
        """When `take` should be asked again although nothing else happened."""
        if not (self._ready or self._waiting):
            return None
        if self._resume_at is not None:
            return None if self._busy else self._resume_at
        return self._waiting[0][0] if self._waiting else None

    def loaded(self, lane: Lane, records: Sequence[Record], upto: int) -> None:
        """The store's next events of a lane; up to ``upto`` it has no others."""
        lane.load(records, upto)
        self.held += len(records)

    def nothing(self, lane: Lane) -> None:
        """A lane that was taken has nothing to post after all."""
        self._release(lane)
        self._settle(lane)

    def ended(self, lane: Lane, record: Record) -> None:
        """The event under way was delivered, or given up for good: the lane may go on."""
        lane.attempts = 0
        lane.queue.popleft()
        self.held -= 1
        self.pending -= 1
        self._release(lane)
        self._settle(lane)
        self._up()

    def failed(self, lane: Lane, outcome: Outcome, now: float) -> None:
        """The event under way is to be tried again."""
        lane.attempts += 1
        self._release(lane)
        pause = max(self._backoff.delay(lane.attempts), outcome.retry_after or 0.0)
        lane.ready_at = now + pause
        heapq.heappush(self._waiting, (lane.ready_at, lane.key, lane))
        if len(self._failing) < FAILING_LANES:
            self._failing.add(lane.key)
        # Attempts begun before the receiver was found down tell nothing new.
        news = lane.epoch == self._epoch
        if news and (outcome.unreachable or len(self._failing) >= FAILING_LANES):
            self._pause(now, outcome.retry_after or 0.0)

    def forget(self, count: int, upto: int) -> None:
        """``count`` stored events were given up, all there was up to a cursor."""
        self.pending -= count
        self.scanned = max(self.scanned, min(upto, self.skipped))
        for lane in list(self.lanes.values()):
            self.held -= lane.forget(upto)

    # -- inside

    def _allowed(self, now: float) -> int:
        if self._resume_at is None:
            return self._concurrency
        return 1 if now >= self._resume_at else 0

    def _wake(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.append(heapq.heappop(self._waiting)[2])

    def _next(self, *, probing: bool) -> Lane | None:
        while self._ready or (probing and self._waiting):
            lane = self._ready.popleft() if self._ready else heapq.heappop(self._waiting)[2]
            if not lane.empty:
                return lane
            del self.lanes[lane.key]
        return None

    def _release(self, lane: Lane) -> None:
        lane.busy = False
        self._busy -= 1

    def _settle(self, lane: Lane) -> None:
        if lane.empty:
            del self.lanes[lane.key]
        else:
            self._ready.append(lane)

    def _pause(self, now: float, at_least: float) -> None:
        self._level += 1
        self._epoch += 1
        self._resume_at = now + max(self._backoff.delay(self._level), at_least)

    def _up(self) -> None:
        self._failing.clear()
        # After a real outage nobody waits for a back-off of that time; after a single failure
        # (perhaps of one bad event) its lane does.
        if self._level > 1:
            self._wake(float("inf"))
        self._level = 0
        self._resume_at = None
