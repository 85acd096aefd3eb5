"""Fetched files on disk, found again by URL and kept as long as their server says they are valid.

Each file begins with `HEADER` bytes that say what it is (JSON, padded), then comes the body. It is
written under a temporary name, locked by whoever writes it, and renamed when all of it is on the
disk: what is there under a final name is whole, whatever died.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .spool import Spool

log = logging.getLogger(__name__)

HEADER = 4096
"""Bytes before the body."""

_PART = ".part"
_WHOLE = ".body"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that was fetched: by which URL, where redirects led, and its validators."""

    url: str
    final_url: str
    etag: str
    last_modified: str
    mime_type: str
    size: int

    @property
    def name(self) -> str:
        """Of its file."""
        return hashlib.sha256(self.url.encode()).hexdigest() + _WHOLE

    def conditions(self) -> dict[str, str]:
        """The request headers that ask whether it is still valid."""
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value}


@dataclass(frozen=True, slots=True)
class Part:
    """A file being written; its spool owns the descriptor."""

    path: Path
    spool: Spool
    fd: int


class Cache:
    """At most ``limit`` bytes of bodies in a folder; the least recently used go first.

    All methods but `publish` belong to one thread.
    """

    def __init__(self, directory: Path, limit: int) -> None:
        """Take up what is there, and remove what a dead process left unfinished."""
        self._directory, self._limit = directory, limit
        self._entries: dict[str, Entry] = {}
        """By URL, least recently used first."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._take_up()
        except OSError as error:
            log.error("the cache of played files cannot be used: %s", error)

    def find(self, url: str) -> tuple[Entry, Spool] | None:
        """A whole file, opened; the caller closes the spool."""
        entry = self._entries.pop(url, None)
        if entry is None:
            return None
        path = self._directory / entry.name
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        self._entries[url] = entry
        with contextlib.suppress(OSError):
            os.utime(path)
        return entry, Spool(fd, start=HEADER, complete=True)

    def begin(self) -> Part:
        """A new file to be filled; raises OSError."""
        fd, path = tempfile.mkstemp(suffix=_PART, dir=self._directory)
        fcntl.flock(fd, fcntl.LOCK_EX)
        return Part(Path(path), Spool(fd, start=HEADER), fd)

    def publish(self, part: Part, entry: Entry) -> bool:
        """Make a finished file findable, unless it is no use to keep. May take a while."""
        header = json.dumps(asdict(entry)).encode().ljust(HEADER)
        if not entry.conditions() or entry.size > self._limit or len(header) > HEADER:
            return False
        try:
            os.pwrite(part.fd, header, 0)
            os.fsync(part.fd)
            part.path.rename(self._directory / entry.name)
        except OSError as error:
            log.error("a played file cannot be kept: %s", error)
            return False
        return True

    def published(self, entry: Entry) -> None:
        """Find it from now on, at the cost of others."""
        self._entries.pop(entry.url, None)
        self._entries[entry.url] = entry
        self._shrink()

    def discard(self, part: Part) -> None:
        """Remove an unfinished or useless file; who reads it may go on."""
        part.path.unlink(missing_ok=True)

    def forget(self, url: str) -> None:
        """Remove a file that is valid no more."""
        entry = self._entries.pop(url, None)
        if entry:
            (self._directory / entry.name).unlink(missing_ok=True)

    def _shrink(self) -> None:
        kept = sum(entry.size for entry in self._entries.values())
        for url, entry in list(self._entries.items()):
            if kept <= self._limit:
                return
            kept -= entry.size
            self.forget(url)

    def _take_up(self) -> None:
        for path in self._directory.glob("*" + _PART):
            _remove_if_abandoned(path)
        for path in sorted(self._directory.glob("*" + _WHOLE), key=_used):
            entry = _header_of(path)
            if entry is None or entry.name != path.name:
                path.unlink(missing_ok=True)
            else:
                self._entries[entry.url] = entry
        self._shrink()


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _header_of(path: Path) -> Entry | None:
    """What a file says it is; None if it is not ours, or not whole."""
    try:
        with path.open("rb") as file:
            entry = Entry(**json.loads(file.read(HEADER)))
            whole = os.fstat(file.fileno()).st_size == HEADER + entry.size
    except (OSError, ValueError, TypeError):
        return None
    return entry if whole else None


def _remove_if_abandoned(path: Path) -> None:
    """Its writer holds a lock as long as it lives."""
    with contextlib.suppress(OSError), _opened(path) as fd:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
