"""The media worker: a process that does nothing but tick and obey."""

from __future__ import annotations

import gc
import os
import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from hookswitch.mixer.options import EngineOptions

from . import link
from .messages import Apply, with_fds
from .runner import EngineRunner

TARGET = "hookswitch.media.worker:main"

NICENESS = -10
"""Priority of media workers; lowering it takes root or CAP_SYS_NICE."""

MAX_UNSENT = 1000
"""Reports kept for a control process that does not read; older ones are dropped."""


@dataclass(frozen=True, slots=True)
class Begin:
    """First message to a media worker; the descriptor with it is signalled after ticks."""

    options: EngineOptions
    banks: tuple[str, ...] = ()


class MediaWorker:
    """The worker's loop between its link and its clock."""

    def __init__(self, end: socket.socket, begin: Begin, tick_fd: int) -> None:
        self._end = end
        self._tick_fd = tick_fd
        self._runner = EngineRunner(self._notify, begin.options, begin.banks)
        self._unsent: list[object] = []

    def run(self) -> None:
        """Tick and obey until the link closes."""
        try:
            while True:
                self._wait_for_tick()
                self._send(self._runner.tick())
        except link.LinkClosed:
            self._runner.shutdown()

    def _wait_for_tick(self) -> None:
        """Obey until the next tick is due, gathering on the way if there is time for it."""
        runner = self._runner
        if runner.clock.gather_due > time.monotonic():
            self._obey_until(runner.clock.gather_due)
            runner.gather()
        self._obey_until(runner.clock.due)

    def _obey_until(self, due: float) -> None:
        """Obey until a time has come, and look for orders at least once."""
        while True:
            left = due - time.monotonic()
            if select.select([self._end], [], [], max(left, 0.0))[0]:
                self._obey()
            if due <= time.monotonic():
                return

    def _obey(self) -> None:
        message, fds = link.receive(self._end)
        if isinstance(message, Apply):
            request = Apply(message.id, with_fds(message.batch, fds))
            self._send(self._runner.apply(request))

    def _send(self, messages: Sequence[object]) -> None:
        self._unsent.extend(messages)
        while self._unsent:
            try:
                link.send(self._end, self._unsent[0])
            except BlockingIOError:
                del self._unsent[:-MAX_UNSENT]
                return
            del self._unsent[0]

    def _notify(self) -> None:
        os.eventfd_write(self._tick_fd, 1)


def main(end: socket.socket) -> None:
    """Run a media worker on its end of the link."""
    select.select([end], [], [])
    begin, fds = link.receive(end)
    # Audio before everything else, where the system lets us: lateness here is heard.
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    # Nothing here makes cycles in a tick; a collection in one would only make it late.
    gc.freeze()
    gc.disable()
    MediaWorker(end, begin, fds[0]).run()
