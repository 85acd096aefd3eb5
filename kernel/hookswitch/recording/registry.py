"""All recordings of the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hookswitch.errors import BadRequest, Conflict, NotFound, OperationFailed
from hookswitch.events.media import RecordingFinished
from hookswitch.media.plane import MediaPlane
from hookswitch.rooms.place import Place, RoomPlace
from hookswitch.rooms.room import Room

from .client import Recorder, Told
from .context import Emit, emit_of
from .messages import Finished, Format, RecorderConfig
from .ongoing import Recording, finished_fields
from .recorder.sidecar import SUFFIX
from .storing import Storing

log = logging.getLogger(__name__)

Spawn = Callable[[Coroutine[Any, Any, None]], None]
"""Runs something in the background."""

LONGEST_NAME = 240
"""Bytes of a file's name: of the 255 that file systems take, "-multi" and "-99" need some."""


LEAVE_WITHIN = 20.0
"""Seconds that all files are given when the server ends; the others are made after its next start.
"""


class Recordings:
    """What is being recorded, by place: one recording each."""

    def __init__(
        self, media: MediaPlane, directory: Path, storing: Storing, emit: Emit, spawn: Spawn
    ) -> None:
        self._media, self._directory = media, directory
        self._storing, self._emit, self._spawn = storing, emit, spawn
        self._recorder = Recorder(RecorderConfig(directory), self._recovered)
        self._recording: dict[str, Recording] = {}
        self._finishing: set[Recording] = set()
        """Those that are over, and whose files take their time."""

    def __len__(self) -> int:
        return len(self._recording)

    @property
    def recorder(self) -> Recorder:
        """The process that writes them."""
        return self._recorder

    @property
    def storing(self) -> Storing:
        """What is made of those that do not stay here."""
        return self._storing

    @property
    def finishing(self) -> int:
        """How many are over whose files are still being made."""
        return len(self._finishing)

    async def begin(self) -> None:
        """Have recordings completed and stored that a crash left, if there may be any."""
        left = sorted(self._directory.glob(".*")) if self._directory.is_dir() else []
        sidecars = [path.name for path in left if path.name.endswith(SUFFIX)]
        await self._storing.start([name[1 : -len(SUFFIX)] for name in sidecars])
        if left:
            self._recorder.start()

    async def start(
        self,
        place: Place,
        file_format: Format,
        filename: str | None,
        multi_channel: bool,
        storage: str,
        fields: BaseModel,
    ) -> Recording:
        """Record something; ``fields`` are the storage's, and any others.

        ``multi_channel`` is for rooms: a leg's file has its two channels anyway.
        Raises Conflict, BadRequest, OperationFailed.
        """
        place.check()
        if place.id in self._recording:
            raise Conflict("a recording is in progress")
        file, beside = self._files(place, file_format, filename)
        recording = Recording(
            place,
            file,
            file_format,
            beside if multi_channel and isinstance(place, RoomPlace) else None,
            self._media,
            self._recorder,
            self._ended,
        )
        self._recording[place.id] = recording
        try:
            # A name that is made up is nobody else's.
            names = [] if filename is None else [one.name for one in recording.files]
            checked = self._storing.check(storage, fields, names)
            options = await recording.unless_stopped(checked)
            if options is not None:
                await self._storing.promise(recording.id, recording.files, storage, options, place)
            await recording.start()
        except BaseException:
            if self._recording.get(place.id) is recording:
                del self._recording[place.id]
            await self._storing.withdraw(recording.id)
            raise
        for participant, port in place.participants().items():
            await recording.join(participant, port)
        return recording

    def get(self, place_id: str) -> Recording:
        """What is being recorded there. Raises NotFound."""
        recording = self._recording.get(place_id)
        if recording is None or not recording.started:
            raise NotFound("no recording in progress")
        return recording

    async def end(self, place_id: str) -> tuple[Recording, Finished | None]:
        """End what is recorded there, or about to be.

        Answers what came of it, None when that is still being written. Raises NotFound.
        """
        recording = self._recording.get(place_id)
        if recording is None:
            raise NotFound("no recording in progress")
        told = await recording.stop()
        if told is None and self._recording.get(place_id) is recording:
            del self._recording[place_id]  # the place is free for another
            if recording.begun:
                self._finishing.add(recording)
        return recording, told

    async def gone(self, place_id: str) -> None:
        """A leg has ended: its recording has, too."""
        if (recording := self._recording.get(place_id)) is not None:
            recording.begin_stop()

    async def joined(self, room: Room, participant: str, port: str) -> None:
        """Somebody came into a room."""
        if (recording := self._recording.get(room.id)) is not None:
            await recording.join(participant, port)

    async def left(self, room: Room, participant: str) -> None:
        """Somebody left a room; with the last one, its recording ends."""
        if (recording := self._recording.get(room.id)) is not None:
            await recording.leave(participant)
            if not room.legs and not room.guests:
                recording.begin_stop()

    async def closed(self, room: Room) -> None:
        """A room is about to be closed."""
        await self.gone(room.id)

    async def stop(self) -> None:
        """Complete everything, all at once, and end the recorder."""
        left = [*self._recording.values(), *self._finishing]
        await asyncio.gather(*(one.stop(LEAVE_WITHIN) for one in left))
        await self._recorder.stop()
        await self._storing.stop()

    def _files(self, place: Place, file_format: Format, filename: str | None) -> tuple[Path, Path]:
        """Where the file goes, and one with a channel for each participant."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
        name = f"{place.id}-{stamp}" if filename is None else _checked(filename)
        stem = name.removesuffix(f".{file_format}")
        file = self._directory / f"{stem}.{file_format}"
        beside = self._directory / f"{stem}-multi.wav"  # other formats have too few channels
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            taken = [path for path in (file, beside) if path.exists()]
        except OSError as error:
            raise OperationFailed(f"RECORDING_DIR: {error}") from None
        going_on = [*self._recording.values(), *self._finishing]
        taken += [path for one in going_on for path in one.files if path in (file, beside)]
        if taken:
            raise Conflict(f"filename: {taken[0].name} exists already")
        return file, beside

    async def _ended(self, recording: Recording, told: Finished) -> None:
        if self._recording.get(recording.place.id) is recording:
            del self._recording[recording.place.id]
        self._finishing.discard(recording)
        if recording.started:
            await self._storing.complete(told)

    def _recovered(self, told: Told) -> None:
        if isinstance(told, Finished):
            log.info("recording %s was left unfinished and is complete now", told.file)
            emit_of(self._emit, told.context, RecordingFinished, **finished_fields(told))
            self._spawn(self._storing.complete(told))


def _checked(filename: str) -> str:
    fits = filename.isprintable() and len(filename.encode()) <= LONGEST_NAME  # no lone surrogates
    if not fits or "/" in filename or filename.startswith("."):
        raise BadRequest(
            "filename: must be one path segment that begins with no dot, of at most "
            f"{LONGEST_NAME} bytes in UTF-8"
        )
    return filename
