"""How the recorder's threads tell its loop what they have done."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable


class Mailbox:
    """Work for the loop's thread, put in by any thread; readable (`fileno`) when there is some."""

    def __init__(self) -> None:
        self._left: deque[Callable[[], None]] = deque()
        self._signal = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self._signal

    def post(self, work: Callable[[], None]) -> None:
        """Have the loop do this; never blocks."""
        self._left.append(work)
        os.eventfd_write(self._signal, 1)

    def empty(self) -> None:
        """Do what was posted, in order. For the loop's thread."""
        try:
            os.eventfd_read(self._signal)
        except BlockingIOError:
            return
        while self._left:
            self._left.popleft()()
