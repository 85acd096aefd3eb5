"""From the rings to the engine's input rows: the ports of one sampling rate, once per tick."""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import Samples, frame_samples
from hookswitch.mixer.fade import cross_fade, whole
from hookswitch.mixer.playout import Decision, Flags, Playout, Rows

from .conceal import PAST, Concealer
from .in_order import InOrder
from .ring import CHUNK_MS, CHUNKS, CHUNKS_PER_FRAME, Ring

LONGEST_WAIT = 100
"""Chunks for which a decoder is asked to fill the silence of its peer."""


class Lane:
    """Ring, playout and concealment of the ports at one rate. Slots count from 0 in the lane."""

    def __init__(self, capacity: int, rate: int) -> None:
        self.ring = Ring(capacity, rate)
        self.playout = Playout(capacity, CHUNKS_PER_FRAME)
        self._streams: list[InOrder] = []
        self._stream = np.full(capacity, -1, np.intp)
        self._concealer = Concealer(capacity, rate)
        self._row = np.zeros(capacity, np.intp)
        self._used = np.zeros(capacity, np.bool_)
        self._members = np.empty(0, np.intp)
        self._rows: Rows | slice = np.empty(0, np.intp)
        self._everyone = np.empty(0, np.intp)
        # The frame being made, and before it those of the ticks before, the latest last.
        self._frames = [np.zeros((0, frame_samples(rate)), np.float32) for _ in range(PAST + 1)]

    def open(self, slot: int, row: int, jitter_ms: int, jitter_max_ms: int) -> None:
        """Play ``slot`` into the engine's ``row``, from silence."""
        self.ring.reset(slot)
        self._concealer.reset(slot)
        maximum = min(jitter_max_ms // CHUNK_MS, CHUNKS // 2)
        self.playout.open(slot, jitter_ms // CHUNK_MS, maximum)
        self._row[slot], self._used[slot] = row, True
        self._arrange()

    def configure(self, slot: int, jitter_ms: int, jitter_max_ms: int) -> None:
        """Change the jitter buffer of an open slot."""
        maximum = min(jitter_max_ms // CHUNK_MS, CHUNKS // 2)
        self.playout.configure(slot, jitter_ms // CHUNK_MS, maximum)

    def decode_by(self, slot: int, stream: InOrder | None) -> None:
        """Whose packets are decoded in their order: by ``stream``; None: they need no order."""
        if stream is not None and stream not in self._streams:
            self._streams.append(stream)
        self._stream[slot] = -1 if stream is None else self._streams.index(stream)

    def close(self, slot: int) -> None:
        """Play the slot no more."""
        self.playout.close(slot)
        self.ring.reset(slot)
        self._used[slot] = False
        self._stream[slot] = -1
        self._arrange()

    def pull(self, inputs: Samples) -> None:
        """Write the next 20 ms of every slot into its row of ``inputs``, float32."""
        if not len(self._members):
            return
        for stream in self._streams:
            stream.settle()
        self._frames.append(self._frames.pop(0))
        n, ring, frames = len(self._everyone), self.ring, self._frames[-1]
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
        if self._streams:
            self._ask_decoders(frames, there, plan)
        self._concealer.apply(frames, there, self._frames[:-1])
        play += CHUNKS_PER_FRAME * (plan.take & ~plan.hold)
        inputs[self._rows] = frames if len(self._members) == n else frames[self._members]

    def _ask_decoders(self, frames: Samples, there: Flags, plan: Decision) -> None:
        """Have decoders fill the frames that are not there, as long as that is to be expected."""
        n = len(frames)
        silent = ~there.any(axis=1) & (self._stream[:n] >= 0) & (self._concealer.age[:n] == 0)
        if not np.count_nonzero(silent):
            return
        for index, stream in enumerate(self._streams):
            wanted = silent & (self._stream[:n] == index) & (stream.waited[:n] < LONGEST_WAIT)
            slots = np.flatnonzero(wanted)
            pcm = stream.codec.conceal(slots, frames.shape[1]) if len(slots) else None
            stream.waited[:n] += CHUNKS_PER_FRAME * (silent & ~plan.take)
            if pcm is not None:
                frames[slots], there[slots] = pcm, True

    def _arrange(self) -> None:
        self._members = np.flatnonzero(self._used)
        self._rows = as_slice(self._row[self._members])
        count = int(self._members[-1]) + 1 if len(self._members) else 0
        if count != len(self._everyone):
            self._everyone = np.arange(count)
            self._frames = [_resized(each, count) for each in self._frames]


def _resized(frames: Samples, count: int) -> Samples:
    """The first ``count`` rows; new ones are silent."""
    resized = np.zeros((count, frames.shape[1]), np.float32)
    kept = min(count, len(frames))
    resized[:kept] = frames[:kept]
    return resized


def as_slice(rows: Rows) -> Rows | slice:
    """Rows in sequence as a slice, which numpy copies without looking at each index."""
    if len(rows) and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows
