"""Padding follows the clock within a frame, and lateness is no loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch.recording.recorder.drift import Drift

RATE = 16000
FRAME = RATE // 50
PERIOD = 0.305


class Clocked:
    """A mixer with 20 ms ticks, observed as the recorder does."""

    def __init__(self, phase: float = 0.0) -> None:
        self.drift = Drift(1)
        self.drift.begin(0, 1)
        self.now = 500.0
        self.phase = phase
        self.lost = self.padded = 0.0

    def counter(self, late: float) -> int:
        """Samples that ticks have given by now, each ``late`` seconds after its time."""
        ticks = int((self.now - 500.0 - self.phase - self.lost - late) / 0.02 + 1e-9)
        return max(ticks, 0) * FRAME

    def observe(self, late: float = 0.0) -> None:
        self.now += PERIOD
        counters = np.array([self.counter(late) + round(self.padded * RATE)])
        rows, rates = np.array([0]), np.array([RATE])
        pad = self.drift.observe(rows, counters, rates, self.now, self.now)
        self.padded += int(pad[0]) / RATE


@given(
    st.floats(0, 0.02),
    st.lists(st.tuples(st.integers(4, 30), st.floats(0.1, 3.0)), max_size=5),
    st.lists(st.floats(0, 0.015), min_size=400, max_size=400),
)
def test_what_was_lost_is_padded(
    phase: float, losses: list[tuple[int, float]], lateness: list[float]
) -> None:
    clocked = Clocked(phase)
    late = iter(lateness)
    for _ in range(10):
        clocked.observe(next(late))
    for quiet, lost in losses:
        for _ in range(quiet):
            clocked.observe(next(late))
        clocked.lost += lost
    for _ in range(20):
        clocked.observe(next(late))
    assert clocked.padded == pytest.approx(clocked.lost, abs=0.0201)


@given(st.floats(0, 0.02), st.lists(st.floats(0, 0.1), min_size=20, max_size=200))
def test_lateness_is_no_loss(phase: float, lateness: list[float]) -> None:
    clocked = Clocked(phase)
    for late in lateness:
        clocked.observe(late)
        clocked.observe()  # it has caught up
    assert clocked.padded == 0


def test_a_stall_is_padded_while_it_lasts() -> None:
    clocked = Clocked()
    for _ in range(10):
        clocked.observe()
    for _ in range(10):
        clocked.lost += PERIOD
        clocked.observe()
    assert clocked.lost - 0.22 < clocked.padded <= clocked.lost


def test_nothing_is_padded_before_the_first_tick() -> None:
    clocked = Clocked(phase=100.0)
    for _ in range(20):
        clocked.observe()
    assert clocked.padded == 0
