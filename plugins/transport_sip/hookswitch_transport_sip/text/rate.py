"""How fast the peer can take text (``cps`` of RFC 4103 section 6)."""

from __future__ import annotations

from collections import deque

WINDOW_S = 10.0
"""The rate is a mean over any ten seconds."""


class CharacterRate:
    """Keeps count of what was sent in the last ten seconds."""

    def __init__(self, cps: int) -> None:
        self.cps = cps
        self._sent: deque[tuple[float, int]] = deque()
        self._total = 0

    def allowed(self, now: float) -> int:
        """Characters that may be sent now."""
        while self._sent and self._sent[0][0] <= now - WINDOW_S:
            self._total -= self._sent.popleft()[1]
        return max(int(self.cps * WINDOW_S) - self._total, 0)

    def spend(self, count: int, now: float) -> None:
        """These were sent."""
        self._sent.append((now, count))
        self._total += count
