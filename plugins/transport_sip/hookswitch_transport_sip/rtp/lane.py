"""From the rings to the engine's input rows: the ports of one sampling rate, once per tick."""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import Samples, frame_samples
from hookswitch.mixer.fade import Fader, cross_fade
from hookswitch.mixer.playout import Decision, Flags, Ints, Playout, Rows

from .ring import CHUNK_MS, CHUNKS, CHUNKS_PER_FRAME, Ring


class Lane:
    """Ring, playout and fades of the ports at one rate. Slots count from 0 within the lane."""

    def __init__(self, capacity: int, rate: int) -> None:
        self.ring = Ring(capacity, rate)
        self.playout = Playout(capacity, CHUNKS_PER_FRAME)
        self._fader = Fader(capacity, rate)
        self._row = np.zeros(capacity, np.intp)
        self._used = np.zeros(capacity, np.bool_)
        self._members = np.empty(0, np.intp)
        self._rows = np.empty(0, np.intp)
        self._frames = np.zeros((0, frame_samples(rate)), np.float32)

    def open(self, slot: int, row: int, jitter_ms: int, jitter_max_ms: int) -> None:
        """Play ``slot`` into the engine's ``row``, from silence."""
        self.ring.reset(slot)
        self._fader.reset(slot)
        maximum = min(jitter_max_ms // CHUNK_MS, CHUNKS // 2)
        self.playout.open(slot, jitter_ms // CHUNK_MS, maximum)
        self._row[slot], self._used[slot] = row, True
        self._arrange()

    def configure(self, slot: int, jitter_ms: int, jitter_max_ms: int) -> None:
        """Change the jitter buffer of an open slot."""
        maximum = min(jitter_max_ms // CHUNK_MS, CHUNKS // 2)
        self.playout.configure(slot, jitter_ms // CHUNK_MS, maximum)

    def close(self, slot: int) -> None:
        """Play the slot no more."""
        self.playout.close(slot)
        self.ring.reset(slot)
        self._used[slot] = False
        self._arrange()

    def pull(self, inputs: Samples) -> None:
        """Write the next 20 ms of every slot into its row of ``inputs``, float32."""
        if not len(self._members):
            return
        n = len(self._frames)
        ring = self.ring
        level, there = ring.front(n)
        plan = self.playout.decide(level, np.asarray(there.all(axis=1)), ring)
        before = ring.play[:n].copy() if plan.blend.any() else None
        ring.play[:n] += plan.skip
        pcm, there = ring.read(np.arange(n), ring.play[:n])
        np.copyto(self._frames, pcm)
        if before is not None:
            self._blend(before, plan, there)
        there &= plan.take[:, None]
        self._fader.apply(self._frames, there)
        ring.play[:n] += CHUNKS_PER_FRAME * (plan.take & ~plan.hold)
        inputs[self._rows] = self._frames[self._members]

    def _blend(self, before: Ints, plan: Decision, there: Flags) -> None:
        rows: Rows = np.flatnonzero(plan.blend)
        old, old_there = self.ring.read(rows, before[rows])
        both = old_there.all(axis=1) & there[rows].all(axis=1)
        rows, old = rows[both], old[both]
        self._frames[rows] = cross_fade(old.astype(np.float32), self._frames[rows])

    def _arrange(self) -> None:
        self._members = np.flatnonzero(self._used)
        self._rows = self._row[self._members]
        count = int(self._members[-1]) + 1 if len(self._members) else 0
        if count != len(self._frames):
            self._frames = np.zeros((count, self._frames.shape[1]), np.float32)
