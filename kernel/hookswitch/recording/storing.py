"""Recordings that are to be stored: promised when they begin, and what comes of it told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hookswitch.events.media import RecordingStored, RecordingStoreFailed
from hookswitch.events.model import Event
from hookswitch.events.record import WebhookTarget
from hookswitch.rooms.place import LegPlace, Place

from .storage import FILE, Storages
from .upload_queue import Upload
from .uploads import Uploads

Emit = Callable[[Event, str | None, WebhookTarget | None], None]
"""Publishes an event of an application, to a webhook of its own if there is one."""


class Storing:
    """What is to be stored where, and the events of it.

    The place of a recording may be gone when its file is stored, or the server another one: what
    its events need is kept with the promise.
    """

    def __init__(self, path: Path, storages: Storages, keep_local: bool, emit: Emit) -> None:
        self._storages, self._emit = storages, emit
        self._uploads = Uploads(
            path,
            storages,
            on_stored=self._stored,
            on_failed=self._failed,
            keep_local=keep_local,
        )

    async def start(self) -> None:
        """Go on with what is left from before."""
        await self._uploads.start()

    async def stop(self) -> None:
        """What is not stored is tried again after the next start."""
        await self._uploads.stop()

    async def check(self, storage: str, request: BaseModel) -> BaseModel | None:
        """The storage's fields of a request, None if files stay. Raises BadRequest."""
        options = await self._storages.check(storage, request)
        return None if storage == FILE else options

    async def promise(
        self, files: Sequence[Path], storage: str, options: BaseModel, place: Place
    ) -> None:
        """Have these files stored as soon as they are complete."""
        for file in files:
            await self._uploads.promise(file, storage, options, _context(place))

    async def complete(self, promised: Sequence[Path], made: Sequence[Path]) -> None:
        """Files are complete, by the names they were promised under and those they now have."""
        for before, file in zip(promised, made, strict=False):
            await self._uploads.complete(before, file)

    async def withdraw(self, files: Sequence[Path]) -> None:
        """There will be no such files."""
        for file in files:
            await self._uploads.withdraw(file)

    def _stored(self, upload: Upload, location: str) -> None:
        self._tell(upload, RecordingStored, file=str(upload.file), location=location)

    def _failed(self, upload: Upload, error: str, again: bool) -> None:
        self._tell(
            upload, RecordingStoreFailed, file=str(upload.file), error=error, will_retry=again
        )

    def _tell(self, upload: Upload, event: Callable[..., Event], **fields: Any) -> None:
        context = upload.context
        target = WebhookTarget(*context["webhook"]) if context.get("webhook") else None
        place = {name: context.get(name) for name in ("leg_id", "room_id")}
        self._emit(event(**place, **fields), context.get("app_id"), target)


def _context(place: Place) -> Mapping[str, Any]:
    webhook = place.webhook
    return {
        "leg_id" if isinstance(place, LegPlace) else "room_id": place.id,
        "app_id": place.app_id,
        "webhook": None if webhook is None else [webhook.url, webhook.secret],
    }
