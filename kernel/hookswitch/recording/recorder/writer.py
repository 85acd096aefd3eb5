"""The thread that writes to the disk, so that the loop never waits for one.

It does one thing after the other, in the order they were put. What waits is bounded: when the disk
is so slow that `LIMIT` bytes of samples wait, the loop lets later samples go (silence in the files,
counted as lost) until there is room again; the files keep their time, and all recordings go on.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from .mailbox import Mailbox

LIMIT = 256 << 20
"""Bytes of samples that may wait: some 8 seconds of 500 stereo recordings at 16 kHz."""

_T = TypeVar("_T")


class Writer:
    """All methods are for the loop's thread; ``then`` is called there too."""

    def __init__(self, mailbox: Mailbox, limit: int = LIMIT) -> None:
        self._mailbox = mailbox
        self._limit = limit
        self._waiting = 0
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder-writer", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether no more samples should be put."""
        return self._waiting >= self._limit

    def put(
        self, work: Callable[[], _T], then: Callable[[_T], None] | None = None, size: int = 0
    ) -> None:
        """Have something done that raises nothing; ``size``: bytes of samples it holds."""
        self._waiting += size

        def done(result: _T) -> None:
            self._waiting -= size
            if then is not None:
                then(result)

        def run() -> None:
            result = work()
            self._mailbox.post(lambda: done(result))

        self._work.put(run)

    def finish(self, within: float) -> None:
        """Do what was put, then end; waits so many seconds for that."""
        self._work.put(None)
        self._thread.join(within)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
