"""Frames of 20 ms made into the windows of 32 ms that the network looks at, by row.

Rows are out of step with each other, so that in each tick as many windows are full as in any other:
of eight rows five, and not now none and now all.
"""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import FULL_SCALE, TICK_MS, Samples
from hookswitch.mixer.resample import Index

from .network import Floats


class Windows:
    """Sound of all ports of one rate on its way to the network.

    A row holds the end of the window before, and after that what has come of the next one.
    """

    def __init__(self, rate: int, window: int, context: int) -> None:
        """``rate`` is the network's; ``window`` and ``context`` are in samples of it."""
        self._frame = rate * TICK_MS // 1000
        self._window, self._context = window, context
        self._sound = np.zeros((0, context + window + self._frame), np.float32)
        self._filled = np.zeros(0, np.intp)
        """Samples that have come of each row's next window."""

    def open(self, row: int) -> None:
        """Start a row with silence."""
        if row >= len(self._filled):
            more = row + 64 - len(self._filled)
            self._filled = np.concatenate([self._filled, np.zeros(more, np.intp)])
            self._sound = np.concatenate(
                [self._sound, np.zeros((more, self._sound.shape[1]), np.float32)]
            )
        self._sound[row] = 0.0
        step = np.gcd(self._window, self._frame)
        self._filled[row] = row * step % self._window

    def add(self, frames: Samples, rows: Index) -> tuple[Index, Floats]:
        """Take a frame of each row. Answers the rows whose window is full, and the windows.

        They are (n, context + window), between -1 and 1.
        """
        filled = self._filled[rows]
        for before in np.unique(filled):
            of_them = filled == before
            start = self._context + before
            self._sound[rows[of_them], start : start + self._frame] = frames[of_them]
        filled += self._frame
        full = rows[filled >= self._window]
        self._filled[rows] = np.where(filled >= self._window, filled - self._window, filled)
        sound = self._sound[full]
        rest = sound[:, self._window :]
        self._sound[full[:, None], np.arange(rest.shape[1])] = rest
        return full, sound[:, : self._context + self._window] / np.float32(FULL_SCALE)
