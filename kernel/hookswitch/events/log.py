"""The durable, ordered log of all events: appended to on the event loop, written by a thread.

An event gets its cursor when it is emitted. It becomes visible (to webhooks, streams, observers)
when the transaction holding it and its webhook delivery has been committed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from hookswitch.events.archive import Archive, ArchiveOptions, Leftover, Page
from hookswitch.events.counters import EventCounters
from hookswitch.events.record import Record
from hookswitch.events.writer import Writer

_T = TypeVar("_T")

Committed = Callable[[Sequence[Record]], None]


class EventLog:
    """Events on disk. All methods are for the event loop's thread.

    ``linger`` is how long a busy server gathers events for one transaction, in seconds;
    `ArchiveOptions` explains the rest. The path ``:memory:`` keeps nothing across restarts.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        replay_events: int = 10_000,
        fsync: bool = False,
        retry_every: float = 1.0,
        memory_limit: int = 10_000,
        linger: float = 0.002,
        counters: EventCounters | None = None,
    ) -> None:
        self.counters = counters or EventCounters()
        self._options = ArchiveOptions(str(path), replay_events, fsync, retry_every, memory_limit)
        self._linger = linger
        self._writer: Writer | None = None
        self._given = self._newest = 0

    def open(self, committed: Committed) -> Leftover:
        """Open the file and start the thread; tells what an earlier run left in it.

        ``committed`` gets each batch, on the loop. Raises EventStoreError when the file cannot be
        used or another server uses it.
        """
        self._loop = asyncio.get_running_loop()
        archive = Archive(self._options, self.counters)
        left = archive.leftover()
        self._given = self._newest = archive.high

        def in_loop(records: Sequence[Record]) -> None:
            self._newest = records[-1].cursor
            committed(records)

        self._writer = Writer(archive, lambda r: self._post(in_loop, r), linger=self._linger)
        return left

    @property
    def newest(self) -> int:
        """The highest cursor that is visible."""
        return self._newest

    def next_cursor(self) -> int:
        """Give out a cursor; it must be appended before another is asked for."""
        self._given += 1
        return self._given

    def append(self, record: Record) -> None:
        """Have an event and its delivery written, soon. Never blocks."""
        self._opened().put(record)

    def ended(self, cursor: int) -> None:
        """A delivery succeeded or was given up: forget it."""
        self._opened().put(cursor)

    async def page(self, after: int, limit: int) -> Page:
        """Events after a cursor, for replay."""
        return await self._call(lambda archive: archive.page(after, limit))

    async def lane(self, url: str, lane: str, after: int, limit: int) -> list[Record]:
        """Pending deliveries of one lane after a cursor, oldest first."""
        return await self._call(lambda archive: archive.lane(url, lane, after, limit))

    async def lanes(self, url: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Cursor and lane of pending deliveries to ``url`` after a cursor, oldest first."""
        return await self._call(lambda archive: archive.lanes(url, after, limit))

    async def expire(self, url: str, before: float) -> tuple[int, int]:
        """Forget some deliveries to ``url`` created before then: how many, up to which cursor."""
        return await self._call(lambda archive: archive.expire(url, before))

    async def flush(self) -> None:
        """Return when all that was appended is visible."""
        await self._call(lambda archive: None)

    async def close(self) -> None:
        """Write what there is, make it visible, close the file."""
        if self._writer is None:
            return
        await self.flush()
        writer, self._writer = self._writer, None
        writer.stop()

    def _opened(self) -> Writer:
        if self._writer is None:
            raise RuntimeError("the event log is not open")
        return self._writer

    async def _call(self, work: Callable[[Archive], _T]) -> _T:
        future: asyncio.Future[_T] = self._loop.create_future()

        def resolve(result: _T | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # None only with an error

        def run(archive: Archive) -> None:
            try:
                self._post(resolve, work(archive), None)
            except Exception as error:
                self._post(resolve, None, error)

        self._opened().call(run)
        return await future

    def _post(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            # The loop ended without closing the log; there is nobody to tell.
            return
