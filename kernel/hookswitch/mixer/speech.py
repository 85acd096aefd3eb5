"""Who is speaking: the energy of all watched ports against each one's own noise floor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bank import TICK_MS, Samples
from .resample import Index

ABOVE_FLOOR_DB = 9.0
"""Speech is this much louder than the noise floor."""

LEAST_DBFS = -55.0
"""Nothing quieter is speech."""

ONSET_TICKS = 2
"""Loud ticks in a row that make speech: 40 ms."""

HANGOVER_TICKS = 400 // TICK_MS
"""Quiet ticks in a row that end it."""

FLOOR_RISE_DB = 0.02
"""How fast the floor follows upwards, per tick: 1 dB a second. Downwards it follows at once."""

_FULL_SCALE_DB = float(20 * np.log10(32768.0))
_HIGHEST_FLOOR_DBFS = -35.0


class SpeechDetector:
    """State of all ports of one rate, by row; grows as rows do."""

    def __init__(self) -> None:
        self._floor: NDArray[np.float32] = np.zeros(0, np.float32)
        self._loud: NDArray[np.int16] = np.zeros(0, np.int16)
        self._quiet: NDArray[np.int16] = np.zeros(0, np.int16)
        self.speaking: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def reset(self, row: int) -> None:
        """A new port at this row has not spoken."""
        if row >= len(self._floor):
            more = row + 64 - len(self._floor)
            self._floor = np.concatenate([self._floor, np.zeros(more, np.float32)])
            self._loud = np.concatenate([self._loud, np.zeros(more, np.int16)])
            self._quiet = np.concatenate([self._quiet, np.zeros(more, np.int16)])
            self.speaking = np.concatenate([self.speaking, np.zeros(more, np.bool_)])
        self._floor[row] = LEAST_DBFS - ABOVE_FLOOR_DB
        self._loud[row] = self._quiet[row] = 0
        self.speaking[row] = False

    def detect(self, frames: Samples, rows: Index) -> Index:
        """Look at ``frames[rows]``; answers the rows that began or ended to speak."""
        audio = frames[rows]
        power = np.einsum("ij,ij->i", audio, audio) / audio.shape[1]
        level = 10 * np.log10(np.maximum(power, 1e-3)) - _FULL_SCALE_DB
        floor = np.minimum(level, self._floor[rows] + FLOOR_RISE_DB)
        floor = np.minimum(floor, _HIGHEST_FLOOR_DBFS).astype(np.float32)
        self._floor[rows] = floor
        loud = (level > floor + ABOVE_FLOOR_DB) & (level > LEAST_DBFS)
        self._loud[rows] = np.where(loud, np.minimum(self._loud[rows] + 1, 1000), 0)
        self._quiet[rows] = np.where(loud, 0, np.minimum(self._quiet[rows] + 1, 1000))
        before = self.speaking[rows]
        begins = ~before & (self._loud[rows] >= ONSET_TICKS)
        ends = before & (self._quiet[rows] >= HANGOVER_TICKS)
        self.speaking[rows] = (before | begins) & ~ends
        return rows[begins | ends]

    def silence(self, rows: Index) -> Index:
        """These rows are watched no longer; answers those that were speaking."""
        spoke = rows[self.speaking[rows]]
        self.speaking[rows] = False
        self._loud[rows] = 0
        return spoke
