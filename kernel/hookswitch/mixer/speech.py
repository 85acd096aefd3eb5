"""Who is speaking: the level of all watched ports against each one's own noise.

A level is taken after a mild first difference, so that hum and rumble count for less than voices.
Its noise is learnt while nobody speaks: how loud it is, and how restless. Speech is
louder than the noise by a few times its restlessness. What goes on as evenly as no voice does (a
fan that starts, a tone) becomes the noise.

A port that is loud from the first tick on which it is watched may have a noise, or be in the midst
of a word. That is told by its first moments: a voice's level does not stay where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from .bank import FULL_SCALE, TICK_MS, Samples
from .resample import Index

HANGOVER_MS = 400
"""Silence that ends speech, unless told otherwise."""

ONSET_TICKS = 2
"""Loud ticks in a row that make speech: 40 ms."""

LEAST_DBFS = -56.0
"""Nothing quieter is speech."""

QUIETEST_DBFS, FIRST_DBFS = -70.0, -38.0
"""Bounds of the noise: it counts as no quieter; and a port begins with at most this much."""

LEAST_ABOVE_DB, SPREADS, MOST_ABOVE_DB = 4.5, 2.3, 18.0
"""Speech is louder than the noise by this, and so many times its spread, but at most the last."""

FIRST_SPREAD_DB, SPREAD_SHARE = 3.5, 0.043
"""The spread is learnt from how far below its mean the noise goes: there, no voice takes it."""

AVERAGING, NEAR_DB, FALL = 0.06, 10.0, 0.12
"""The noise goes towards the level by this share a tick; downwards fast when it is far."""

RISE_DB, SPEAKING_RISE_DB = 0.43, 0.1
"""How fast the noise rises at most, per tick; and while there is speech."""

EVEN_DB, EVEN_TICKS, EVENING_DB = 4.5, 21, 0.3
"""What keeps within this range for so long is no voice; extremes are forgotten at the last rate."""

TRIAL_TICKS, STEADY_DB = 8, 4.0
"""What is loud from the first tick and keeps within this range for so long is noise."""

HOLD_DB = 1.6
"""Who speaks goes on to while this much quieter than who begins has to be."""

STILL_TICKS = 25
"""A port that has brought no sound at all for so long is a quiet one: its first sound may be a
voice."""

_SILENT_DBFS = -88.0
"""A frame without even this is no sound: it tells nothing of the noise."""

_NEVER = 30_000
_HEARD = 1


class Detector(Protocol):
    """Tells who speaks, of all ports of one rate by row. Made with the rate in Hz and a hang-over.

    Runs in the media worker within the tick: microseconds per port, no I/O.
    """

    speaking: NDArray[np.bool_]

    def reset(self, row: int) -> None:
        """A new port at this row has not spoken; rows come in any order."""

    def detect(self, frames: Samples, rows: Index) -> Index:
        """Look at 20 ms, ``frames[rows]``; answers the rows that began or ended to speak."""

    def silence(self, rows: Index) -> Index:
        """These rows are watched no longer; answers those that were speaking."""


DetectorClass = Callable[[int, int], Detector]
"""Makes a detector for ports of a rate in Hz, with a hang-over in milliseconds."""


class SpeechDetector:
    """State of all ports of one rate, by row; grows as rows do."""

    _COLUMNS: ClassVar[dict[str, tuple[Any, Any]]] = {
        "_floor": (np.float32, FIRST_DBFS),
        "_spread": (np.float32, FIRST_SPREAD_DB),
        "_high": (np.float32, 0.0),
        "_low": (np.float32, 0.0),
        "_even": (np.int16, 0),
        "_trial": (np.int16, 0),  # ticks left until what was loud at first is taken for noise
        "_age": (np.int16, 0),  # minus the ticks without any sound yet, or _HEARD
        "_loud": (np.int16, 0),
        "_quiet": (np.int16, 0),
        "speaking": (np.bool_, False),
    }
    _floor: NDArray[np.float32]
    _spread: NDArray[np.float32]
    _high: NDArray[np.float32]
    _low: NDArray[np.float32]
    _even: NDArray[np.int16]
    _trial: NDArray[np.int16]
    _age: NDArray[np.int16]
    _loud: NDArray[np.int16]
    _quiet: NDArray[np.int16]
    speaking: NDArray[np.bool_]

    def __init__(self, rate: int = 8000, hangover_ms: int = HANGOVER_MS) -> None:
        self._hangover = -(-hangover_ms // TICK_MS)
        for name, (kind, _) in self._COLUMNS.items():
            setattr(self, name, np.zeros(0, kind))

    def reset(self, row: int) -> None:
        """A new port at this row has not spoken."""
        for name, (kind, value) in self._COLUMNS.items():
            column = getattr(self, name)
            if row >= len(column):
                column = np.concatenate([column, np.zeros(row + 64 - len(column), kind)])
                setattr(self, name, column)
            column[row] = value

    def detect(self, frames: Samples, rows: Index) -> Index:
        """Look at ``frames[rows]``; answers the rows that began or ended to speak."""
        level = _level(frames[rows])
        heard = level > _SILENT_DBFS
        above = level - self._floor[rows]
        before = self.speaking[rows]
        border = LEAST_ABOVE_DB + SPREADS * self._spread[rows] - HOLD_DB * before
        loud = (above > np.minimum(border, MOST_ABOVE_DB)) & (level > LEAST_DBFS)
        self._trial[rows[heard & (self._age[rows] == 0) & (above > 0)]] = TRIAL_TICKS
        tried = self._trial[rows] > 0
        even = self._steadied(above, rows) if tried.any() else tried
        even = even | self._is_even(above, loud, rows)
        loud &= ~even
        self._learn(level, above, loud, heard, even, rows)
        self._loud[rows] = np.where(loud, np.minimum(self._loud[rows] + 1, _NEVER), 0)
        self._quiet[rows] = np.where(loud, 0, np.minimum(self._quiet[rows] + 1, _NEVER))
        begins = ~before & (self._loud[rows] >= ONSET_TICKS) & (self._trial[rows] == 0)
        ends = before & ((self._quiet[rows] >= self._hangover) | even)
        self.speaking[rows] = (before | begins) & ~ends
        changed: Index = rows[begins | ends]
        return changed

    def silence(self, rows: Index) -> Index:
        """These rows are watched no longer; answers those that were speaking."""
        spoke = rows[self.speaking[rows]]
        self.speaking[rows] = False
        self._loud[rows] = 0
        return spoke

    def _steadied(self, above: NDArray[np.float32], rows: Index) -> NDArray[np.bool_]:
        """Where a trial ends now, and what was loud from the first tick on is noise."""
        left = self._trial[rows]
        first, tried = left == TRIAL_TICKS, left > 0
        high = np.where(first, above, np.maximum(self._high[rows], above))
        low = np.where(first, above, np.minimum(self._low[rows], above))
        self._high[rows] = np.where(tried, high, self._high[rows])
        self._low[rows] = np.where(tried, low, self._low[rows])
        steady = tried & (high - low < STEADY_DB)
        self._trial[rows] = np.where(steady, left - 1, 0)
        noise = np.asarray(steady & (left == 1))
        self._spread[rows] = np.where(noise, (high - low) / 2, self._spread[rows])
        return noise

    def _is_even(
        self, above: NDArray[np.float32], loud: NDArray[np.bool_], rows: Index
    ) -> NDArray[np.bool_]:
        """Where what is loud has kept its level for longer than a voice does."""
        high = np.where(loud, np.maximum(self._high[rows] - EVENING_DB, above), above)
        low = np.where(loud, np.minimum(self._low[rows] + EVENING_DB, above), above)
        self._high[rows], self._low[rows] = high, low
        lasts = loud & (high - low < EVEN_DB)
        self._even[rows] = np.where(lasts, np.minimum(self._even[rows] + 1, _NEVER), 0)
        return np.asarray(self._even[rows] >= EVEN_TICKS)

    def _learn(
        self,
        level: NDArray[np.float32],
        above: NDArray[np.float32],
        loud: NDArray[np.bool_],
        heard: NDArray[np.bool_],
        even: NDArray[np.bool_],
        rows: Index,
    ) -> None:
        """Follow the noise, in the ports where there is sound."""
        most = np.where(loud, SPEAKING_RISE_DB, RISE_DB)
        step = np.where(above < -NEAR_DB, FALL * above, np.minimum(AVERAGING * above, most))
        first = self._age[rows] <= 0
        step = np.where(first, np.minimum(above, FIRST_DBFS - self._floor[rows]), step)
        step = np.where(even, above, step)
        floor = self._floor[rows] + np.where(heard, step, 0.0)
        self._floor[rows] = np.maximum(floor, QUIETEST_DBFS)
        age = np.where(heard | (self._age[rows] > 0), _HEARD, self._age[rows] - 1)
        still = age == -STILL_TICKS
        self._floor[rows[still]] = QUIETEST_DBFS
        self._age[rows] = np.where(still, _HEARD, age)
        off = np.clip(-2.0 * above, 0.0, 10.0) - self._spread[rows]
        quiet = heard & ~loud & ~first
        self._spread[rows] += np.where(quiet, SPREAD_SHARE * off, 0.0).astype(np.float32)


def _level(audio: Samples) -> NDArray[np.float32]:
    """Level in dBFS of each frame after a first difference, of 160 of its samples."""
    step = audio.shape[1] // 160
    coarse = audio[:, ::step]
    change = coarse[:, 1:] - 0.5 * coarse[:, :-1]
    power = np.einsum("ij,ij->i", change, change) / change.shape[1]
    return np.asarray(10 * np.log10(np.maximum(power, 1e-6) / FULL_SCALE**2), np.float32)
