"""Points in time at which something of ours happens."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count


class Alarm:
    """One appointment, which can be called off."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[float], None]) -> None:
        self.action: Callable[[float], None] | None = action

    def cancel(self) -> None:
        """Call it off; harmless when it is over."""
        self.action = None


class Alarms:
    """A heap of appointments."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._order = count()

    def set(self, when: float, action: Callable[[float], None]) -> Alarm:
        """Have `action(now)` called at that time."""
        alarm = Alarm(action)
        heapq.heappush(self._heap, (when, next(self._order), alarm))
        return alarm

    def next_timer(self) -> float | None:
        """Return when `handle_timer` must be called."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        while (when := self.next_timer()) is not None and when <= now:
            alarm = heapq.heappop(self._heap)[2]
            action, alarm.action = alarm.action, None
            if action is not None:
                action(now)
