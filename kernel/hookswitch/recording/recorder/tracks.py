"""All the rings that are recorded, read at once: array operations over whole arenas.

A *track* is one staged file and the one or two rings that are its channels. Rings hold two seconds
and are read several times in that; what was read waits in memory for the `Writer`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hookswitch.media.rings import Arena, Pcm
from hookswitch.mixer.bank import frame_samples

from .doubling import ROOM, Doubler
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

_TOGETHER = 32
"""Tracks that are read at once: their samples stay in the processor's cache on the way."""

_NEVER = np.iinfo(np.int64).max // 4


@dataclass(eq=False, slots=True)
class Track:
    """A staged file that samples go to. ``file`` belongs to the writer's thread.

    All places and counts are in samples of the rings; ``doubled`` is 2 where the file has twice
    their rate, else 1.
    """

    recording: str
    path: Path
    form: WavFormat
    sources: tuple[Source, ...]
    index: int = -1
    file: StagedFile | None = None

    @property
    def rate(self) -> int:
        """Of its rings, in Hz."""
        return self.sources[0][0].shape.rate

    @property
    def doubled(self) -> int:
        return self.form.rate // self.rate

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


_Kind = tuple[int, int, int]
"""What tracks have in common that are read together: channels, rate, and how much it is raised."""


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


class Tracks:
    """The tracks of all recordings, by row.

    ``position``: how far each ring was read, by its own counter; ``offset`` makes that the first
    channel's counter, ``shift`` makes that the place in the file; ``main``: the row of the
    recording's own track; ``_reach``: samples that a ring still holds for sure.
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
        self.frame, self._reach = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
        self._doubler = Doubler(capacity)
        self._arenas: list[Arena] = []
        self._rings: list[tuple[Arena, Rows, Rows]] = []
        """Of each arena the tracks that are read from it, and their rings."""
        self._kinds: dict[_Kind, Rows] = {}
        self._arena, self._ring = (np.zeros((capacity, 2), np.intp) for _ in range(2))
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
        frame = self.frame[row] = frame_samples(track.rate)
        self._reach[row] = (min(a.shape.frames for a, _ in track.sources) - CLEAR) * frame
        self._doubler.forget(row)
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
            start, stop = start * track.doubled, self.place(track) * track.doubled
            for begin in range(start, stop, track.form.rate):
                silence = bytes(min(track.form.rate, stop - begin) * track.form.frame_bytes)
                batch.pieces.append((track, begin, memoryview(silence)))
            self._doubler.forget(track.index)
        return batch

    def heard(self) -> Ints:
        """Per track, by its own counter: samples that all its rings have."""
        if self._stale:
            self._index()
        newest = np.full(self.capacity, _NEVER)
        for arena, tracks, rings in self._rings:
            np.minimum.at(newest, tracks, arena.heard_in[rings])
        return newest

    def take(
        self, heard: Ints, only: Collection[Track] | None = None, *, drop: bool = False
    ) -> Iterator[Batch]:
        """What the rings hold (as `heard` said), of these tracks or of all, some tracks at a time.

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
            self.position += count
            return
        for kind, rows in self._kinds.items():
            rows = rows[count[rows] > 0]
            for begin in range(0, len(rows), _TOGETHER):
                some = rows[begin : begin + _TOGETHER]
                batch = self._batch(kind, some, count[some])
                self.position[some] += count[some]
                yield batch

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
        oldest = heard[rows] - self._reach[rows]
        lost = np.maximum(oldest - self.position[rows], 0)
        self.position[rows] += lost
        self.lost += int(lost.sum())

    def _batch(self, kind: _Kind, rows: Rows, counts: Ints) -> Batch:
        batch = Batch()
        pcm = self._read(batch, kind, rows, counts)
        samples = pcm[:, :, _past(kind) :]
        self._silence_pauses(rows, counts, samples)
        places = self.position[rows] + self.offset[rows] + self.shift[rows]
        if kind[2] == 2:
            _silence_behind(counts, samples)
            pieces = self._doubler.double(rows, places, counts, pcm)
        else:
            lengths = zip(places.tolist(), counts.tolist(), _interleaved(samples), strict=True)
            pieces = [(place, frames[:count]) for place, count, frames in lengths]
        for row, (place, frames) in zip(rows.tolist(), pieces, strict=True):
            if place < 0:  # it was heard before the recording began
                frames, place = frames[-place:], 0
            if len(frames):
                batch.pieces.append((self._tracks[row], place, frames.data))
                batch.size += frames.nbytes
        return batch

    def _read(self, batch: Batch, kind: _Kind, rows: Rows, counts: Ints) -> Pcm:
        """What these rings hold, int16 (tracks, channels, samples), with room around it for what
        doubling needs."""
        channels, rate, doubled = kind
        frame, past = frame_samples(rate), _past(kind)
        frames = int(counts.max()) // frame
        end = past + frames * frame
        pcm = np.empty((len(rows), channels, end + frame * (doubled - 1)), np.int16)
        slots = (self.position[rows] // frame)[:, None] + np.arange(frames)
        upto = self.position[rows] + counts
        arenas = self._arena[rows, :channels]
        for index in np.unique(arenas).tolist():
            arena = self._arenas[index]
            track, channel = np.nonzero(arenas == index)
            ring = self._ring[rows[track], channel]
            heard = arena.heard[ring[:, None], slots[track] % arena.shape.frames]
            pcm[track, channel, past:end] = heard.reshape(len(track), -1)
            batch.marks.append((arena, ring, upto[track]))
        return pcm

    def _silence_pauses(self, rows: Rows, counts: Ints, pcm: Pcm) -> None:
        for index, row in enumerate(rows.tolist()):
            if self._pauses[row].spans:
                start = int(self.position[row] + self.offset[row])
                for silent in self._pauses[row].within(start, start + int(counts[index])):
                    pcm[index, :, silent] = 0

    def _index(self) -> None:
        found: dict[int, tuple[Arena, list[tuple[int, int]]]] = {}
        kinds: dict[_Kind, list[int]] = {}
        for row, track in self._tracks.items():
            kinds.setdefault(_kind_of(track), []).append(row)
            for channel, (arena, ring) in enumerate(track.sources):
                found.setdefault(id(arena), (arena, []))[1].append((row, ring))
                self._arena[row, channel] = list(found).index(id(arena))
                self._ring[row, channel] = ring
        self._kinds = {kind: np.array(rows, np.intp) for kind, rows in kinds.items()}
        self._arenas = [arena for arena, _ in found.values()]
        self._rings = [(arena, *np.array(rings, np.intp).T) for arena, rings in found.values()]
        self._stale = False

    def _grow(self) -> None:
        more = self.capacity
        self._free.extend(range(2 * more - 1, more - 1, -1))
        self.capacity += more
        self._doubler.grow(more)
        for name in (
            "position", "offset", "shift", "main", "frame", "_reach", "_arena", "_ring",
        ):  # fmt: skip
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros((more, *old.shape[1:]), old.dtype)]))


def _kind_of(track: Track) -> _Kind:
    return len(track.sources), track.rate, track.doubled


def _past(kind: _Kind) -> int:
    """Samples of room before those that are read."""
    return ROOM if kind[2] == 2 else 0


def _silence_behind(counts: Ints, samples: Pcm) -> None:
    """Make (tracks, channels, samples) silent behind so many samples of each track."""
    least, most = int(counts.min()), int(counts.max())
    samples[:, :, most:] = 0
    if least < most:
        behind = np.arange(least, most) >= counts[:, None]
        samples[:, :, least:most].swapaxes(1, 2)[behind] = 0


def _interleaved(samples: Pcm) -> Pcm:
    """(tracks, channels, samples) as (tracks, samples, channels)."""
    tracks, channels, count = samples.shape
    joined = np.empty((tracks, count, channels), np.int16)
    for channel in range(channels):  # long runs are copied faster than pairs
        joined[:, :, channel] = samples[:, channel]
    return joined
