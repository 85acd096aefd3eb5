"""A staged file: samples at their places, under a header that says that more may come.

Places nothing was written to are holes in the file: they read as silence and take no room.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from .wav import WavFormat


class InUse(OSError):
    """Another recorder is writing this file."""


class StagedFile:
    """An open staged file; whoever has it open holds its lock."""

    def __init__(self, path: Path, form: WavFormat) -> None:
        """Open or create it. Raises OSError, InUse."""
        self.path = path
        self.form = form
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _lock(self._fd)
            if os.fstat(self._fd).st_size < form.header_bytes:
                self._write(form.header(None), 0)
        except OSError:
            os.close(self._fd)
            raise

    @property
    def frames(self) -> int:
        """Whole frames in it."""
        size = os.fstat(self._fd).st_size - self.form.header_bytes
        return max(size, 0) // self.form.frame_bytes

    def write(self, position: int, pcm: memoryview) -> None:
        """Write samples from a frame on. Raises OSError when not all of them could be."""
        self._write(pcm, self.form.header_bytes + position * self.form.frame_bytes)

    def complete(self, frames: int) -> None:
        """Make it a valid file of exactly so many frames, on the disk."""
        os.ftruncate(self._fd, self.form.header_bytes + frames * self.form.frame_bytes)
        self._write(self.form.header(frames), 0)
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def _write(self, data: bytes | memoryview, at: int) -> None:
        view = memoryview(data).cast("B")
        while view:
            count = os.pwrite(self._fd, view, at)
            view, at = view[count:], at + count


def _lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InUse(error.errno, "another recorder is writing this file") from error


def publish(made: Path, target: Path) -> Path:
    """Give a finished file its name, never another's; answers the name it got.

    Raises OSError. A crash between any two steps leaves what a second call completes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for name in _names(target):
        with suppress(FileExistsError):
            _rename(made, name)
            _sync_folder(name.parent)
            return name
    raise FileExistsError(f"{target} and all names like it are taken")


def _names(target: Path) -> list[Path]:
    others = [target.with_stem(f"{target.stem}-{number}") for number in range(2, 100)]
    return [target, *others]


def _rename(made: Path, name: Path) -> None:
    """Rename without replacing anything."""
    try:
        os.link(made, name)
    except FileExistsError:
        if not os.path.samefile(made, name):
            raise
    except PermissionError:  # a file system without hard links
        if name.exists():
            raise FileExistsError(name) from None
        made.replace(name)
    made.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
