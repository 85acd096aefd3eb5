"""How playout fared, over all ports whose audio comes in real time, since the start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

COUNTERS = ("underruns", "concealed", "dropped", "repeated")
"""As in `hookswitch.mixer.playout.Playout`; all but underruns are frames of 20 ms."""


class PlayoutTotals:
    """Sums of what ports report of themselves, each from its opening on.

    A port that is opened again counts from zero again. After the death of a worker nobody says so;
    it is seen by a count that is less than the last.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._last: dict[str, Mapping[str, int]] = {}

    def opened(self, port: str) -> None:
        """The port counts from zero."""
        self._last[port] = dict.fromkeys(COUNTERS, 0)

    def reopened(self, port: str) -> None:
        """The port is closed and comes again, maybe elsewhere."""
        if port in self._last:
            self.opened(port)

    def forget(self, port: str) -> None:
        """The port is closed for good."""
        self._last.pop(port, None)

    def add(self, port: str, stats: Mapping[str, Any]) -> None:
        """A port's report; of ports that were never opened here nothing is counted."""
        if port not in self._last or COUNTERS[0] not in stats:
            return  # it has decoded nothing yet
        before, now = self._last[port], {name: int(stats[name]) for name in COUNTERS}
        anew = any(now[name] < before[name] for name in COUNTERS)
        for name in COUNTERS:
            self.counts[name] += now[name] - (0 if anew else before[name])
        self._last[port] = now
