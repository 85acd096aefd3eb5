"""The event store's tables, and how its file is opened, locked and moved out of the way."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from hookswitch.errors import HookswitchError

logger = logging.getLogger(__name__)

VERSION = 1
MEMORY = ":memory:"

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    cursor INTEGER PRIMARY KEY, event_id TEXT NOT NULL, app_id TEXT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    cursor INTEGER PRIMARY KEY, url TEXT NOT NULL, secret TEXT, lane TEXT NOT NULL,
    created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS open_legs (
    leg_id TEXT PRIMARY KEY, leg_type TEXT NOT NULL, app_id TEXT, url TEXT, secret TEXT,
    started REAL NOT NULL, answered REAL, last REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_by_lane ON deliveries (url, lane, cursor);
CREATE INDEX IF NOT EXISTS deliveries_by_url ON deliveries (url, cursor);
"""


class EventStoreError(HookswitchError):
    """The event store cannot be used; the message is for the operator."""


def is_corrupt(error: sqlite3.Error) -> bool:
    """Whether the file itself is damaged, so that trying again is useless."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def connect(path: str, *, fsync: bool = False) -> sqlite3.Connection:
    """Open and lock the store, creating what is missing.

    The exclusive lock is SQLite's own: it ends with the process, however that ends, and is not
    inherited by media workers. Raises EventStoreError, or sqlite3.Error for a damaged file.
    """
    try:
        if path != MEMORY:
            _prepare_file(Path(path))
        return _open(path, fsync)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and is_corrupt(error):
            raise
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        why = "in use by another server" if busy else str(error)
        raise EventStoreError(f"event store {path}: {why}") from error


def _open(path: str, fsync: bool) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA synchronous = {'FULL' if fsync else 'NORMAL'}")
        db.execute("BEGIN EXCLUSIVE")
        _migrate(db, path)
        db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _prepare_file(path: Path) -> None:
    """Make the file readable to its owner only: it holds webhook secrets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only a new file may be opened here: closing it would end the locks this process has on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _migrate(db: sqlite3.Connection, path: str) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise EventStoreError(f"event store {path}: written by a newer hookswitch")
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def move_aside(path: str) -> None:
    """Rename a damaged file, and what belongs to it, so that a new one can take its place."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = f"{path}.corrupt-{stamp}"
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.replace(path + suffix, aside + suffix)
    logger.error("event store %s is damaged: moved to %s, starting a new one", path, aside)
