"""Steady tones: beeps, and what is none (ringback, SIT, music, a held vowel).

The spectrum of the last 64 ms is looked at every 20 ms. A tone is one or two peaks between 350 and
2000 Hz that hold nearly all of the power, and stay where they are and as loud as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hookswitch.mixer.bank import FULL_SCALE, Samples

from .columns import Columns, Decibels, Flags, Ticks

RATE = 8000
FRAME = RATE // 50
WINDOW = 512
"""Samples of the spectrum: bins of 15.6 Hz."""

LOWEST_HZ, HIGHEST_HZ = 330.0, 2040.0
LEAST_DBFS = -48.0

PURITY = 0.80
"""Share of the power (200 to 3800 Hz) that one or two peaks hold."""

DRIFT_HZ = 2.5
"""How far a tone may move in a tick."""

CHANGE_DB = 1.0
"""How much louder or softer it may become in a tick."""

BEGINS = 0.4
"""Share that they hold already when a tone begins, and most of the window is before it."""

STEADY_TICKS = 3
"""Ticks after which it is a tone: it has lasted for at least 64 + 3 x 20 ms, less the edges."""

_BIN_HZ = RATE / WINDOW
_REACH = 2
"""Bins on each side of a peak that belong to it (the window's main lobe)."""


class Tones(Columns):
    """The state of all ears."""

    _past: Samples
    low: Decibels
    """Frequency in Hz of the lower of two tones, or of the only one."""
    high: Decibels
    _level: Decibels
    loudness: Decibels
    """dBFS of all above `LOWEST_HZ`."""
    steady: Ticks
    """Ticks for which a tone has been the same."""
    young: Ticks
    """Ticks for which there has been something like a tone, steady or not."""

    def __init__(self) -> None:
        super().__init__(
            _past=np.zeros(WINDOW, np.float32),
            low=np.float32(0.0),
            high=np.float32(0.0),
            _level=np.float32(-100.0),
            loudness=np.float32(-100.0),
            steady=np.int32(0),
            young=np.int32(0),
        )
        self._window = np.hanning(WINDOW + 1)[:WINDOW].astype(np.float32)
        self._scale = 2 / (FULL_SCALE**2 * WINDOW * float(np.sum(self._window**2)))
        first, last = round(200 / _BIN_HZ), round(3800 / _BIN_HZ)
        self._all = slice(first, last)
        self._band = slice(
            round(LOWEST_HZ / _BIN_HZ) - _REACH, round(HIGHEST_HZ / _BIN_HZ) + _REACH
        )

    def hear(self, frames: Samples) -> Ticks:
        """Take 20 ms of the first ears; answers for how many ticks each has heard one tone."""
        count = len(frames)
        past = self._past[:count]
        past[:, :-FRAME] = past[:, FRAME:]
        past[:, -FRAME:] = frames
        spectrum = np.fft.rfft(past * self._window)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) * self._scale
        total = power[:, self._all].sum(axis=1)
        loudness = power[:, self._band.start :].sum(axis=1)
        np.copyto(self.loudness[:count], 10 * np.log10(np.maximum(loudness, 1e-10)))
        band = power[:, self._band].copy()
        lines = np.arange(count)
        first, first_hz = self._take_peak(band, lines)
        second, second_hz = self._take_peak(band, lines)
        alone = (first > PURITY * total) & (second < 0.05 * first)
        second_hz = np.where(alone, first_hz, second_hz)
        held = np.where(alone, first, first + second)
        level = 10 * np.log10(np.maximum(held, 1e-10))
        pure = (held > PURITY * total) & (level > LEAST_DBFS)
        begins = (held > BEGINS * total) & (level > LEAST_DBFS)
        begins &= level > self._level[:count] + CHANGE_DB
        np.copyto(self.young[:count], np.where(pure | begins, self.young[:count] + 1, 0))
        return self._compare(pure, np.minimum(first_hz, second_hz),
                             np.maximum(first_hz, second_hz), level)  # fmt: skip

    def _take_peak(self, band: Samples, lines: NDArray[np.intp]) -> tuple[Samples, Decibels]:
        """Power and frequency of the highest peak, which is taken out of the spectrum."""
        inner = band[:, _REACH:-_REACH]
        peak = inner.argmax(axis=1)
        columns = peak[:, None] + np.arange(2 * _REACH + 1)
        lobe = band[lines[:, None], columns]
        held = lobe.sum(axis=1)
        near = lobe[:, _REACH - 1 : _REACH + 2]
        offset = (near[:, 2] - near[:, 0]) / np.maximum(near.sum(axis=1), 1e-20)
        band[lines[:, None], columns] = 0.0
        start = self._band.start + _REACH
        return held, ((peak + start + offset) * _BIN_HZ).astype(np.float32)

    def _compare(self, pure: Flags, low: Decibels, high: Decibels, level: Decibels) -> Ticks:
        count = len(pure)
        same = pure & (np.abs(low - self.low[:count]) < DRIFT_HZ)
        same &= np.abs(high - self.high[:count]) < DRIFT_HZ
        same &= np.abs(level - self._level[:count]) < CHANGE_DB
        self.low[:count], self.high[:count], self._level[:count] = low, high, level
        self.steady[:count] = np.where(same, self.steady[:count] + 1, 0)
        return self.steady[:count]
