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

RELIEVED = 1.12
"""A frame that passes the threshold by no more than this needs no quicker attack."""

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
    """A gain per row: it falls at once when a peak would pass the threshold, and rises slowly.

    Except when the listeners' mixes were made quieter on purpose: then it rises within that frame,
    in the same curve as their gains fall, so that what was too loud becomes as quiet as is wanted.
    """

    def __init__(self, rate: int) -> None:
        samples = frame_samples(rate)
        attack = int(rate * ATTACK_MS / 1000)
        self._attack = np.minimum(np.arange(1, samples + 1) / attack, 1.0).astype(np.float32)
        self._whole = (np.arange(1, samples + 1) / samples).astype(np.float32)
        self._end = slice(samples * 3 // 4, samples)

    def apply(
        self, frames: Samples, rows: Index, peaks: Samples, gains: Samples, *, remixed: bool = False
    ) -> None:
        """Limit ``frames[rows]`` in place.

        ``peaks`` (rows,) are theirs; ``gains`` is per row of ``frames``, kept between ticks.
        ``remixed``: in this tick some mix was changed on purpose.
        """
        chosen = np.flatnonzero((peaks > THRESHOLD) | (gains[rows] < 1.0))
        if not len(chosen):
            return
        hot, peak = rows[chosen], peaks[chosen]
        before, loud = gains[hot], frames[hot]
        after = np.minimum(np.minimum(before * _RELEASE, _allowed(peak)), 1.0).astype(np.float32)
        gain = before[:, None] + (after - before)[:, None] * self._attack
        if remixed:
            relieved = (peak * before <= THRESHOLD * RELIEVED) & (before < 1.0)
            wanted = _allowed(np.abs(loud[relieved, self._end]).max(axis=1, initial=0.0))
            rise = np.maximum(wanted / before[relieved], 1.0).astype(np.float32)
            gain[relieved] = before[relieved, None] * rise[:, None] ** self._whole
            after[relieved] = gain[relieved, -1]
        frames[hot] = knee(loud * gain)
        gains[hot] = after


def _allowed(peak: Samples) -> Samples:
    return np.minimum(THRESHOLD / np.maximum(peak, THRESHOLD), 1.0)


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
