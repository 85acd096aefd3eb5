"""Ports of higher rates are heard at one the network knows."""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import Samples
from hookswitch.mixer.resample import Index, converter


def network_rate(rate: int) -> int:
    """The network's rate for ports of a rate, both in Hz."""
    return 16000 if rate % 16000 == 0 else 8000


class Downsampler:
    """Converts frames, by row; each row's past joins them without a seam."""

    def __init__(self, rate: int, to: int) -> None:
        """Rates in Hz; none may be the other."""
        self._converter = converter(rate, to)
        self._past = np.zeros((0, self._converter.history), np.float32)

    def open(self, row: int) -> None:
        """Start a row with silence."""
        if row >= len(self._past):
            more = np.zeros((row + 64 - len(self._past), self._past.shape[1]), np.float32)
            self._past = np.concatenate([self._past, more])
        self._past[row] = 0.0

    def convert(self, frames: Samples, rows: Index) -> Samples:
        """Convert a frame of each of the rows."""
        extended = np.concatenate([self._past[rows], frames], axis=1)
        self._past[rows] = extended[:, -self._past.shape[1] :]
        return self._converter.convert(extended)
