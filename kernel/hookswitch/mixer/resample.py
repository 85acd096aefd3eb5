"""Sampling rate conversion of many ports by one matrix product per pair of rates.

The filter is a Kaiser-windowed sinc (passband to 0.9 of the lower Nyquist frequency, stop band
from the lower Nyquist itself), turned into its minimum-phase twin: the same magnitude, about 1 ms
of delay instead of 5. Its taps are laid out as a banded matrix that maps (history + one block) of
input samples to one block of output samples; a frame is eight blocks. History is kept per port, so
frames join without a seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import lcm

import numpy as np
from numpy.typing import NDArray

from .bank import Samples, frame_samples

Index = NDArray[np.intp]
"""Indices of rows or lanes."""

_Taps = NDArray[np.float64]

PASSBAND = 0.9
"""Upper edge of the flat passband, as a share of the lower of the two Nyquist frequencies."""

STOPBAND_DB = 62.0
"""Design attenuation of aliases and images; what is promised is 60."""

BLOCKS = 8
"""Blocks (2.5 ms each) per frame."""


@dataclass(frozen=True, slots=True)
class Converter:
    """The conversion of one pair of rates: ``matrix`` is (history + block in, block out)."""

    source: int
    target: int
    history: int
    matrix: Samples

    def convert(self, extended: Samples) -> Samples:
        """Convert (n, history + frame) input samples to (n, frame) output samples."""
        rows = extended.shape[0]
        step = frame_samples(self.source) // BLOCKS
        row_stride, stride = extended.strides
        windows = np.lib.stride_tricks.as_strided(
            extended,
            shape=(rows, BLOCKS, self.history + step),
            strides=(row_stride, step * stride, stride),
            writeable=False,
        )
        # BLAS takes no overlapping rows, so the windows are copied out once.
        flat = np.ascontiguousarray(windows).reshape(rows * BLOCKS, self.history + step)
        return (flat @ self.matrix).reshape(rows, frame_samples(self.target))


@cache
def converter(source: int, target: int) -> Converter:
    """The converter from ``source`` to ``target`` Hz (any two different port rates)."""
    common = lcm(source, target)
    up, down = common // source, common // target
    taps = _prototype(common, min(source, target)) * up
    history = -(-len(taps) // up)
    step_in = frame_samples(source) // BLOCKS
    step_out = frame_samples(target) // BLOCKS
    matrix = np.zeros((history + step_in, step_out), np.float32)
    # Output n is at common-rate time n·down; input i (counted from the block's first) is at i·up.
    for n in range(step_out):
        for column in range(history + step_in):
            tap = n * down - (column - history) * up
            if 0 <= tap < len(taps):
                matrix[column, n] = taps[tap]
    return Converter(source, target, history, matrix)


def _prototype(rate: int, lower_rate: int) -> _Taps:
    """Minimum-phase low-pass with unit gain at DC for the common ``rate``."""
    nyquist = lower_rate / 2
    width = (1.0 - PASSBAND) * nyquist
    count = int(np.ceil((STOPBAND_DB - 7.95) / (2.285 * 2 * np.pi * width / rate))) + 1
    cutoff = (1.0 + PASSBAND) / 2 * nyquist / rate
    beta = 0.1102 * (STOPBAND_DB - 8.7)
    n = np.arange(count) - (count - 1) / 2
    linear = 2 * cutoff * np.sinc(2 * cutoff * n) * np.kaiser(count, beta)
    minimum = _minimum_phase(linear)
    normalised: _Taps = minimum / minimum.sum()
    return normalised


def _minimum_phase(linear: _Taps) -> _Taps:
    """The causal filter of the same magnitude and least delay (folded real cepstrum)."""
    size = 1 << (len(linear) * 64 - 1).bit_length()
    magnitude = np.abs(np.fft.fft(linear, size))
    cepstrum = np.fft.ifft(np.log(np.maximum(magnitude, 1e-9))).real
    fold = np.zeros(size)
    fold[0] = fold[size // 2] = 1.0
    fold[1 : size // 2] = 2.0
    causal: _Taps = np.fft.ifft(np.exp(np.fft.fft(cepstrum * fold))).real[: len(linear)]
    return causal


class ConverterBank:
    """Lanes of one pair of rates, each with its history. A lane is known by an integer key."""

    def __init__(self, source: int, target: int) -> None:
        self._converter = converter(source, target)
        self._keys: Index = np.zeros(0, np.intp)
        self._extended = np.zeros((0, self._converter.history + frame_samples(source)), np.float32)

    @property
    def history(self) -> int:
        """Input samples a lane remembers."""
        return self._converter.history

    def arrange(self, keys: Index) -> Index:
        """Have exactly the lanes of these (distinct) keys, in this order.

        Lanes that were there keep their past. Answers the indices of those that are new.
        """
        if np.array_equal(keys, self._keys):
            return np.zeros(0, np.intp)
        history = self._converter.history
        fresh = np.zeros((len(keys), self._extended.shape[1]), np.float32)
        _, to, origin = np.intersect1d(keys, self._keys, assume_unique=True, return_indices=True)
        fresh[to, :history] = self._extended[origin, :history]
        self._keys, self._extended = keys.copy(), fresh
        return np.setdiff1d(np.arange(len(keys)), to, assume_unique=True)

    def prime(self, lanes: Index, past: Samples) -> None:
        """Give lanes their past: (n, at least ``history``) samples before the coming frame."""
        self._extended[lanes, : self.history] = past[:, -self.history :]

    def convert(self, source: Samples, rows: Index) -> Samples:
        """Convert ``source[rows]``, lane by lane, and remember its tail as history."""
        history = self.history
        np.take(source, rows, axis=0, out=self._extended[:, history:], mode="clip")
        out = self._converter.convert(self._extended)
        self._extended[:, :history] = self._extended[:, -history:].copy()
        return out
