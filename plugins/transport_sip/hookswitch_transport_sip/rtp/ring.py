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

FRAMES = CHUNKS // CHUNKS_PER_FRAME

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
        self._frame_item = np.dtype((np.void, self.samples * 2 * CHUNKS_PER_FRAME))
        # Zeroed memory is free until touched; a slot's first chunk number is never as low as 0.
        self._number = np.zeros(capacity * CHUNKS, np.int64)
        # Nearly all packets are one aligned frame: the same memory, seen as frames.
        self._frame_audio = self._audio.view(self._frame_item)
        self._frame_number = self._number.reshape(-1, CHUNKS_PER_FRAME)

    def reset(self, slot: int) -> None:
        """Empty the slot; chunk numbers go on, so what was written before stays behind."""
        self.play[slot] = self.head[slot] = max(self.play[slot], self.head[slot]) + CHUNKS
        self.late[slot] = 0

    def place(
        self, slots: Rows, chunks: Ints, count: int | Ints, anew: Flags
    ) -> tuple[Ints, Flags]:
        """Where packets of ``count`` chunks go that ask for ``chunks``: (chunks, whether moved).

        A packet that starts a stream (``anew``), or is out of the ring's reach in either
        direction, is put behind what is buffered: its timestamps have jumped.
        """
        play = self.play[slots]
        ahead = chunks - play
        moved = anew | (ahead > CHUNKS - count)
        moved |= ahead < -CHUNKS
        if np.count_nonzero(moved):
            chunks = np.where(moved, np.maximum(self.head[slots], play), chunks)
        return chunks, moved

    def write(self, slots: Rows, chunks: Ints, pcm: Pcm) -> None:
        """Write int16 (n, k * chunk samples) at ``chunks``; what is too late is left out."""
        count = pcm.shape[1] // self.samples
        ahead = chunks - self.play[slots]
        ahead += count
        fits = (ahead > 0) & (ahead <= CHUNKS)
        if np.count_nonzero(fits) != len(slots):
            self.late[slots] += ahead <= 0
            slots, chunks, pcm = slots[fits], chunks[fits], pcm[fits]
        self._store(slots, chunks, np.ascontiguousarray(pcm), count)
        self.head[slots] = np.maximum(self.head[slots], chunks + count)

    def _store(self, slots: Rows, chunks: Ints, pcm: Pcm, count: int) -> None:
        if count == CHUNKS_PER_FRAME and not np.count_nonzero(chunks & 3):
            where = slots * FRAMES + (chunks >> 2 & _MASK >> 2)
            self._frame_audio[where] = pcm.view(self._frame_item).ravel()
            self._frame_number[where] = chunks[:, None] + _STEPS
            return
        numbers = chunks[:, None] + np.arange(count)
        at = ((slots * CHUNKS)[:, None] + (numbers & _MASK)).ravel()
        self._audio[at] = pcm.view(self._item).ravel()
        self._number[at] = numbers.ravel()

    def front(self, n: int) -> tuple[Ints, Flags]:
        """Level in chunks (n,) and which chunks of the next frame are there, bool (n, 4)."""
        play = self.play[:n]
        return self.head[:n] - play, self.there(np.arange(n), play)

    def there(self, slots: Rows, chunks: Ints) -> Flags:
        """Which chunks of the frames at ``chunks`` are valid, bool (n, 4)."""
        if not np.count_nonzero(chunks & 3):
            where = slots * FRAMES + (chunks >> 2 & _MASK >> 2)
            numbers = self._frame_number.take(where, axis=0, mode="clip")
        else:
            at = (slots * CHUNKS)[:, None] + (chunks[:, None] + _STEPS & _MASK)
            numbers = self._number.take(at, mode="clip")
        numbers -= _STEPS
        return np.asarray(numbers == chunks[:, None])

    def read(self, slots: Rows, chunks: Ints) -> Pcm:
        """The frames at ``chunks``: int16 (n, samples); where nothing is valid, anything."""
        if not np.count_nonzero(chunks & 3):
            where = slots * FRAMES + (chunks >> 2 & _MASK >> 2)
            audio = self._frame_audio.take(where, mode="clip").view(np.int16)
        else:
            at = (slots * CHUNKS)[:, None] + (chunks[:, None] + _STEPS & _MASK)
            audio = self._audio.take(at.ravel(), mode="clip").view(np.int16)
        return audio.reshape(len(slots), -1)

    def hole(self, rows: Rows) -> Ints:
        """Chunks missing at the front of each row until one is there (`playout.Buffer`)."""
        numbers = self.play[rows][:, None] + np.arange(CHUNKS)
        where = (rows * CHUNKS)[:, None] + (numbers & _MASK)
        there = self._number[where] == numbers
        level = self.head[rows] - self.play[rows]
        return np.where(there.any(axis=1), there.argmax(axis=1), level)

    def quiet(self, rows: Rows) -> Flags:
        """Frames at the front that are there and below -48 dB of full scale (`playout.Buffer`)."""
        play = self.play[rows]
        peak = np.abs(self.read(rows, play).astype(np.int32)).max(axis=1)
        return np.asarray((peak < 128) & self.there(rows, play).all(axis=1))
