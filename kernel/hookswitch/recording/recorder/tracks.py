"""All the rings that are recorded, read at once: array operations over whole arenas.

A *track* is one staged file and the one or two rings that are its channels. Rings hold a second and
are read several times in one; what was read waits in memory for the `Writer`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hookswitch.media.rings import FRAMES, Arena, Pcm
from hookswitch.mixer.bank import frame_samples

from .pauses import Pauses
from .staged import StagedFile
from .wav import WavFormat

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]
Source = tuple[Arena, int]
"""A ring: its arena and row."""

CLEAR = 5
"""Frames a reader stays clear of the mixer, which overwrites the oldest ones."""

BEHIND = 10
"""Frames by which a participant's ring may lag before the others wait for it no longer."""

_NEVER = np.iinfo(np.int64).max // 4


@dataclass(eq=False, slots=True)
class Track:
    """A staged file that samples go to. ``file`` belongs to the writer's thread."""

    recording: str
    path: Path
    form: WavFormat
    sources: tuple[Source, ...]
    index: int = -1
    file: StagedFile | None = None

    def open(self) -> OSError | None:
        """Open or create the staged file; answers why that is impossible."""
        try:
            self.file = StagedFile(self.path, self.form)
        except OSError as error:
            return error
        return None

    def close(self) -> None:
        """Let go of the staged file."""
        if self.file is not None:
            self.file.close()
            self.file = None


@dataclass(slots=True)
class Batch:
    """Samples on their way to the disk, and how far each ring is written once they are there."""

    pieces: list[tuple[Track, int, memoryview]] = field(default_factory=list)
    marks: list[tuple[Arena, Rows, Ints]] = field(default_factory=list)
    size: int = 0

    def write(self) -> dict[Track, OSError]:
        """Write everything that can be written; answers what could not be. For the writer."""
        failed: dict[Track, OSError] = {}
        for track, position, pcm in self.pieces:
            if track.file is None or track in failed:
                continue
            try:
                track.file.write(position, pcm)
            except OSError as error:
                failed[track] = error
        for arena, rows, values in self.marks:
            arena.heard_out[rows] = values
        return failed


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The rings of one arena that go to tracks of so many channels."""

    arena: Arena
    channels: int
    tracks: Rows
    channel: Rows
    rows: Rows


class Tracks:
    """The tracks of all recordings, by row.

    ``position``: how far each ring was read, by its own counter; ``offset`` makes that the first
    channel's counter, ``shift`` makes that the place in the file; ``main``: the row of the
    recording's own track.
    """

    def __init__(self, capacity: int = 256) -> None:
        self.capacity = capacity
        self.lost = 0
        """Samples that were overwritten, or had no room in memory."""
        self._tracks: dict[int, Track] = {}
        self._pauses: dict[int, Pauses] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self.position, self.offset, self.shift = (np.zeros(capacity, np.int64) for _ in range(3))
        self.main = np.zeros(capacity, np.intp)
        self.frame = np.zeros(capacity, np.int64)
        self._chunks: list[_Chunk] = []
        self._stale = False

    def add(
        self, track: Track, pauses: Pauses, *, position: int, offset: int = 0, shift: int,
        main: Track | None = None,
    ) -> None:  # fmt: skip
        """Read a track's rings from ``position`` on."""
        if not self._free:
            self._grow()
        row = track.index = self._free.pop()
        self._tracks[row], self._pauses[row] = track, pauses
        self.position[row], self.offset[row], self.shift[row] = position, offset, shift
        self.main[row] = row if main is None else main.index
        self.frame[row] = frame_samples(track.form.rate)
        self._stale = True

    def remove(self, track: Track) -> None:
        """Read them no more."""
        del self._tracks[track.index], self._pauses[track.index]
        self._free.append(track.index)
        track.index = -1
        self._stale = True

    def place(self, track: Track) -> int:
        """Where in its file the next sample of a track goes."""
        row = track.index
        return int(self.position[row] + self.offset[row] + self.shift[row])

    def pad(self, main: int, samples: int) -> None:
        """Silence from here on, in all tracks of a recording."""
        rows = np.array([row for row in self._tracks if self.main[row] == main], np.intp)
        self.shift[rows] += samples

    def rewind(self, tracks: Iterable[Track], at: int) -> None:
        """Read again from the first channel's sample ``at`` on."""
        for track in tracks:
            row = track.index
            frame = self.frame[row]
            earlier = max(at - self.offset[row], 0) // frame * frame
            self.position[row] = min(self.position[row], earlier)

    def erased(self, tracks: Iterable[Track], at: int) -> Batch:
        """Silence for what was read since the first channel's sample ``at``."""
        batch = Batch()
        for track in tracks:
            start = max(at + int(self.shift[track.index]), 0)
            stop, rate = self.place(track), track.form.rate
            for begin in range(start, stop, rate):
                silence = bytes(min(rate, stop - begin) * track.form.frame_bytes)
                batch.pieces.append((track, begin, memoryview(silence)))
        return batch

    def heard(self) -> Ints:
        """Per track, by its own counter: samples that all its rings have."""
        if self._stale:
            self._index()
        newest = np.full(self.capacity, _NEVER)
        for chunk in self._chunks:
            np.minimum.at(newest, chunk.tracks, chunk.arena.heard_in[chunk.rows])
        return newest

    def take(
        self, heard: Ints, only: Collection[Track] | None = None, *, drop: bool = False
    ) -> Batch:
        """What the rings hold (as `heard` said), of these tracks or of all.

        With ``drop`` it is let go: silence will stand in its place.
        """
        upto = self._together(heard) if only is None else heard
        count = np.zeros(self.capacity, np.int64)
        chosen = np.fromiter(
            self._tracks if only is None else (track.index for track in only), np.intp
        )
        self._skip_overwritten(chosen, heard)
        count[chosen] = np.maximum(upto[chosen] - self.position[chosen], 0)
        if drop:
            self.lost += int(count.sum())
            batch = Batch()
        else:
            batch = self._gather(count)
        self.position += count
        return batch

    # -- within

    def _together(self, heard: Ints) -> Ints:
        """How far to read so that all tracks of a recording stay together."""
        rows = np.fromiter(self._tracks, np.intp)
        own = heard[rows] + self.offset[rows]
        main, late = self.main[rows], BEHIND * self.frame[rows]
        waited = own >= heard[main] - late
        limit = heard.copy()
        np.minimum.at(limit, main[waited], own[waited])
        upto = heard.copy()
        upto[rows] = np.minimum(heard[rows], limit[main] - self.offset[rows])
        return upto

    def _skip_overwritten(self, rows: Rows, heard: Ints) -> None:
        oldest = heard[rows] - (FRAMES - CLEAR) * self.frame[rows]
        lost = np.maximum(oldest - self.position[rows], 0)
        self.position[rows] += lost
        self.lost += int(lost.sum())

    def _gather(self, count: Ints) -> Batch:
        batch = Batch()
        buffers, local = self._buffers(count)
        for chunk in self._chunks:
            some = count[chunk.tracks] > 0
            tracks, rows = chunk.tracks[some], chunk.rows[some]
            if not len(tracks):
                continue
            frame = frame_samples(chunk.arena.shape.rate)
            pcm = buffers[chunk.channels, frame]
            slots = (self.position[tracks] // frame)[:, None] + np.arange(pcm.shape[1])
            pcm[local[tracks], :, :, chunk.channel[some]] = chunk.arena.heard[
                rows[:, None], slots % FRAMES
            ]
            batch.marks.append((chunk.arena, rows, (self.position + count)[tracks]))
        for row in np.flatnonzero(count).tolist():
            track = self._tracks[row]
            pcm = buffers[track.form.channels, int(self.frame[row])][local[row]]
            self._add_piece(batch, track, pcm.reshape(-1, track.form.channels)[: count[row]])
        return batch

    def _buffers(self, count: Ints) -> tuple[dict[tuple[int, int], Pcm], Rows]:
        """Room for the samples, per number of channels and frame size, and each track's row."""
        local = np.zeros(self.capacity, np.intp)
        groups: dict[tuple[int, int], list[int]] = {}
        for row in np.flatnonzero(count).tolist():
            key = (self._tracks[row].form.channels, int(self.frame[row]))
            local[row] = len(groups.setdefault(key, []))
            groups[key].append(row)
        return {
            (channels, frame): np.empty(
                (len(rows), int(count[rows].max()) // frame, frame, channels), np.int16
            )
            for (channels, frame), rows in groups.items()
        }, local

    def _add_piece(self, batch: Batch, track: Track, pcm: Pcm) -> None:
        pauses = self._pauses[track.index]
        if pauses.spans:
            start = int(self.position[track.index] + self.offset[track.index])
            for silent in pauses.within(start, start + len(pcm)):
                pcm[silent] = 0
        place = self.place(track)
        if place < 0:  # it was heard before the recording began
            pcm, place = pcm[-place:], 0
        if not len(pcm):
            return
        batch.pieces.append((track, place, pcm.data))
        batch.size += pcm.nbytes

    def _index(self) -> None:
        found: dict[tuple[int, int], tuple[Arena, list[Sequence[int]]]] = {}
        for row, track in self._tracks.items():
            for channel, (arena, ring) in enumerate(track.sources):
                key = (id(arena), len(track.sources))
                found.setdefault(key, (arena, []))[1].append((row, channel, ring))
        self._chunks = [
            _Chunk(arena, channels, *np.array(rings, np.intp).T)
            for (_, channels), (arena, rings) in found.items()
        ]
        self._stale = False

    def _grow(self) -> None:
        more = self.capacity
        self._free.extend(range(2 * more - 1, more - 1, -1))
        self.capacity += more
        for name in ("position", "offset", "shift", "main", "frame"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros(more, old.dtype)]))
