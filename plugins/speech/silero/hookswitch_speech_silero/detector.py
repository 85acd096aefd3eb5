"""The detector: what the network thinks of each window, made into begins and ends of speech."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hookswitch.mixer.bank import TICK_MS, Samples
from hookswitch.mixer.resample import Index
from hookswitch.plugin import load

from .network import STATE, Floats, Network
from .rates import Downsampler, network_rate
from .settings import SileroSettings
from .windows import Windows

BEGINS, GOES_ON = 0.5, 0.35
"""Probability at which speech begins, and below which it may end: what Silero's authors use."""

LEAST_DBFS = -60.0
"""A window in which nothing is louder is silence; the network is not asked."""

_NEVER = 30_000


class SileroDetector:
    """State of all ports of one rate, by row (`hookswitch.mixer.speech.Detector`)."""

    speaking: NDArray[np.bool_]

    def __init__(self, rate: int = 8000, hangover_ms: int = 400) -> None:
        to = network_rate(rate)
        self._network = Network(to, load(SileroSettings).speech_silero_model)
        self._windows = Windows(to, self._network.window, self._network.context)
        self._downsampler = Downsampler(rate, to) if to != rate else None
        self._hangover = -(-hangover_ms // TICK_MS)
        self._state = np.zeros((2, 0, STATE), np.float32)
        self._quiet = np.zeros(0, np.int16)
        self.speaking = np.zeros(0, np.bool_)

    def reset(self, row: int) -> None:
        """A new port at this row has not spoken."""
        if row >= len(self.speaking):
            more = row + 64 - len(self.speaking)
            self.speaking = np.concatenate([self.speaking, np.zeros(more, np.bool_)])
            self._quiet = np.concatenate([self._quiet, np.zeros(more, np.int16)])
            self._state = np.concatenate(
                [self._state, np.zeros((2, more, STATE), np.float32)], axis=1
            )
        self.speaking[row] = False
        self._forget(row)

    def detect(self, frames: Samples, rows: Index) -> Index:
        """Look at ``frames[rows]``; answers the rows that began or ended to speak."""
        sound = frames[rows]
        if self._downsampler is not None:
            sound = self._downsampler.convert(sound, rows)
        full, windows = self._windows.add(sound, rows)
        probability = self._judge(full, windows)
        before = self.speaking[rows]
        self._quiet[rows] = np.minimum(self._quiet[rows] + 1, _NEVER)
        self._quiet[full[probability >= GOES_ON]] = 0
        self.speaking[full[probability >= BEGINS]] = True
        self.speaking[rows] &= self._quiet[rows] < self._hangover
        changed: Index = rows[self.speaking[rows] != before]
        return changed

    def silence(self, rows: Index) -> Index:
        """These rows are watched no longer; answers those that were speaking."""
        spoke = rows[self.speaking[rows]]
        self.speaking[rows] = False
        for row in rows.tolist():
            self._forget(row)
        return spoke

    def _judge(self, rows: Index, windows: Floats) -> Floats:
        """How probable speech is in a window of each of the rows."""
        probability = np.zeros(len(rows), np.float32)
        loud = np.abs(windows).max(axis=1, initial=0.0) > 10 ** (LEAST_DBFS / 20)
        self._state[:, rows[~loud]] = 0.0
        asked = rows[loud]
        if len(asked):
            probability[loud], self._state[:, asked] = self._network.run(
                windows[loud], self._state[:, asked]
            )
        return probability

    def _forget(self, row: int) -> None:
        self._state[:, row] = 0.0
        self._quiet[row] = 0
        self._windows.open(row)
        if self._downsampler is not None:
            self._downsampler.open(row)
