"""The measurement of drift finds bursts wherever they lie."""

from __future__ import annotations

import numpy as np
import pytest
from bench.drift import RATE, Sender, places

SECONDS = 6


def _sound(start: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A burst each second, the first one at sample ``start``."""
    burst, sound = _sender().burst, np.zeros(SECONDS * RATE)
    for second in range(SECONDS):
        place = start + second * RATE
        part = burst[max(-place, 0) :]
        sound[max(place, 0) : place + len(burst)] += part
    return sound


def _sender() -> Sender:
    return Sender("one", 1, 0.0, RATE, lambda number, pcm: None)


@pytest.mark.parametrize("start", [0, 1, 4321, 8000])
def test_bursts_are_found_where_they_begin(start: int) -> None:
    found = places(_sound(start), _sender().burst)

    assert found == pytest.approx(start + np.arange(len(found)) * RATE, abs=0.01)


def test_a_burst_cut_by_the_beginning_is_not_taken_for_one_that_begins_there() -> None:
    found = places(_sound(-3), _sender().burst)

    assert found[0] == pytest.approx(RATE - 3, abs=0.01)


def test_where_nobody_speaks_nothing_is_found() -> None:
    assert np.isnan(places(np.zeros(SECONDS * RATE), _sender().burst)).all()
