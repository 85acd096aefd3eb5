"""Storing recordings: promised when they begin, done when they are over, in the background, again
and again until it is done.

A promise is on disk before the recording begins, so that one which a crash leaves unfinished is
stored all the same, when it was completed after the restart.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from pydantic import BaseModel

from hookswitch.events.backoff import BackOff

from .storage import Storages, pack_options, unpack_options
from .threads import in_thread
from .upload_queue import Upload, UploadQueue

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Files that are stored in one target at the same time."""

BACK_OFF = BackOff(first=2.0, longest=300.0)

OnStored = Callable[[Upload, str], None]
"""Called with where the file is now."""

OnFailed = Callable[[Upload, str, bool], None]
"""Called with what went wrong, and whether it is tried again."""

_T = TypeVar("_T")


class Uploads:
    """The uploads of one server. All methods belong to the event loop's thread.

    The local file is deleted when it is stored, unless ``keep_local``. A file that has vanished is
    given up; nothing else is, ever. A crash may repeat a callback, but never lose one.
    """

    def __init__(
        self,
        path: Path,
        storages: Storages,
        *,
        on_stored: OnStored,
        on_failed: OnFailed,
        keep_local: bool = False,
        back_off: BackOff = BACK_OFF,
    ) -> None:
        """``path``: the queue's file."""
        self._path = path
        self._storages = storages
        self._on_stored, self._on_failed = on_stored, on_failed
        self._keep_local = keep_local
        self._back_off = back_off
        self._disk = ThreadPoolExecutor(1, "upload-queue")
        self._free: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        """By storage and target, while there is something for it."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._tidying: set[asyncio.Task[None]] = set()
        self._promised: dict[tuple[str, int], Upload] = {}
        """By recording and part."""
        self._opened: UploadQueue | None = None

    @property
    def pending(self) -> int:
        """Files that are not stored yet and are being cared for."""
        return len(self._tasks) + len(self._tidying)

    async def start(self, unfinished: Collection[str] = ()) -> None:
        """Open the queue and go on with what is left in it. Raises OSError.

        ``unfinished``: recordings that will be completed yet. What has the name of one of their
        files already is somebody else's.
        """
        try:
            self._opened = await self._on_disk(lambda: UploadQueue(self._path))
            left = await self._on_disk(self._opened.all)
        except sqlite3.Error as error:
            raise OSError(f"queue of uploads {self._path}: {error}") from error
        for upload in left:
            made = upload.recording not in unfinished and upload.file.exists()
            if upload.complete or made:
                self._begin(upload)
            else:
                self._promised[upload.recording, upload.part] = upload

    async def promise(
        self,
        recording: str,
        part: int,
        file: Path,
        storage: str,
        options: BaseModel,
        context: Mapping[str, Any],
    ) -> None:
        """Have a file stored as soon as it is `complete`, whatever happens until then."""
        packed, add = pack_options(options), self._queue.add
        upload = await self._on_disk(lambda: add(recording, part, file, storage, packed, context))
        self._promised[recording, part] = upload

    async def complete(self, recording: str, part: int, made: Path) -> None:
        """A file is whole, under this name: it is stored now, if that was promised.

        One that could not be made after all stays promised: what is staged of it is completed after
        the next start.
        """
        upload = self._promised.get((recording, part))
        if upload is None or not await asyncio.to_thread(made.exists):
            return
        del self._promised[recording, part]
        await self._on_disk(lambda: self._queue.completed(upload, made))
        self._begin(upload)

    async def withdraw(self, recording: str, part: int) -> None:
        """There will be no such file."""
        if (upload := self._promised.pop((recording, part), None)) is not None:
            await self._on_disk(lambda: self._queue.remove(upload))

    async def stop(self) -> None:
        """Stop, also when it never started; what is not stored is tried again after the next."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._tidying)
        if self._opened is not None:
            await self._on_disk(self._opened.close)
        self._disk.shutdown()

    @property
    def _queue(self) -> UploadQueue:
        if self._opened is None:
            raise RuntimeError("the queue of uploads is not open")
        return self._opened

    def _begin(self, upload: Upload) -> None:
        task = asyncio.get_running_loop().create_task(self._care_for(upload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _care_for(self, upload: Upload) -> None:
        """Try until it is stored or cannot ever be."""
        free = self._free_at(upload)
        while upload.location is None:
            async with free:
                problem = await self._try(upload)
            if problem is not None and not self._failed(upload, problem):
                return
            if problem is not None:
                upload.attempts += 1
                await asyncio.sleep(self._back_off.delay(upload.attempts))
        self._on_stored(upload, upload.location)
        unwanted = not self._keep_local and upload.location != str(upload.file)
        self._tidy(upload, delete=unwanted)

    def _free_at(self, upload: Upload) -> asyncio.Semaphore:
        """Limits what is stored in its target: one that hangs delays its own files only."""
        storage, target = self._storages.get(upload.storage), ""
        if storage is not None:
            with suppress(Exception):  # whatever it is, the attempt will tell
                target = storage.target(unpack_options(storage, upload.options))
        return self._free.setdefault((upload.storage, target), asyncio.Semaphore(AT_ONCE))

    async def _try(self, upload: Upload) -> Exception | None:
        """One attempt; answers what went wrong."""
        storage = self._storages.get(upload.storage)
        if storage is None:
            return LookupError(f"no plugin offers the storage {upload.storage!r} any more")
        try:
            options = unpack_options(storage, upload.options)
            location = await in_thread(lambda: storage.store(upload.file, options))
            await self._on_disk(lambda: self._queue.stored(upload, location))
        except Exception as error:  # a stranger's code and network may raise anything
            return error
        return None

    def _failed(self, upload: Upload, problem: Exception) -> bool:
        """Say so; answers whether it is worth another attempt."""
        again = upload.file.exists()
        error = str(problem) or type(problem).__name__
        log.warning("%s cannot be stored: %s%s", upload.file, error, "" if again else "; given up")
        self._on_failed(upload, error, again)
        if not again:
            self._tidy(upload, delete=False)
        return again

    def _tidy(self, upload: Upload, *, delete: bool) -> None:
        """Forget a file, also while the server stops: what was told once is not told again."""
        task = asyncio.get_running_loop().create_task(self._forget(upload, delete))
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)

    async def _forget(self, upload: Upload, delete: bool) -> None:
        try:
            if delete:
                await asyncio.to_thread(upload.file.unlink, missing_ok=True)
            await self._on_disk(lambda: self._queue.remove(upload))
        except (OSError, sqlite3.Error) as error:
            log.error("%s: %s; it is looked at again after the next start", upload.file, error)

    async def _on_disk(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)
