"""Rings of audio in shared memory: how everything but RTP hands audio to the mixer and gets it.

An arena is one block of memory with room for many ring ports of one rate, so that the mixer serves
all of them with a few array operations. Each port has two rings: *said* (a producer
writes, the mixer reads) and *heard* (the mixer writes, a consumer reads). Every counter has one
writer and only grows; samples are stored before the counter that announces them, so no lock is
needed. (Stores become visible in order on x86; elsewhere the interpreter's own atomics between the
two stores order them.) The memory has no name: it lives as long as somebody holds its descriptor.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hookswitch.mixer.bank import TICKS_PER_SECOND, frame_samples

Pcm = NDArray[np.int16]
Counter = NDArray[np.int64]

FRAMES = TICKS_PER_SECOND
"""Frames a ring holds: one second, unless its arena says otherwise."""

_COUNTERS = 4


@dataclass(frozen=True, slots=True)
class ArenaShape:
    """What must be known to map an arena: sent along with its descriptor."""

    id: str
    rate: int
    capacity: int
    frames: int = FRAMES

    @property
    def bytes(self) -> int:
        counters = _COUNTERS * self.capacity * 8
        return counters + 2 * self.capacity * self.frames * frame_samples(self.rate) * 2


class Arena:
    """The memory of up to ``capacity`` ring ports of one rate, mapped into this process.

    ``said`` and ``heard`` are int16 (capacity, frames, samples); ``said_in``, ``said_out``,
    ``heard_in``, ``heard_out`` count samples written and read, int64 (capacity,).
    """

    def __init__(self, shape: ArenaShape, fd: int) -> None:
        """Map an arena; ``fd`` stays the caller's."""
        self.shape = shape
        self._map = mmap.mmap(fd, shape.bytes)
        counters = np.frombuffer(self._map, np.int64, _COUNTERS * shape.capacity)
        rows = counters.reshape(_COUNTERS, shape.capacity)
        self.said_in, self.said_out, self.heard_in, self.heard_out = rows
        ring = (shape.capacity, shape.frames, frame_samples(shape.rate))
        audio = np.frombuffer(self._map, np.int16, offset=counters.nbytes)
        self.said = audio[: audio.size // 2].reshape(ring)
        self.heard = audio[audio.size // 2 :].reshape(ring)

    def clear(self, row: int) -> None:
        """Make a row's rings empty; only while nobody uses the row."""
        for counter in (self.said_in, self.said_out, self.heard_in, self.heard_out):
            counter[row] = 0


def allocate(shape: ArenaShape) -> int:
    """Anonymous shared memory for an arena; answers a descriptor the caller owns."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create(f"hookswitch-{shape.id}", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, shape.bytes)
    return fd


class RingWriter:
    """The producer's end of one port's *said* ring. One writer per ring."""

    def __init__(self, arena: Arena, row: int) -> None:
        self._ring = arena.said[row].reshape(-1)
        self._in, self._out = arena.said_in, arena.said_out
        self._row = row

    def free(self) -> int:
        """Samples that can be written now."""
        return int(self._ring.size) - int(self._in[self._row] - self._out[self._row])

    def write(self, pcm: Pcm) -> int:
        """Write int16 samples as far as there is room; answers how many were taken."""
        count = min(len(pcm), self.free())
        start = int(self._in[self._row]) % self._ring.size
        first = min(count, self._ring.size - start)
        self._ring[start : start + first] = pcm[:first]
        self._ring[: count - first] = pcm[first:count]
        self._in[self._row] += count
        return count


class RingReader:
    """The consumer's end of one port's *heard* ring. One reader per ring."""

    def __init__(self, arena: Arena, row: int) -> None:
        self._ring = arena.heard[row].reshape(-1)
        self._frame = frame_samples(arena.shape.rate)
        self._in, self._out = arena.heard_in, arena.heard_out
        self._row = row
        self.lost = 0
        """Samples overwritten before they were read."""

    def read(self) -> Pcm:
        """All samples heard since the last call, oldest first; at most what the ring holds."""
        newest, position = int(self._in[self._row]), int(self._out[self._row])
        size = self._ring.size
        # The mixer may be writing the frame that follows; stay clear of it.
        oldest = newest - size + self._frame
        if position < oldest:
            self.lost += oldest - position
            position = oldest
        start, count = position % size, newest - position
        first = min(count, size - start)
        pcm = np.concatenate([self._ring[start : start + first], self._ring[: count - first]])
        self._out[self._row] = newest
        return pcm
