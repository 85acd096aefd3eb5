"""What is done to a listener's level last: the soft limiter and comfort noise.

Both act on the few rows that need them, picked by the peak of each row.
"""

from __future__ import annotations

import numpy as np

from .bank import FULL_SCALE, Samples, frame_samples
from .resample import Index

CEILING = FULL_SCALE - 1.0
"""No sample exceeds this."""

THRESHOLD = 32124.0
"""Peaks up to here pass untouched: it is the loudest value of G.711 µ-law."""

ATTACK_MS = 1.25
"""The gain falls to its new value within this time, and within it the knee catches the rest."""

RELEASE_DB_PER_TICK = 0.25

COMFORT_NOISE_DBFS = -75.0
_NOISE_FRAMES = 61

_RELEASE = float(10 ** (RELEASE_DB_PER_TICK / 20))


def knee(samples: Samples) -> Samples:
    """Bend what lies above the threshold smoothly below the ceiling."""
    room = CEILING - THRESHOLD
    over = np.maximum(np.abs(samples) - THRESHOLD, 0.0)
    bent = np.minimum(np.abs(samples), THRESHOLD) + room * np.tanh(over / room)
    return np.copysign(bent, samples).astype(np.float32)


class Limiter:
    """A gain per row: it falls at once when a peak would pass the threshold, and rises slowly."""

    def __init__(self, rate: int) -> None:
        samples = frame_samples(rate)
        attack = int(rate * ATTACK_MS / 1000)
        self._ramp = np.minimum(np.arange(1, samples + 1) / attack, 1.0).astype(np.float32)

    def apply(self, frames: Samples, rows: Index, peaks: Samples, gains: Samples) -> None:
        """Limit ``frames[rows]`` in place.

        ``peaks`` (rows,) are theirs; ``gains`` is per row of ``frames``, kept between ticks.
        """
        chosen = np.flatnonzero((peaks > THRESHOLD) | (gains[rows] < 1.0))
        if not len(chosen):
            return
        hot, peak = rows[chosen], peaks[chosen]
        before = gains[hot]
        allowed = np.minimum(THRESHOLD / np.maximum(peak, THRESHOLD), 1.0)
        after = np.minimum(np.minimum(before * _RELEASE, allowed), 1.0).astype(np.float32)
        gain = before[:, None] + (after - before)[:, None] * self._ramp
        frames[hot] = knee(frames[hot] * gain)
        gains[hot] = after


class ComfortNoise:
    """White noise at -75 dBFS for rows that would be digitally silent."""

    def __init__(self, rate: int) -> None:
        level = FULL_SCALE * 10 ** (COMFORT_NOISE_DBFS / 20)
        random = np.random.default_rng(rate)
        shape = (_NOISE_FRAMES, frame_samples(rate))
        self._frames = random.normal(0.0, level, shape).astype(np.float32)

    def fill(self, frames: Samples, silent: Index, tick: int) -> None:
        """Put noise into the silent rows, another piece for each row and tick."""
        frames[silent] = self._frames[(tick * 7 + silent * 13) % _NOISE_FRAMES]
