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
"""A frame that passes the threshold by no more than this is no louder than the one before."""

RISE_DB_PER_PIECE = 2.0
"""As steeply as the gain rises at the most, per `ATTACK_MS`."""

COMFORT_NOISE_DBFS = -75.0
_NOISE_FRAMES = 61

_RELEASE = float(10 ** (RELEASE_DB_PER_TICK / 20))
_RISE = 10 ** (RISE_DB_PER_PIECE / 20)


def knee(samples: Samples) -> Samples:
    """Bend what lies above the threshold smoothly below the ceiling."""
    room = CEILING - THRESHOLD
    over = np.maximum(np.abs(samples) - THRESHOLD, 0.0)
    bent = np.minimum(np.abs(samples), THRESHOLD) + room * np.tanh(over / room)
    return np.copysign(bent, samples).astype(np.float32)


class Limiter:
    """A gain per row: it falls at once when a peak would pass the threshold, and rises slowly.

    Except when the listeners' mixes were made louder or quieter on purpose: then it follows what
    they become within the frame, piece by piece, down or up, so that what is too loud stays as loud
    as it may be, and what was becomes as quiet as is wanted.
    """

    def __init__(self, rate: int) -> None:
        samples = frame_samples(rate)
        attack = int(rate * ATTACK_MS / 1000)
        self._attack = np.minimum(np.arange(1, samples + 1) / attack, 1.0).astype(np.float32)
        self._within = (np.arange(1, attack + 1) / attack).astype(np.float32)

    def apply(
        self, frames: Samples, rows: Index, peaks: Samples, gains: Samples, *, remixed: bool = False
    ) -> None:
        """Limit ``frames[rows]`` in place.

        ``peaks`` (rows,) are theirs; ``gains`` is per row of ``frames``, kept between ticks.
        ``remixed``: in this tick or the one before some mix was changed on purpose.
        """
        chosen = np.flatnonzero((peaks > THRESHOLD) | (gains[rows] < 1.0))
        if not len(chosen):
            return
        hot, peak = rows[chosen], peaks[chosen]
        before, loud = gains[hot], frames[hot]
        if remixed:
            gain, after = self._followed(loud, before, peak)
        else:
            after = np.minimum(np.minimum(before * _RELEASE, _allowed(peak)), 1.0)
            gain = before[:, None] + (after - before)[:, None] * self._attack
        frames[hot] = knee(loud * gain)
        gains[hot] = after

    def _followed(self, loud: Samples, before: Samples, peak: Samples) -> tuple[Samples, Samples]:
        """The gain by sample, and at the end.

        Per piece of `ATTACK_MS` it goes to what the next one allows; never up and down in one
        frame, since that would follow the wave and not its level.
        """
        rows, size = len(loud), len(self._within)
        allowed = _allowed(np.abs(loud.reshape(rows, -1, size)).max(axis=2))
        pieces = allowed.shape[1]
        nodes = np.empty((rows, pieces + 1), np.float32)
        nodes[:, 0] = before
        falling = np.minimum.accumulate(allowed, axis=1)
        nodes[:, 1:] = np.minimum(falling[:, [*range(1, pieces), -1]], before[:, None])
        relieved = (peak * before <= THRESHOLD * RELIEVED) & (before < 1.0)
        if np.count_nonzero(relieved):
            later = allowed[relieved]
            end = pieces * 3 // 4
            later[:, end:] = later[:, end:].min(axis=1, keepdims=True)
            rising = np.minimum.accumulate(later[:, ::-1], axis=1)[:, ::-1]
            steepest = before[relieved, None] * _RISE ** np.arange(1, pieces + 1)
            nodes[relieved, 1:] = np.minimum(rising, steepest)
        steps = np.diff(nodes, axis=1)[:, :, None] * self._within
        gain = (nodes[:, :-1, None] + steps).reshape(rows, -1)
        return gain, nodes[:, -1]


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
