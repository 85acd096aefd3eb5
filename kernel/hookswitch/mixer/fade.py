"""Soft edges where audio is missing: no click when it stops, none when it comes back.

A stretch that ends abruptly is continued by its own last 5 ms played backwards (so the value does
not jump) while fading to silence; what follows a gap fades in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .bank import Samples, frame_samples

CHUNKS = 4
"""Chunks per frame; each is 5 ms and is there or missing as a whole."""

Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]


class Fader:
    """Fades for up to ``capacity`` rows of audio at ``rate`` Hz."""

    def __init__(self, capacity: int, rate: int) -> None:
        self._size = frame_samples(rate) // CHUNKS
        self._tail = np.zeros((capacity, self._size), np.float32)
        self._sounding = np.zeros(capacity, np.bool_)
        self._rise = ((np.arange(self._size, dtype=np.float32) + 0.5) / self._size)[None, :]
        self._fall = self._rise[:, ::-1]

    def reset(self, row: int) -> None:
        """The row starts from silence."""
        self._sounding[row] = False

    def apply(self, frames: Samples, present: Flags) -> None:
        """Smooth ``frames`` (float32, n rows) in place where ``present`` (bool, n x 4) changes.

        Missing chunks are overwritten: with the fade-out, or with silence.
        """
        n = len(frames)
        sounding = self._sounding[:n]
        full, empty = whole(present), ~_some(present)
        odd = full != sounding
        odd |= ~(full | empty)
        silent = empty & ~sounding
        if np.count_nonzero(silent):
            frames[silent] = 0.0
        if np.count_nonzero(odd):
            self._smooth(np.flatnonzero(odd), frames, present)
        self._tail[:n] = frames[:, -self._size :]

    def _smooth(self, rows: Rows, frames: Samples, present: Flags) -> None:
        sounding, tail = self._sounding[rows], self._tail[rows]
        for chunk in range(CHUNKS):
            span = slice(chunk * self._size, (chunk + 1) * self._size)
            here, audio = present[rows, chunk], frames[rows, span]
            audio[here & ~sounding] *= self._rise
            audio[~here] = 0.0
            ending = ~here & sounding
            audio[ending] = tail[ending][:, ::-1] * self._fall
            frames[rows, span] = audio
            sounding, tail = here, audio
        self._sounding[rows] = sounding


def whole(present: Flags) -> Flags:
    """Rows of which all four chunks are there: bool (n, 4), contiguous, to bool (n,)."""
    return np.asarray(present.view(np.uint32)[:, 0] == 0x01010101)


def _some(present: Flags) -> Flags:
    return np.asarray(present.view(np.uint32)[:, 0] != 0)


def cross_fade(old: Samples, new: Samples) -> Samples:
    """From ``old`` to ``new`` over the whole frame: float32 (n, samples) each."""
    weight = (np.arange(old.shape[1], dtype=np.float32) + 0.5) / old.shape[1]
    return np.asarray(old + (new - old) * weight, np.float32)
