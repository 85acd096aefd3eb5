"""Recordings that are to be stored: promised when they begin, and what comes of it told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import BaseModel

from hookswitch.events.media import RecordingStored, RecordingStoreFailed
from hookswitch.rooms.place import MakeEvent, Place

from .context import Emit, context_of, emit_of
from .messages import Finished
from .storage import FILE, Storages
from .upload_queue import Upload
from .uploads import Uploads


class Storing:
    """What is to be stored where, and the events of it.

    The place of a recording may be gone when its file is stored, or the server another one: what
    its events need is kept with the promise.
    """

    def __init__(self, path: Path, storages: Storages, keep_local: bool, emit: Emit) -> None:
        self._storages, self._emit = storages, emit
        self.stored = self.failed = 0
        """Files stored, and attempts in vain, since the server started."""
        self._uploads = Uploads(
            path,
            storages,
            on_stored=self._stored,
            on_failed=self._failed,
            keep_local=keep_local,
        )

    @property
    def pending(self) -> int:
        """Files that are complete and not stored yet."""
        return self._uploads.pending

    async def start(self, unfinished: Collection[str]) -> None:
        """Go on with what is left from before; these recordings will be completed yet."""
        await self._uploads.start(unfinished)

    async def stop(self) -> None:
        """What is not stored is tried again after the next start."""
        await self._uploads.stop()

    async def check(
        self, storage: str, request: BaseModel, files: Collection[str]
    ) -> BaseModel | None:
        """The storage's fields of a request, None if files stay.

        ``files``: names that must be free there. Raises BadRequest, Conflict.
        """
        options = await self._storages.check(storage, request, files)
        return None if storage == FILE else options

    async def promise(
        self, recording: str, files: Sequence[Path], storage: str, options: BaseModel, place: Place
    ) -> None:
        """Have the files of a recording stored as soon as they are complete."""
        for part, file in enumerate(files):
            await self._uploads.promise(recording, part, file, storage, options, context_of(place))

    async def complete(self, told: Finished) -> None:
        """A recording's files are complete, whatever their names are now."""
        for part, file in enumerate((told.file, told.multi_channel_file)):
            if file is not None:
                await self._uploads.complete(told.id, part, file)
            else:
                await self._uploads.withdraw(told.id, part)

    async def withdraw(self, recording: str) -> None:
        """There will be no such recording."""
        for part in range(2):
            await self._uploads.withdraw(recording, part)

    def _stored(self, upload: Upload, location: str) -> None:
        self.stored += 1
        self._tell(upload, RecordingStored, file=str(upload.file), location=location)

    def _failed(self, upload: Upload, error: str, again: bool) -> None:
        self.failed += 1
        self._tell(
            upload, RecordingStoreFailed, file=str(upload.file), error=error, will_retry=again
        )

    def _tell(self, upload: Upload, event: MakeEvent, **fields: object) -> None:
        emit_of(self._emit, upload.context, event, **fields)
