"""All recordings of this recorder: what control orders, and what is done several times a second."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np

from hookswitch.media.rings import Arena, ArenaShape
from hookswitch.recording.messages import (
    AddChannel,
    Begun,
    ChannelEnded,
    EndChannel,
    Finish,
    Finished,
    Pause,
    Record,
    Resume,
)

from .completion import Completion
from .drift import Drift, Ints
from .mailbox import Mailbox
from .session import Joining, Session, first_sidecar
from .sidecar import Place, Sidecar
from .staged import StagedFile
from .tracks import Batch, Track, Tracks
from .writer import Writer

log = logging.getLogger(__name__)

LOOKS = 3
"""How many times the clock is looked at for each time that the rings are emptied."""

UNDISTURBED = 0.005
"""Seconds within which clock and counters must be read for them to belong together."""


class Recordings:
    """Orders are obeyed at once, but for ends: those of many are made in one go, by `settle`."""

    def __init__(
        self,
        directory: Path,
        found: dict[str, tuple[Place, Sidecar]],
        mailbox: Mailbox,
        say: Callable[[object], None],
        clock: Callable[[], float],
    ) -> None:
        """``found``: what is staged; the recordings among it that go on are ordered anew."""
        self._directory = directory
        self._found = found
        self._say = say
        self._clock = clock
        self._writer = Writer(mailbox)
        self._completion = Completion(mailbox, say)
        self._sessions: dict[str, Session] = {}
        self._arenas: WeakValueDictionary[str, Arena] = WeakValueDictionary()
        self._tracks = Tracks()
        self._drift = Drift(self._tracks.capacity)
        self._joined: list[tuple[Session, Joining]] = []
        self._left: list[tuple[Session, str, Track]] = []
        self._over: list[Session] = []
        self._looked = LOOKS
        """Times since the rings were emptied; they may be about to overflow."""

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def lost(self) -> int:
        """Samples that did not get into their files."""
        return self._tracks.lost

    @property
    def joining(self) -> bool:
        """Whether `look` is wanted soon."""
        return bool(self._joined)

    # -- orders

    def record(self, order: Record, fds: Sequence[int]) -> None:
        """Begin, or go on where a recorder that died has ended."""
        arenas = [self._map(one.arena, fd) for one, fd in zip(order.channels, fds, strict=True)]
        if order.id in self._sessions:
            return
        sources = tuple((arena, one.row) for arena, one in zip(arenas, order.channels, strict=True))
        written = min(int(arena.heard_out[row]) for arena, row in sources)
        sidecar = first_sidecar(order, written)
        is_new = order.id not in self._found
        if not is_new:
            place, sidecar = self._found.pop(order.id)
            if sidecar.frames is not None:  # it was over already; its rings may be others' by now
                self._completion.recover(place, sidecar)
                return
        session = Session(Place(self._directory, order.id), sidecar, sources)
        session.names = tuple(one.name for one in order.channels)
        self._sessions[order.id] = session
        self._tracks.add(session.main, session.pauses, position=written, shift=sidecar.shift)
        self._drift.begin(session.main.index, self._tracks.capacity, sidecar.zero)
        self._save(session)
        self._writer.put(
            session.main.open, partial(self._begun if is_new else self._opened, session)
        )

    def add_channel(self, order: AddChannel, fds: Sequence[int]) -> None:
        """A participant came."""
        arena = self._map(order.channel.arena, fds[0])
        session, name = self._sessions.get(order.id), order.channel.name
        if session is None or name in session.present or name in session.joining:
            return
        track = session.join(order.channel, arena)
        joining = session.joining[name]
        self._open(session, track)
        if joining.participant.offset is not None:  # it was here when the last recorder died
            self._place(session, joining, joining.participant.offset)
        else:
            self._joined.append((session, joining))

    def end_channel(self, order: EndChannel) -> None:
        """A participant left."""
        session = self._sessions.get(order.id)
        if session is not None and order.name in session.joining:
            self._place_now(session, session.joining[order.name])
        track = session.present.pop(order.name, None) if session is not None else None
        if session is None or track is None:
            self._say(ChannelEnded(order.id, order.name))
        else:
            self._left.append((session, order.name, track))

    def pause(self, order: Pause) -> None:
        """Silence from a sample on, also where sound was taken already."""
        session = self._sessions.get(order.id)
        if session is not None and session.pauses.pause(order.at):
            self._write(self._tracks.erased(session.tracks, order.at))
            self._save(session)

    def resume(self, order: Resume) -> None:
        """Sound from a sample on; what was taken since is taken again."""
        session = self._sessions.get(order.id)
        if session is not None and session.pauses.resume(order.at):
            self._tracks.rewind(session.tracks, order.at)
            self._save(session)

    def finish(self, order: Finish) -> None:
        """Take what is left, then publish."""
        session = self._sessions.get(order.id)
        if session is not None and session not in self._over:
            self._over.append(session)

    # -- what time brings

    def take(self) -> None:
        """Make up for time that was lost; every third time, and then, take what all rings hold."""
        before, heard, after = self._read()
        waiting = {session.id for session, _ in self._joined}
        steady = [one for one in self._sessions.values() if one.id not in waiting]
        lost = self._lost(steady, heard, before, after)
        self._looked += 1
        if self._looked >= LOOKS or lost.any():
            self._looked = 0
            self._write_all(self._tracks.take(heard, drop=self._writer.full))
        self._make_up(steady, lost)

    def look(self) -> None:
        """See where those stand in time who have just come."""
        joined, self._joined = self._joined, []
        for session, joining in joined:
            if joining.participant.name not in session.joining:
                continue
            if session.look(joining):
                assert joining.alignment.offset is not None
                self._place(session, joining, joining.alignment.offset)
            else:
                self._joined.append((session, joining))

    def settle(self) -> None:
        """End the channels and recordings that were ordered to."""
        if self._left:
            self._end_channels()
        if self._over:
            self._end_recordings()

    def recover(self, ongoing: frozenset[str]) -> None:
        """Publish what was found staged, but for recordings that will be ordered anew."""
        for lost in [name for name in self._found if name not in ongoing]:
            self._completion.recover(*self._found.pop(lost))

    def stop(self, within: float) -> None:
        """Write what the rings hold, and leave everything staged."""
        self._completion.stop()
        self._looked = LOOKS
        self.take()
        self._writer.finish(within)

    # -- within

    def _end_channels(self) -> None:
        left, self._left = self._left, []
        _, heard, _ = self._read()
        tracks = [track for _, _, track in left]
        self._write_all(self._tracks.take(heard, tracks, drop=self._writer.full))
        for session, name, track in left:
            one = session.participant(name)
            one.ring, one.end = None, self._tracks.place(track)
            self._tracks.remove(track)
            self._writer.put(track.close)
            self._save(session)
            self._writer.put(_nothing, partial(self._say_ended, session.id, [name]))

    def _end_recordings(self) -> None:
        over, self._over = self._over, []
        for session in over:
            for joining in list(session.joining.values()):
                self._place_now(session, joining)
        before, heard, after = self._read()
        tracks = [track for session in over for track in session.tracks]
        self._write_all(self._tracks.take(heard, tracks, drop=self._writer.full))
        self._make_up(over, self._lost(over, heard, before, after))
        for session in over:
            self._end(session)

    def _end(self, session: Session) -> None:
        sidecar = session.sidecar
        sidecar.frames = self._tracks.place(session.main)
        for name, track in session.present.items():
            session.participant(name).end = self._tracks.place(track)
        for track in session.tracks:
            self._tracks.remove(track)
        del self._sessions[session.id]
        self._save(session)
        names = [*session.names, *session.present]
        for track in session.present.values():
            self._writer.put(track.close)
        self._writer.put(lambda: session.main.file, partial(self._complete, session, names))

    def _complete(self, session: Session, names: Iterable[str], main: StagedFile | None) -> None:
        self._say_ended(session.id, names, None)
        if session.unmade is not None:
            error = session.unmade.strerror or str(session.unmade)
            self._writer.put(partial(_remove, session.place))
            self._say(Finished(session.id, session.sidecar.file, 0, error=error))
            return
        self._completion.complete(session.place, session.sidecar, main)

    def _say_ended(self, recording: str, names: Iterable[str], _: None) -> None:
        for name in names:
            self._say(ChannelEnded(recording, name))

    def _place(self, session: Session, joining: Joining, offset: int) -> None:
        """A participant's place in time is known: take its samples from now on."""
        one, track = joining.participant, joining.track
        del session.joining[one.name]
        (arena, row), shift = track.sources[0], session.sidecar.shift
        written = int(arena.heard_out[row])
        one.offset = offset
        if one.start is None:
            one.start = max(written + offset + shift, 0)
        self._tracks.add(
            track, session.pauses, position=written, offset=offset, shift=shift, main=session.main
        )
        session.present[one.name] = track
        self._save(session)

    def _place_now(self, session: Session, joining: Joining) -> None:
        """The same for one that leaves before its place is certain."""
        while joining.alignment.offset is None:
            session.look(joining)
        self._place(session, joining, joining.alignment.offset)

    def _lost(self, sessions: Sequence[Session], heard: Ints, before: float, after: float) -> Ints:
        """Samples that never came, of each recording."""
        rows = np.array([session.main.index for session in sessions], np.intp)
        rates = np.array([session.sidecar.rate for session in sessions], np.int64)
        counters = heard[rows] + self._tracks.shift[rows]
        return self._drift.observe(rows, counters, rates, before, after)

    def _make_up(self, sessions: Sequence[Session], lost: Ints) -> None:
        """Silence for ticks that never came, behind all that was taken."""
        for index in np.flatnonzero(lost).tolist():
            session, samples = sessions[index], int(lost[index])
            log.warning("recording %s: %d samples of silence for lost ticks", session.id, samples)
            self._tracks.pad(session.main.index, samples)
            session.sidecar.shift += samples
            session.sidecar.zero = float(self._drift.zero[session.main.index])
            self._save(session)

    def _read(self) -> tuple[float, Ints, float]:
        """The counters of all rings, between two looks at the clock."""
        for _ in range(5):
            before = self._clock()
            heard = self._tracks.heard()
            after = self._clock()
            if after - before < UNDISTURBED:
                break
        return before, heard, after

    def _map(self, shape: ArenaShape, fd: int) -> Arena:
        """The arena in this process's memory; takes the descriptor."""
        try:
            arena = self._arenas.get(shape.id)
            if arena is None:
                arena = self._arenas[shape.id] = Arena(shape, fd)
            return arena
        finally:
            os.close(fd)

    def _write_all(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self._write(batch)

    def _write(self, batch: Batch) -> None:
        if batch.pieces:
            self._writer.put(batch.write, self._written, batch.size)

    def _written(self, failed: dict[Track, OSError]) -> None:
        for track, error in failed.items():
            self._broke(track.recording, error)

    def _open(self, session: Session, track: Track) -> None:
        self._writer.put(track.open, partial(self._opened, session))

    def _opened(self, session: Session, error: OSError | None) -> None:
        if error is not None:
            self._broke(session.id, error)

    def _begun(self, session: Session, error: OSError | None) -> None:
        if error is None:
            self._say(Begun(session.id))
            return
        log.error("recording %s cannot begin: %s", session.id, error)
        session.unmade = error
        if session.id in self._sessions and session not in self._over:
            self._over.append(session)

    def _broke(self, recording: str, error: OSError) -> None:
        """A recording cannot be written any more: it ends with what it has."""
        session = self._sessions.get(recording)
        if session is None or session in self._over:
            return
        session.sidecar.error = error.strerror or str(error)
        log.error("recording %s ends: %s", recording, error)
        self._over.append(session)

    def _save(self, session: Session) -> None:
        self._writer.put(partial(_save, session.place, session.packed()))


def _save(place: Place, packed: bytes) -> None:
    with suppress(OSError):  # what cannot be written is found out by the samples
        place.save(packed)


def _remove(place: Place) -> None:
    with suppress(OSError):  # the disk is at fault already
        place.remove()


def _nothing() -> None:
    """What the writer does when only its turn matters."""
