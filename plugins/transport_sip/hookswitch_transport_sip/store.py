"""What SIP keeps on disk: registrations and trunks, as JSON by id, in one SQLite file.

Reading happens at the start. Writing happens in a thread of its own, in order, so that a slow disk
delays the answers that wait for it and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hookswitch.settings import SettingsError

log = logging.getLogger(__name__)

Table = Literal["bindings", "trunks"]
Document = Mapping[str, Any]

_TABLES = ("bindings", "trunks")
_VERSION = 1


@dataclass(frozen=True, slots=True)
class _Change:
    """Rows of a table, by id: documents, or None to take one away."""

    table: Table
    rows: list[tuple[str, str | None]]
    written: asyncio.Future[None]

    def execute(self, db: sqlite3.Connection) -> None:
        for key, text in self.rows:
            if text is None:
                db.execute(f"DELETE FROM {self.table} WHERE id = ?", (key,))
            else:
                db.execute(
                    f"INSERT INTO {self.table} VALUES (?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET document = excluded.document",
                    (key, text),
                )


class SipStore:
    """The file; `open` before anything else, `close` at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: list[_Change] = []
        self._writing = False

    def open(self) -> None:
        """Open the file, readable to its owner only. Raises SettingsError."""
        try:
            self._db = _opened(self._path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise SettingsError(f"DATA_DIR: {self._path}: {error}") from None
            _move_aside(self._path)
            self._db = _opened(self._path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sip-store")

    def close(self) -> None:
        """Write what is to be written, and close the file."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None
            self._commit(self._waiting)
            for change in self._waiting:
                change.written.cancel()
            self._waiting.clear()
        if self._db is not None:
            self._db.close()
            self._db = None

    def load(self, table: Table) -> dict[str, Document]:
        """All documents of a table by id; one that is no JSON is left out."""
        assert self._db is not None
        found = {}
        for key, text in self._db.execute(f"SELECT id, document FROM {table} ORDER BY rowid"):
            with suppress(ValueError):
                found[key] = json.loads(text)
        return found

    async def write(self, table: Table, changes: Iterable[tuple[str, Document | None]]) -> None:
        """Put documents by id, or take those away that are None, wholly or not at all.

        Returns when they are written. A disk that fails is logged: what is in memory goes on.
        """
        rows = [(key, None if doc is None else json.dumps(doc)) for key, doc in changes]
        if self._thread is None or not rows:
            return
        written = asyncio.get_running_loop().create_future()
        self._waiting.append(_Change(table, rows, written))
        if not self._writing:
            self._write_on()
        await written

    def _write_on(self) -> None:
        """Have the thread write all that has come together since it was given something."""
        if self._thread is None:
            return  # `close` has written the rest
        batch, self._waiting = self._waiting, []
        self._writing = bool(batch)
        if not batch:
            return
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._thread, self._commit, batch)
        done.add_done_callback(lambda _: self._written(batch))

    def _written(self, batch: list[_Change]) -> None:
        for change in batch:
            if not change.written.done():
                change.written.set_result(None)
        self._write_on()

    def _commit(self, batch: list[_Change]) -> None:
        """Runs in the thread."""
        assert self._db is not None
        try:
            with self._db:
                for change in batch:
                    change.execute(self._db)
        except sqlite3.Error as error:
            log.error("%s: cannot write: %s", self._path, error)


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, timeout=0.5, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise SettingsError(f"DATA_DIR: {path}: written by a newer hookswitch")
        with db:
            for table in _TABLES:
                db.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} "
                    "(id TEXT PRIMARY KEY, document TEXT NOT NULL)"
                )
            db.execute(f"PRAGMA user_version = {_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _move_aside(path: Path) -> None:
    """Rename a damaged file, and what belongs to it, so that a new one can take its place."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.replace(f"{path}{suffix}", f"{aside}{suffix}")
    log.error("%s is damaged: moved to %s, starting a new one", path, aside)
