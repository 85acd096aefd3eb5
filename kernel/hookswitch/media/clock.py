"""The beat of the media path: when the next tick is due, and how late it came.

What has arrived is gathered shortly before the tick, while nobody waits for it: reading a thousand
sockets takes milliseconds, and audio that had to wait for that would be late by as much.
"""

from __future__ import annotations

from hookswitch.mixer.bank import TICK_MS

PERIOD = TICK_MS / 1000
LATE = 0.005
"""A tick that begins this much after its time (seconds) is counted as late."""

HOPELESS = 0.1
"""A clock this far behind (seconds) gives up the missed ticks instead of hurrying through them."""

LEAD_MIN, LEAD_MAX = 0.002, 0.010
"""Bounds of the time (seconds) by which gathering begins before its tick."""


class TickClock:
    """Counts ticks of 20 ms on a monotonic clock that the caller reads."""

    def __init__(self, now: float) -> None:
        self.due = now + PERIOD
        self.ticks = self.late = self.skipped = 0
        self._worst = 0.0
        self._lead = LEAD_MIN

    @property
    def gather_due(self) -> float:
        """When to gather for the next tick."""
        return self.due - self._lead

    def gathered(self, seconds: float) -> None:
        """Gathering took so long: begin early enough for it to be over when the tick is due."""
        wanted = min(max(1.25 * seconds + LEAD_MIN / 2, LEAD_MIN), LEAD_MAX)
        self._lead += (wanted - self._lead) / 8

    def begin(self, now: float) -> bool:
        """A tick begins now; answers whether ticks were given up before it."""
        lateness = now - self.due
        self.ticks += 1
        self.late += lateness > LATE
        self._worst = max(self._worst, lateness)
        self.due += PERIOD
        if lateness <= HOPELESS:
            return False
        missed = int(lateness / PERIOD)
        self.skipped += missed
        self.due += missed * PERIOD
        return True

    def take_worst(self) -> float:
        """The greatest lateness in seconds since the last call."""
        worst, self._worst = self._worst, 0.0
        return worst
