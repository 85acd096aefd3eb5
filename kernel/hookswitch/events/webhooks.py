"""Delivery of events to webhooks: in order per lane, again and again until it succeeds.

`Receiver` decides, this does the I/O. What is delivered or given up is forgotten by the log;
anything else is found again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from hookswitch.events.backoff import BackOff
from hookswitch.events.lane import Lane
from hookswitch.events.log import EventLog
from hookswitch.events.outcome import Outcome
from hookswitch.events.posting import HttpPoster, Poster
from hookswitch.events.receiver import Receiver
from hookswitch.events.record import Record

logger = logging.getLogger(__name__)

SCAN = 1000
"""Rows per look into the store for lanes that are not held in memory."""


class Webhooks:
    """All receivers. ``max_age`` is how many seconds an event is tried for."""

    def __init__(
        self,
        log: EventLog,
        *,
        poster: Poster | None = None,
        backoff: BackOff | None = None,
        concurrency: int = 16,
        max_age: float = 24 * 3600.0,
        max_lanes: int = 1000,
        max_held: int = 1000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log = log
        self._counters = log.counters
        self._poster = poster or HttpPoster()
        self._limits: dict[str, Any] = {
            "backoff": backoff or BackOff(),
            "concurrency": concurrency,
            "max_lanes": max_lanes,
            "max_held": max_held,
        }
        self._max_age = max_age
        self._clock = clock
        self._receivers: dict[str, Receiver] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._scanning: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def start(self, undelivered: Sequence[tuple[str, int]]) -> None:
        """Take up what an earlier run of the server left: urls, with their number of events."""
        for url, count in undelivered:
            receiver = self._receivers[url] = Receiver(url, pending=count, **self._limits)
            self._pump(receiver)

    def offer(self, records: Sequence[Record]) -> None:
        """Deliver events that were stored; those without a target are none of our business."""
        touched = {}
        for record in records:
            if record.target:
                receiver = self._receiver(record.target.url)
                receiver.offer(record)
                touched[receiver.url] = receiver
        for receiver in touched.values():
            self._pump(receiver)

    async def close(self, grace: float = 2.0) -> None:
        """Start nothing new, let what is under way end for ``grace`` seconds."""
        self._closing = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._poster.close()

    def _receiver(self, url: str) -> Receiver:
        if url not in self._receivers:
            self._receivers[url] = Receiver(url, **self._limits)
        return self._receivers[url]

    def _pump(self, receiver: Receiver) -> None:
        """Start all that may start now, and come back when more may."""
        if self._closing:
            return
        while lane := receiver.take(asyncio.get_running_loop().time()):
            self._spawn(self._serve(receiver, lane))
        if receiver.wants_scan and receiver.url not in self._scanning:
            self._scanning.add(receiver.url)
            self._spawn(self._scan(receiver))
        self._arm(receiver)
        if receiver.idle:
            receiver.pending = 0
            self._receivers.pop(receiver.url, None)
        self._counters.webhooks_pending += receiver.pending - receiver.counted
        receiver.counted = receiver.pending

    def _arm(self, receiver: Receiver) -> None:
        at, timer = receiver.next_timer(), self._timers.get(receiver.url)
        if timer and timer.when() == at:
            return
        if timer:
            timer.cancel()
            del self._timers[receiver.url]
        if at is not None:
            self._timers[receiver.url] = asyncio.get_running_loop().call_at(
                at, self._expired, receiver
            )

    def _expired(self, receiver: Receiver) -> None:
        self._timers.pop(receiver.url, None)
        self._pump(receiver)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, receiver: Receiver, lane: Lane) -> None:
        """Post the lane's next event, once."""
        if not lane.queue:
            await self._load(receiver, lane)
        if lane.queue:
            record = lane.queue[0]
            self._settle(receiver, lane, record, await self._poster.post(record))
            if lane.attempts:
                await self._expire(receiver)
        else:
            receiver.nothing(lane)
        self._pump(receiver)

    def _settle(self, receiver: Receiver, lane: Lane, record: Record, outcome: Outcome) -> None:
        if not (outcome.delivered or outcome.final):
            self._counters.webhooks_retried += 1
            if not receiver.down:
                logger.warning("webhook %s: %s; trying again", _where(receiver.url), outcome)
            receiver.failed(lane, outcome, asyncio.get_running_loop().time())
            return
        if outcome.delivered:
            self._counters.webhooks_delivered += 1
            if receiver.down:
                logger.info("webhook %s: answers again", _where(receiver.url))
        else:
            self._gave_up(receiver, 1, str(outcome))
        self._log.ended(record.cursor)
        receiver.ended(lane, record)

    async def _expire(self, receiver: Receiver) -> None:
        """After a failure, give up what has been tried for too long."""
        total, before = 0, self._clock() - self._max_age
        while True:
            count, upto = await self._log.expire(receiver.url, before)
            if not count:
                break
            receiver.forget(count, upto)
            total += count
        if total:
            self._gave_up(receiver, total, f"not delivered in {self._max_age:g} s")

    def _gave_up(self, receiver: Receiver, count: int, why: str) -> None:
        self._counters.webhooks_gave_up += count
        logger.error("webhook %s: gave up %d events: %s", _where(receiver.url), count, why)

    async def _load(self, receiver: Receiver, lane: Lane) -> None:
        # Events offered while the store is read are beyond this, and found the next time.
        known, limit = lane.newest, receiver.room
        records = await self._log.lane(receiver.url, lane.key, lane.last, limit)
        receiver.loaded(lane, records, known if len(records) < limit else 0)

    async def _scan(self, receiver: Receiver) -> None:
        known = receiver.skipped
        rows = await self._log.lanes(receiver.url, receiver.scanned, SCAN)
        receiver.scan(rows, known if len(rows) < SCAN else 0)
        self._scanning.discard(receiver.url)
        self._pump(receiver)


def _where(url: str) -> str:
    """A URL without what may be secret in it: its query and its user."""
    base = url.partition("?")[0]
    scheme, sep, rest = base.partition("://")
    return f"{scheme}{sep}{rest.rpartition('@')[2]}"
