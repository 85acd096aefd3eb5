"""The frame matrices of one rate, with what the engine keeps per row between ticks."""

from __future__ import annotations

import numpy as np

from .bank import Samples, frame_samples
from .level import CEILING, ComfortNoise, Limiter
from .plan import Direct, Gain
from .resample import Index
from .speech import Detector
from .table import Rows

SPLICE_MS = 5
"""Time over which a jump in a signal, made by a change of its path, is smoothed out."""


class RateFrames:
    """Inputs and outputs of all ports of one rate: (rows, samples) each, and the tick before."""

    _PER_ROW = ("inputs", "past_inputs", "outputs", "past_outputs", "_limits", "_noise", "_gains")

    def __init__(self, rate: int, speech: Detector, rows: int = 64) -> None:
        shape = (rows, frame_samples(rate))
        self.inputs = np.zeros(shape, np.float32)
        self.past_inputs = np.zeros(shape, np.float32)
        self.outputs = np.zeros(shape, np.float32)
        self.past_outputs = np.zeros(shape, np.float32)
        self._limits = np.ones(rows, np.float32)
        """What the limiter multiplies by."""
        self._gains = np.ones(rows, np.float32)
        """What the inputs were last multiplied by."""
        self._amplified = False
        self._ramp = np.linspace(0.0, 1.0, shape[1] + 1, dtype=np.float32)[1:]
        self._noise = np.zeros(rows, np.bool_)
        self._rows = Rows()
        self._limiter = Limiter(rate)
        self._comfort_noise = ComfortNoise(rate)
        self.speech = speech
        fade = rate * SPLICE_MS // 1000
        self._fade = np.linspace(1.0, 0.0, fade, endpoint=False, dtype=np.float32)

    def open(self, noise: bool) -> int:
        """Take a row, silent in the past as well."""
        row = self._rows.take()
        if row >= len(self._limits):
            for name in self._PER_ROW:
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros_like(old)]))
        for matrix in (self.inputs, self.past_inputs, self.outputs, self.past_outputs):
            matrix[row] = 0.0
        self._limits[row] = self._gains[row] = 1.0
        self._noise[row] = noise
        self.speech.reset(row)
        return row

    def close(self, row: int) -> None:
        """Give a row back; what it last held is heard by nobody."""
        self._noise[row] = False
        self.inputs[row] = self.past_inputs[row] = 0.0
        self._rows.give_back(row)

    def turn(self) -> None:
        """This tick's frames become the past; the outputs start silent."""
        self.inputs, self.past_inputs = self.past_inputs, self.inputs
        self.outputs, self.past_outputs = self.past_outputs, self.outputs
        self.outputs[: self._rows.used] = 0.0

    def amplify(self, gain: Gain | None) -> bool:
        """Make the inputs as loud as planned; a change takes this whole frame, so it never clicks.

        It is even in decibels, which is how the limiter can follow it (`level.py`). Rows that are
        not in the plan go back to how they came. Answers whether any changed.
        """
        if gain is None and not self._amplified:
            return False
        before = self._gains[: self._rows.used]
        after = np.ones_like(before)
        if gain is not None:
            after[gain.rows] = gain.factors
        self._amplified = bool(((before != 1.0) | (after != 1.0)).any())
        steady = np.flatnonzero((before == after) & (after != 1.0))
        self.inputs[steady] *= after[steady, None]
        moving = np.flatnonzero(before != after)
        if len(moving):
            start = before[moving, None]
            self.inputs[moving] *= start * (after[moving, None] / start) ** self._ramp
        before[:] = after
        return len(moving) > 0

    def splice(self, rows: Index) -> None:
        """Join these output rows to their past without a step: the difference fades out."""
        jump = self.past_outputs[rows, -1] - self.outputs[rows, 0]
        self.outputs[rows, : len(self._fade)] += jump[:, None] * self._fade

    def finish(self, tick: int, direct: Direct | None, *, remixed: bool) -> None:
        """Limit the outputs, and put comfort noise into the silent ones that want it.

        ``remixed``: gains or paths were changed in this tick or the one before.

        Then those hear who hear what another says or hears, and nothing else.
        """
        rows = np.arange(self._rows.used) if direct is None else direct.others
        outputs = self.outputs[: len(rows)] if direct is None else self.outputs[rows]
        if len(rows):
            peaks = _peaks(outputs)
            self._limiter.apply(self.outputs, rows, peaks, self._limits, remixed=remixed)
            silent = rows[(peaks == 0.0) & self._noise[rows]]
            if len(silent):
                self._comfort_noise.fill(self.outputs, silent, tick)
        if direct is not None:
            self._say_directly(direct, remixed=remixed)
            self.outputs[direct.hearers] = self.outputs[direct.heard]

    def _say_directly(self, direct: Direct, *, remixed: bool) -> None:
        said, sayers = self.inputs[direct.said], direct.sayers
        if remixed:  # it may be on its way down from louder than full scale
            self.outputs[sayers] = said
            peaks = _peaks(said)
            self._limiter.apply(self.outputs, sayers, peaks, self._limits, remixed=True)
        else:
            self.outputs[sayers] = np.clip(said, -CEILING, CEILING, out=said)
            self._limits[sayers] = 1.0


def _peaks(frames: Samples) -> Samples:
    peaks: Samples = np.maximum(frames.max(axis=1), -frames.min(axis=1))
    return peaks
