"""Which finished recordings are still to be stored: kept on disk until they are."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_TABLE = """
CREATE TABLE IF NOT EXISTS uploads (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, storage TEXT NOT NULL, options TEXT NOT NULL,
    context TEXT NOT NULL, location TEXT, complete INTEGER NOT NULL,
    recording TEXT NOT NULL DEFAULT '', part INTEGER NOT NULL DEFAULT 0)
"""

_ADDED = ("recording TEXT NOT NULL DEFAULT ''", "part INTEGER NOT NULL DEFAULT 0")
"""Columns that a queue of an earlier version lacks."""

_COLUMNS = "id, recording, part, file, storage, options, context, location, complete"


@dataclass(slots=True)
class Upload:
    """A file to be stored. ``options`` may hold secrets.

    ``recording`` is whose it is, by id, and ``part`` which of its files, from 0 on: the name that
    ``file`` was promised under may be another's when the file is made.
    ``context`` is the caller's: what it needs to tell of the outcome, also after a restart.
    ``location``: where it is, once it is stored and only the tidying is left; ``complete``: the
    file is whole, its recording is over; ``attempts``: those in vain since the server started.
    """

    id: int
    recording: str
    part: int
    file: Path
    storage: str
    options: Mapping[str, Any] = field(repr=False)
    context: Mapping[str, Any]
    location: str | None = None
    complete: bool = False
    attempts: int = 0


class UploadQueue:
    """The queue's file. Synchronous, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open it, or create it readable to its owner only. Raises OSError, sqlite3.Error."""
        _prepare(path)
        try:
            self._db = _connect(path)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                raise
            aside = path.with_name(f"{path.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
            path.replace(aside)
            log.error("queue of uploads %s is damaged: moved to %s", path, aside)
            _prepare(path)
            self._db = _connect(path)

    def close(self) -> None:
        self._db.close()

    def add(
        self,
        recording: str,
        part: int,
        file: Path,
        storage: str,
        options: Mapping[str, Any],
        context: Mapping[str, Any],
    ) -> Upload:
        """Remember a file that is to come; when this returns, that is on the disk."""
        row = self._db.execute(
            "INSERT INTO uploads (recording, part, file, storage, options, context, complete)"
            " VALUES (?, ?, ?, ?, ?, ?, 0)",
            (recording, part, str(file), storage, json.dumps(options), json.dumps(context)),
        )
        return Upload(row.lastrowid or 0, recording, part, file, storage, options, context)

    def all(self) -> list[Upload]:
        """Everything that is left, oldest first."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM uploads ORDER BY id")
        return [_upload(*row) for row in rows]

    def completed(self, upload: Upload, file: Path) -> None:
        """The file is whole, and has this name."""
        self._db.execute(
            "UPDATE uploads SET complete = 1, file = ? WHERE id = ?", (str(file), upload.id)
        )
        upload.file, upload.complete = file, True

    def stored(self, upload: Upload, location: str) -> None:
        """It is stored; only tidying is left."""
        self._db.execute("UPDATE uploads SET location = ? WHERE id = ?", (location, upload.id))
        upload.location = location

    def remove(self, upload: Upload) -> None:
        """Nothing is left to be done."""
        self._db.execute("DELETE FROM uploads WHERE id = ?", (upload.id,))


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _prepare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")  # secrets do not stay behind in free pages
        db.execute(_TABLE)
        known = {row[1] for row in db.execute("PRAGMA table_info(uploads)")}
        for column in _ADDED:
            if column.split()[0] not in known:
                db.execute(f"ALTER TABLE uploads ADD COLUMN {column}")
        db.execute("UPDATE uploads SET recording = file WHERE recording = ''")
    except BaseException:
        db.close()
        raise
    return db


def _upload(
    number: int,
    recording: str,
    part: int,
    file: str,
    storage: str,
    options: str,
    context: str,
    location: str | None,
    complete: int,
) -> Upload:
    return Upload(
        number,
        recording,
        part,
        Path(file),
        storage,
        json.loads(options),
        json.loads(context),
        location,
        bool(complete),
    )
