"""Received audio on its way to the tick: a ring of 5 ms chunks per slot, placed by RTP timestamp.

Every chunk carries the absolute number it was written for, so nothing is ever cleared and stale
audio is never mistaken for new. Rings are reserved for all slots at once; memory is only touched
by slots in use.
"""

from __future__ import annotations

import numpy as np

from hookswitch.codecs.base import Pcm
from hookswitch.mixer.playout import Flags, Ints, Rows

CHUNK_MS = 5
CHUNKS_PER_FRAME = 4
CHUNKS = 256
"""Chunks a ring holds: 1.28 s."""

_MASK = CHUNKS - 1
_STEPS = np.arange(CHUNKS_PER_FRAME)


class Timeline:
    """RTP timestamps to absolute chunk numbers, by slot; survives the wrap of 32 bits."""

    def __init__(self, capacity: int) -> None:
        self._stamp = np.zeros(capacity, np.int64)
        self._chunk = np.zeros(capacity, np.int64)
        self._unit = np.ones(capacity, np.int64)

    def open(self, slot: int, clock_rate: int) -> None:
        """Timestamps of the slot count ``clock_rate`` per second."""
        self._unit[slot] = clock_rate * CHUNK_MS // 1000

    def locate(self, slots: Rows, stamps: Ints) -> Ints:
        """Chunk number of each timestamp, rounded to the stream's grid."""
        unit = self._unit[slots]
        ahead = (stamps - self._stamp[slots] + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        steps = (ahead + (unit >> 1)) // unit
        chunks = self._chunk[slots] + steps
        self._stamp[slots] += steps * unit
        self._chunk[slots] = chunks
        return chunks

    def rebase(self, slots: Rows, stamps: Ints, chunks: Ints) -> None:
        """From here on each timestamp in ``stamps`` is the chunk in ``chunks``."""
        self._stamp[slots] = stamps
        self._chunk[slots] = chunks


class Ring:
    """Rings of ``capacity`` slots of int16 PCM at ``rate`` Hz.

    ``play`` is the next chunk to be played and ``head`` one past the newest, int64 by slot;
    ``late`` counts packets that came after their turn.
    """

    def __init__(self, capacity: int, rate: int) -> None:
        self.samples = rate * CHUNK_MS // 1000
        self.play = np.zeros(capacity, np.int64)
        self.head = np.zeros(capacity, np.int64)
        self.late = np.zeros(capacity, np.int64)
        self._item = np.dtype((np.void, self.samples * 2))
        self._audio = np.zeros(capacity * CHUNKS, self._item)
        # Zeroed memory is free until touched; a slot's first chunk number is never as low as 0.
        self._number = np.zeros(capacity * CHUNKS, np.int64)

    def reset(self, slot: int) -> None:
        """Empty the slot; chunk numbers go on, so what was written before stays behind."""
        self.play[slot] = self.head[slot] = max(self.play[slot], self.head[slot]) + CHUNKS
        self.late[slot] = 0

    def place(self, slots: Rows, chunks: Ints, count: int, anew: Flags) -> tuple[Ints, Flags]:
        """Where packets of ``count`` chunks go that ask for ``chunks``: (chunks, whether moved).

        A packet that starts a stream (``anew``), or is out of the ring's reach in either
        direction, is put behind what is buffered: its timestamps have jumped.
        """
        play, head = self.play[slots], self.head[slots]
        moved = anew | (chunks + count > play + CHUNKS) | (chunks < play - CHUNKS)
        if moved.any():
            chunks = np.where(moved, np.maximum(head, play), chunks)
        return chunks, moved

    def write(self, slots: Rows, chunks: Ints, pcm: Pcm) -> None:
        """Write int16 (n, k * chunk samples) at ``chunks``; what is too late is left out."""
        count = pcm.shape[1] // self.samples
        play, end = self.play[slots], chunks + count
        fits = (end > play) & (end <= play + CHUNKS)
        if not fits.all():
            self.late[slots] += end <= play
            slots, chunks, end, pcm = slots[fits], chunks[fits], end[fits], pcm[fits]
        numbers = chunks[:, None] + np.arange(count)
        where = ((slots * CHUNKS)[:, None] + (numbers & _MASK)).ravel()
        self._audio[where] = np.ascontiguousarray(pcm).view(self._item).ravel()
        self._number[where] = numbers.ravel()
        self.head[slots] = np.maximum(self.head[slots], end)

    def front(self, n: int) -> tuple[Ints, Flags]:
        """Level in chunks (n,) and which chunks of the next frame are there, bool (n, 4)."""
        slots = np.arange(n)
        return self.head[:n] - self.play[:n], self._there(slots, self.play[:n])

    def read(self, slots: Rows, chunks: Ints) -> tuple[Pcm, Flags]:
        """The frames at ``chunks``: int16 (n, samples), and which of their chunks are valid."""
        numbers = chunks[:, None] + _STEPS
        where = (slots * CHUNKS)[:, None] + (numbers & _MASK)
        audio = self._audio.take(where.ravel(), mode="clip").view(np.int16)
        return audio.reshape(len(slots), -1), self._number.take(where, mode="clip") == numbers

    def hole(self, rows: Rows) -> Ints:
        """Chunks missing at the front of each row until one is there (`playout.Buffer`)."""
        numbers = self.play[rows][:, None] + np.arange(CHUNKS)
        where = (rows * CHUNKS)[:, None] + (numbers & _MASK)
        there = self._number[where] == numbers
        level = self.head[rows] - self.play[rows]
        return np.where(there.any(axis=1), there.argmax(axis=1), level)

    def quiet(self, rows: Rows) -> Flags:
        """Frames at the front that are there and below -48 dB of full scale (`playout.Buffer`)."""
        audio, there = self.read(rows, self.play[rows])
        peak = np.abs(audio.astype(np.int32)).max(axis=1)
        return np.asarray((peak < 128) & there.all(axis=1))

    def _there(self, slots: Rows, chunks: Ints) -> Flags:
        numbers = chunks[:, None] + _STEPS
        where = (slots * CHUNKS)[:, None] + (numbers & _MASK)
        return np.asarray(self._number.take(where, mode="clip") == numbers)
