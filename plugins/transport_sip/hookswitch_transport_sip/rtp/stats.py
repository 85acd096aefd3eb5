"""Reception and transmission counters by slot: interarrival jitter, octets, report intervals.

The jitter is RFC 3550 appendix A.8. Sequence numbers and losses are `sequences.Sequences`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sequences import Sequences

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]


LONGEST_STEP_S = 0.5
"""Packets further apart than this are not compared."""


class Jitter:
    """Interarrival jitter of many streams; ``seconds`` is float64 by slot."""

    def __init__(self, capacity: int) -> None:
        self.seconds = np.zeros(capacity, np.float64)
        self._stamp = np.zeros(capacity, np.int64)
        self._arrival = np.full(capacity, np.nan, np.float64)
        self._clock = np.ones(capacity, np.float64)

    def open(self, slot: int, clock_rate: int) -> None:
        """A fresh slot whose timestamps count ``clock_rate`` per second."""
        self.seconds[slot] = 0.0
        self._arrival[slot] = np.nan
        self._clock[slot] = clock_rate

    def restart(self, slots: Rows) -> None:
        """The slots' timestamps have jumped: the next packets have no predecessor."""
        self._arrival[slots] = np.nan

    def update(self, slots: Rows, stamps: Ints, arrival: NDArray[np.float64]) -> None:
        """Take one packet for each of ``slots`` (distinct), ``arrival`` in seconds."""
        # A pause of the measurement (or of the speaker) is no jitter; what spans it is left out.
        fresh = arrival - self._arrival[slots] > LONGEST_STEP_S
        self._arrival[slots[fresh]] = np.nan
        ahead = (stamps - self._stamp[slots] + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        apart = np.abs(arrival - self._arrival[slots] - ahead / self._clock[slots])
        apart -= self.seconds[slots]
        # Without a predecessor the difference is not a number, and nothing changes.
        np.copyto(apart, 0.0, where=np.isnan(apart))
        apart *= 1 / 16
        self.seconds[slots] += apart
        self._stamp[slots] = stamps
        self._arrival[slots] = arrival


class Discarded:
    """Packets that arrived but held no audio we understand; int64 by slot.

    ``count`` is of packets, ``runs`` of those whose predecessor was not discarded as well.
    """

    def __init__(self, capacity: int) -> None:
        self.count = np.zeros(capacity, np.int64)
        self.runs = np.zeros(capacity, np.int64)
        self._last = np.full(capacity, -2, np.int64)

    def reset(self, slot: int) -> None:
        """Nothing was discarded yet."""
        self.count[slot] = self.runs[slot] = 0
        self._last[slot] = -2

    def add(self, slots: Rows | int, sequence: Ints | int) -> None:
        """Take one packet for each of ``slots`` (distinct), by its number on the wire."""
        self.count[slots] += 1
        self.runs[slots] += self._last[slots] + 1 & 0xFFFF != sequence
        self._last[slots] = sequence


@dataclass(frozen=True, slots=True)
class Interval:
    """What a report block says of the time since the last one (RFC 3550 appendix A.3)."""

    fraction: int
    lost: int
    highest: int


class Intervals:
    """Expected and received counts at each slot's previous report."""

    def __init__(self, capacity: int) -> None:
        self._expected = np.zeros(capacity, np.int64)
        self._received = np.zeros(capacity, np.int64)

    def reset(self, slot: int) -> None:
        """Nothing was reported yet."""
        self._expected[slot] = self._received[slot] = 0

    def take(self, slot: int, sequences: Sequences) -> Interval:
        """Losses of one slot since its last report, and in all."""
        expected, received = sequences.expected_of(slot), int(sequences.received[slot])
        due = expected - int(self._expected[slot])
        missing = due - (received - int(self._received[slot]))
        self._expected[slot], self._received[slot] = expected, received
        fraction = min(missing * 256 // due, 255) if due > 0 and missing > 0 else 0
        return Interval(fraction, max(expected - received, 0), int(sequences.highest[slot]))
