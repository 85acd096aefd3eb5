"""A request to stop that also interrupts what blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import Stopped


class Stop:
    """Asked for by one thread, obeyed by another: the one thing both hold of a playback."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._interrupts: list[Callable[[], object]] = []

    @property
    def asked(self) -> bool:
        """Whether it was asked for."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Ask for it: whoever waits wakes, whatever was registered is called, in this thread."""
        with self._lock:
            self._asked.set()
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            interrupt()

    def check(self) -> None:
        """Raise Stopped if it was asked for."""
        if self.asked:
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Sleep. Raises Stopped as soon as that is asked for."""
        if self._asked.wait(seconds):
            raise Stopped

    @contextmanager
    def interrupting(self, interrupt: Callable[[], object]) -> Iterator[None]:
        """Have ``interrupt`` called if it is asked for within the block; raises Stopped if it was.

        It may be called a moment after the block was left.
        """
        with self._lock:
            self.check()
            self._interrupts.append(interrupt)
        try:
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)
