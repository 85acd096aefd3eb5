"""From the rings to the engine's input rows: the ports of one sampling rate, once per tick."""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import Samples, frame_samples
from hookswitch.mixer.fade import Fader, cross_fade, whole
from hookswitch.mixer.playout import Playout, Rows

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
        self._rows: Rows | slice = np.empty(0, np.intp)
        self._everyone = np.empty(0, np.intp)
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
        n, ring, frames = len(self._frames), self.ring, self._frames
        everyone, play = self._everyone, ring.play[:n]
        level, there = ring.front(n)
        plan = self.playout.decide(level, whole(there), ring)
        blend = np.flatnonzero(plan.blend) if np.count_nonzero(plan.blend) else None
        old = ring.read(blend, play[blend]) if blend is not None else None
        if np.count_nonzero(plan.skip):
            play += plan.skip
            there = ring.there(everyone, play)
        np.copyto(frames, ring.read(everyone, play))
        if blend is not None and old is not None:
            frames[blend] = cross_fade(old.astype(np.float32), frames[blend])
        there &= plan.take[:, None]
        self._fader.apply(frames, there)
        play += CHUNKS_PER_FRAME * (plan.take & ~plan.hold)
        inputs[self._rows] = frames if len(self._members) == n else frames[self._members]

    def _arrange(self) -> None:
        self._members = np.flatnonzero(self._used)
        self._rows = as_slice(self._row[self._members])
        count = int(self._members[-1]) + 1 if len(self._members) else 0
        if count != len(self._frames):
            self._everyone = np.arange(count)
            self._frames = np.zeros((count, self._frames.shape[1]), np.float32)


def as_slice(rows: Rows) -> Rows | slice:
    """Rows in sequence as a slice, which numpy copies without looking at each index."""
    if len(rows) and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
