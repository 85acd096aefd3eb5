"""A queue of uploads that runs, and what it tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from hookswitch.events.backoff import BackOff
from hookswitch.recording.storage import Storage, Storages
from hookswitch.recording.upload_queue import Upload
from hookswitch.recording.uploads import Uploads


class Told:
    """What the queue told of its uploads."""

    def __init__(self) -> None:
        self.stored: list[tuple[Upload, str]] = []
        self.failed: list[tuple[Upload, str, bool]] = []
        self._news = asyncio.Event()

    def on_stored(self, upload: Upload, location: str) -> None:
        self.stored.append((upload, location))
        self._news.set()

    def on_failed(self, upload: Upload, error: str, again: bool) -> None:
        self.failed.append((upload, error, again))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(
    folder: Path, *storages: Storage, unfinished: Collection[str] = (), **options: Any
) -> AsyncIterator[tuple[Uploads, Told]]:
    told = Told()
    uploads = Uploads(
        folder / "uploads.sqlite3",
        Storages(storages),
        on_stored=told.on_stored,
        on_failed=told.on_failed,
        back_off=BackOff(first=0.01, longest=0.05),
        **options,
    )
    await uploads.start(unfinished)
    try:
        yield uploads, told
    finally:
        await uploads.stop()


async def add(
    uploads: Uploads, path: Path, storage: str, options: BaseModel, context: Mapping[str, Any]
) -> None:
    """A recording that began and is over."""
    await uploads.promise(path.name, 0, path, storage, options, context)
    await uploads.complete(path.name, 0, path)


def file(folder: Path, name: str = "call.wav", content: bytes = b"sound") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path
