"""Concealment of what is missing: the last pitch period goes on, and fades (ITU-T G.711 App. I).

For many ports at once, in chunks of 5 ms. When a chunk is missing, the period of what was heard
last is measured by correlation and repeated, at full level for 10 ms and then fading until 60 ms;
when audio comes back, it is faded in over a chunk of what was made up. What begins after silence
fades in likewise.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hookswitch.mixer.bank import Samples, frame_samples
from hookswitch.mixer.fade import whole
from hookswitch.mixer.playout import Flags, Ints, Rows

from .ring import CHUNKS_PER_FRAME

FULL_MS = 10
"""How long the repetition keeps its level."""

GONE_MS = 60
"""When it has faded to nothing."""

_SHORTEST_MS, _LONGEST_MS = 2.5, 15.0
"""Pitch periods: 400 to 67 Hz."""

_TEMPLATE_MS = 20
PAST = 3
"""Frames of history."""

_COARSE_HZ = 8000
_SEAM = 4
"""Part of a period, as its reciprocal, over which its ends are joined."""


class Concealer:
    """State of up to ``capacity`` rows of audio at ``rate`` Hz.

    ``age`` counts the samples made up in a row, 0 while all is well; int64 by row.
    """

    def __init__(self, capacity: int, rate: int) -> None:
        self._size = frame_samples(rate) // CHUNKS_PER_FRAME
        self._step = max(rate // _COARSE_HZ, 1)
        self._shortest = int(rate * _SHORTEST_MS / 1000)
        self._longest = int(rate * _LONGEST_MS / 1000)
        self._template = rate * _TEMPLATE_MS // 1000
        self._full, self._gone = rate * FULL_MS // 1000, rate * GONE_MS // 1000
        self.age = np.full(capacity, self._gone, np.int64)
        self._period = np.ones(capacity, np.int64)
        self._cycle = np.zeros((capacity, self._longest + 1), np.float32)
        self._seam = np.zeros(capacity, np.float32)
        self._rise = ((np.arange(self._size, dtype=np.float32) + 0.5) / self._size)[None, :]

    def reset(self, row: int) -> None:
        """The row starts from silence."""
        self.age[row] = self._gone

    def apply(self, frames: Samples, present: Flags, past: list[Samples]) -> None:
        """Complete ``frames``, float32 (n, samples), in place where ``present``, bool (n, 4), says
        that chunks are missing. ``past`` are the frames before, the latest last."""
        age = self.age[: len(frames)]
        odd = age > 0
        odd |= ~whole(present)
        if not np.count_nonzero(odd):
            return
        rows = np.flatnonzero(odd)
        silent = (age[rows] >= self._gone) & ~present[rows].any(axis=1)
        frames[rows[silent]] = 0.0
        rows = rows[~silent]
        if len(rows):
            self._complete(rows, frames, present[rows], past)

    def _complete(self, rows: Rows, frames: Samples, here: Flags, past: list[Samples]) -> None:
        audio = frames[rows]
        for chunk in range(CHUNKS_PER_FRAME):
            span = slice(chunk * self._size, (chunk + 1) * self._size)
            gone = ~here[:, chunk]
            fresh = np.flatnonzero(gone & (self.age[rows] == 0))
            if len(fresh):
                history = [each[rows[fresh]] for each in past] + [audio[fresh, : span.start]]
                self._analyse(rows[fresh], np.concatenate(history, axis=1))
            doctored = np.flatnonzero(gone | (self.age[rows] > 0))
            made = self._continue(rows[doctored])
            lost = gone[doctored]
            part = audio[doctored, span]
            audio[doctored, span] = np.where(lost[:, None], made, made + (part - made) * self._rise)
            self.age[rows[doctored]] = np.where(lost, self.age[rows[doctored]] + self._size, 0)
        frames[rows] = audio

    def _analyse(self, rows: Rows, history: Samples) -> None:
        """Find the period of what was heard, and keep one that repeats without a seam."""
        period = self._periods(history)
        self._period[rows] = period
        end = history.shape[1]
        at = np.arange(self._longest + 1)[None, :]
        length = period[:, None]
        each = np.arange(len(rows))[:, None]
        cycle = history[each, np.minimum(end - length + at, end - 1)]
        before = history[each, np.minimum(end - 2 * length + at, end - 1)]
        seam = np.maximum(length // _SEAM, 1)
        weight = np.clip((at - (length - seam) + 1) / (seam + 1), 0.0, 1.0)
        self._cycle[rows] = cycle + (before - cycle) * weight
        self._seam[rows] = history[:, -1] - self._cycle[rows, period - 1]

    def _periods(self, history: Samples) -> Ints:
        """Samples after which each row of ``history`` repeats itself best."""
        step = self._step
        coarse = self._best(
            history[:, ::-1][:, ::step][:, ::-1],
            self._template // step,
            self._shortest // step,
            self._longest // step,
        )
        if step == 1:
            return coarse
        near = np.arange(-step, step + 1)
        lags = np.clip(coarse[:, None] * step + near, self._shortest, self._longest)
        end, each = history.shape[1], np.arange(len(history))[:, None, None]
        at = end - self._template + np.arange(self._template)
        past = history[each, at[None, None, :] - lags[:, :, None]]
        score = _likeness(past, history[:, -self._template :])
        return np.asarray(lags[np.arange(len(lags)), score.argmax(axis=1)])

    def _best(self, history: Samples, template: int, shortest: int, longest: int) -> Ints:
        windows = sliding_window_view(history, template, axis=1)
        last = windows.shape[1] - 1
        lags = np.arange(shortest, longest + 1)
        best = _likeness(windows[:, last - lags], windows[:, last]).argmax(axis=1)
        return np.asarray(lags[best])

    def _continue(self, rows: Rows) -> Samples:
        """The next chunk of each row's repetition, float32 (n, chunk)."""
        age = self.age[rows][:, None] + np.arange(self._size)
        period = self._period[rows][:, None]
        made = self._cycle[rows[:, None], age % period]
        # The first period begins where the audio ended, whatever the last one began with.
        first = np.clip(1.0 - age / np.maximum(period // _SEAM, 1), 0.0, 1.0)
        made = made + self._seam[rows][:, None] * first
        gain = np.clip((self._gone - age) / (self._gone - self._full), 0.0, 1.0)
        return np.asarray(made * gain, np.float32)


def _likeness(past: Samples, now: Samples) -> Samples:
    """Correlation of (n, lags, samples) with (n, samples), relative to the past's energy."""
    product = np.einsum("nls,ns->nl", past, now)
    energy = np.einsum("nls,nls->nl", past, past)
    return np.asarray(product / np.sqrt(energy + 1.0))
