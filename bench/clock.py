"""Time, which is what a measurement waits for: beats of a load, spans that are measured."""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_S = 0.02


class Beat:
    """A clock that is due every so many seconds, however long the work in between took."""

    def __init__(self, period: float = TICK_S) -> None:
        self._period = period
        self._due = time.monotonic()

    def wait(self) -> float:
        """Sleep until the next beat is due; answers by how many seconds that came late."""
        self._due += self._period
        time.sleep(max(self._due - time.monotonic(), 0))  # this is the clock itself
        return time.monotonic() - self._due

    def skip(self) -> None:
        """Give up the beats that were missed."""
        self._due = time.monotonic()


def let_pass(seconds: float) -> None:
    """A warm-up, or the span that is measured: no event ends it but its time."""
    time.sleep(seconds)


def until(condition: Callable[[], bool], within: float, what: str) -> None:
    """Wait for something another program does without telling. Raises RuntimeError in the end."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {within:g} s")
        time.sleep(0.05)  # between two looks, since nobody tells
