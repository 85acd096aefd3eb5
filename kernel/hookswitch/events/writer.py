"""The thread that owns the event store.

Whatever was put since the last round becomes one transaction; then the calls of that round run.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from hookswitch.events.archive import Archive
from hookswitch.events.record import Record


class Writer:
    """`put` and `call` are for other threads; ``committed`` is called in the writer's thread."""

    def __init__(
        self, archive: Archive, committed: Callable[[Sequence[Record]], None], *, linger: float
    ) -> None:
        self._archive = archive
        self._committed = committed
        self._linger = linger
        self._puts: deque[Record | int] = deque()
        self._calls: deque[Callable[[Archive], None]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="event-store", daemon=True)
        self._thread.start()

    def put(self, item: Record | int) -> None:
        """Write an event, or (a cursor) forget a delivery that ended. Never blocks."""
        self._puts.append(item)
        if not self._wake.is_set():
            self._wake.set()

    def call(self, work: Callable[[Archive], None]) -> None:
        """Run ``work`` in the thread after all that was put before."""
        self._calls.append(work)
        self._wake.set()

    def stop(self) -> None:
        """Write what there is and close the file; blocks until that is done."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._timeout())
            self._round()
            # An idle server commits at once; a busy one gathers a batch meanwhile.
            time.sleep(self._linger)
        self._round()
        self._archive.close(time.monotonic())

    def _timeout(self) -> float | None:
        retry_at = self._archive.retry_at
        return None if retry_at is None else max(0.0, retry_at - time.monotonic())

    def _round(self) -> None:
        self._wake.clear()
        # Calls first: one made after a put must not run in a round that missed that put.
        calls = [self._calls.popleft() for _ in range(len(self._calls))]
        items = [self._puts.popleft() for _ in range(len(self._puts))]
        records = [item for item in items if isinstance(item, Record)]
        ended = [item for item in items if isinstance(item, int)]
        self._archive.write(records, ended, time.monotonic())
        if records:
            self._committed(records)
        for work in calls:
            work(self._archive)
