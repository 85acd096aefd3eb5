"""Worker processes: started, fed, watched and started again.

The kernel's own kind is the media worker; a plugin may declare others (`WorkerSpec`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from . import link

log = logging.getLogger(__name__)

SILENCE_LIMIT = 5.0
"""A worker that says nothing for this many seconds hangs, and is killed."""

STABLE_AFTER = 10.0
"""A worker that lived this many seconds is restarted at once; one that dies young, ever later."""

LONGEST_PAUSE = 5.0

_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""Memory in pages of 2 MiB where the system allows it. A tick goes once through what all ports
hold, some MiB in small pieces; with small pages, looking these up takes a tenth of the time."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """A kind of worker: ``target`` is the ``module:function`` it runs, called with its link.

    Workers must say something at least every `SILENCE_LIMIT` seconds unless ``chatty`` is false.
    """

    name: str
    target: str
    chatty: bool = True


class Worker:
    """One supervised worker process. All methods belong to the event loop's thread.

    ``on_start`` is called with each new process, before anything else is sent to it; ``on_message``
    with what it says; ``on_death`` when it died unbidden.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        *,
        on_start: Callable[[], None],
        on_message: Callable[[Any, list[int]], None],
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self._on_start, self._on_message, self._on_death = on_start, on_message, on_death
        self._loop = asyncio.get_running_loop()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Any = None
        self._unsent: deque[tuple[Any, list[int]]] = deque()
        self._started_at = self._heard_at = 0.0
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process id, or None between two lives."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process."""
        ours, theirs = link.pair()
        # Each worker computes on one core; BLAS threads would only fight for it.
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hookswitch.media.process", self.spec.target,
                 str(theirs.fileno()), str(logging.root.level)],
                pass_fds=[theirs.fileno()],
                env={**_MEMORY, **os.environ, **threads},
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._end = ours
        self._started_at = self._heard_at = time.monotonic()
        self._loop.add_reader(ours.fileno(), self._read)
        self._on_start()
        self._watch()

    def send(self, message: Any, fds: Sequence[int] = ()) -> None:
        """Queue a message. Descriptors stay the caller's, who may close them at once.

        Raises OSError when one of them is closed already.
        """
        if self._end is None:
            return
        self._unsent.append((message, _duplicated(fds)))
        if len(self._unsent) == 1:
            self._flush()

    async def stop(self) -> None:
        """Hang up, wait for the process to end, and kill it if it does not."""
        self._stopping = True
        if self._timer:
            self._timer.cancel()
        self._hang_up()
        if self._process is not None:
            await asyncio.to_thread(self._reap)

    def _reap(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _flush(self) -> None:
        try:
            while self._unsent:
                link.send(self._end, *self._unsent[0])
                _close_all(self._unsent.popleft()[1])
        except BlockingIOError:
            self._loop.add_writer(self._end.fileno(), self._flush)
        except link.LinkClosed:
            self._forget_unsent()  # the reader sees the end of the link too, and restarts
        else:
            self._loop.remove_writer(self._end.fileno())

    def _read(self) -> None:
        try:
            while self._end is not None:
                message, fds = link.receive(self._end)
                self._heard_at = time.monotonic()
                self._on_message(message, fds)
        except BlockingIOError:
            return
        except link.LinkClosed:
            self._died()

    def _watch(self) -> None:
        if self.spec.chatty and time.monotonic() - self._heard_at > SILENCE_LIMIT:
            log.error("worker %s (pid %s) is silent: killed", self.spec.name, self.pid)
            if self._process:
                self._process.kill()
        self._timer = self._loop.call_later(1.0, self._watch)

    def _died(self) -> None:
        self._hang_up()
        if self._timer:
            self._timer.cancel()
        if self._stopping:
            return
        assert self._process is not None
        self._process.kill()
        status = self._process.wait()
        self._process = None
        log.error("worker %s died (status %s); starting it again", self.spec.name, status)
        self.restarts += 1
        self._on_death()
        young = time.monotonic() - self._started_at < STABLE_AFTER
        self._failures = self._failures + 1 if young else 0
        pause = min(0.05 * 2**self._failures, LONGEST_PAUSE) if self._failures > 1 else 0.0
        self._timer = self._loop.call_later(pause, self.start)

    def _hang_up(self) -> None:
        if self._end is not None:
            self._loop.remove_reader(self._end.fileno())
            self._loop.remove_writer(self._end.fileno())
            self._end.close()
            self._end = None
        self._forget_unsent()

    def _forget_unsent(self) -> None:
        for _, fds in self._unsent:
            _close_all(fds)
        self._unsent.clear()


def _duplicated(fds: Sequence[int]) -> list[int]:
    copies: list[int] = []
    try:
        for fd in fds:
            copies.append(os.dup(fd))
    except OSError:
        _close_all(copies)
        raise
    return copies


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
