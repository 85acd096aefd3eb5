"""Whether recordings keep up with the clock, many at once.

A recording's time is its mixer's: 20 ms per tick. Ticks are lost when a media worker dies, or gives
them up because it is too late; no samples come for them, and silence must take their place.

A counter of samples lags behind the clock by up to a frame and the lateness of one tick, since it
grows in steps. The best observation, until something is padded, says where the clock's zero is; the
*least* lag of a second is what was truly lost. A lag too long to be lateness is padded at once, so
that silence stands where the ticks are missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STALLED = 0.2
"""Seconds behind that no late tick explains: the clock gives ticks up after 0.1."""

LATE = 0.1
"""Seconds of a stall that are left to the slower judgement: a tick may yet come."""

PERSISTENT = 0.02
"""Seconds behind, for all observations of a window, that are padded;"""

UNSEEN = 0.005
"""seconds of them that may be due to when it was looked."""

WINDOW = 0.8
"""Seconds in a window,"""

SEEN = 3
"""and the least number of observations in it."""


class Drift:
    """The clocks of up to ``capacity`` recordings, by row."""

    def __init__(self, capacity: int) -> None:
        self.zero: Floats = np.full(capacity, np.nan)
        """When (monotonic seconds) sample 0 would have been; NaN until something was heard."""
        self._learns = np.ones(capacity, bool)
        self._least = np.full(capacity, np.inf)
        self._seen = np.zeros(capacity, np.int64)
        self._since = np.full(capacity, np.nan)

    def begin(self, row: int, capacity: int, zero: float | None = None) -> None:
        """A recording begins in this row of ``capacity``, or goes on with a known zero."""
        self._grow(capacity - len(self.zero))
        self.zero[row] = np.nan if zero is None else zero
        self._learns[row] = zero is None
        self._restart(np.array([row]))

    def observe(
        self, rows: NDArray[np.intp], counters: Ints, rates: Ints, before: float, after: float
    ) -> Ints:
        """Samples to be padded.

        ``counters``: samples heard and padded, read between the times ``before`` and ``after``.
        """
        played = counters / rates
        learnt = np.fmin(self.zero[rows], after - played)
        zero = np.where((counters > 0) & self._learns[rows], learnt, self.zero[rows])
        lag = np.where(np.isnan(zero), 0.0, before - zero - played)
        self.zero[rows] = zero
        self._least[rows] = np.minimum(self._least[rows], lag)
        self._seen[rows] += 1
        self._since[rows] = np.fmin(self._since[rows], before)
        stalled = lag > STALLED
        whole = (self._seen[rows] >= SEEN) & (before - self._since[rows] >= WINDOW)
        lost = np.where(whole & (self._least[rows] >= PERSISTENT), self._least[rows] - UNSEEN, 0.0)
        lost = np.where(stalled, np.maximum(lag - LATE, lost), lost)
        self._learns[rows] &= lost == 0
        self._restart(rows[whole | stalled])
        samples: Ints = (lost * rates).astype(np.int64)
        return samples

    def _restart(self, rows: NDArray[np.intp]) -> None:
        self._least[rows] = np.inf
        self._seen[rows] = 0
        self._since[rows] = np.nan

    def _grow(self, more: int) -> None:
        if more > 0:
            self.zero = np.concatenate([self.zero, np.full(more, np.nan)])
            self._learns = np.concatenate([self._learns, np.ones(more, bool)])
            self._least = np.concatenate([self._least, np.full(more, np.inf)])
            self._seen = np.concatenate([self._seen, np.zeros(more, np.int64)])
            self._since = np.concatenate([self._since, np.full(more, np.nan)])
