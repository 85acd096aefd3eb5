"""A file that is read while it still grows."""

from __future__ import annotations

import os
import threading

from hookswitch.playback.marks import Mark, unmarked

from .errors import FetchError, Stopped
from .stop import Stop


class Spool:
    """One writer appends to a file, any number of readers follow; who opened it closes it."""

    def __init__(self, fd: int, *, start: int = 0, complete: bool = False) -> None:
        """Take over a descriptor; with ``complete`` all is there, ``start`` bytes are not ours."""
        self._fd, self._start = fd, start
        self._changed = threading.Condition()
        self._size = os.fstat(fd).st_size - start if complete else 0
        self._complete = complete
        self._error = ""

    @property
    def complete(self) -> bool:
        """Whether nothing more comes."""
        return self._complete

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self._size

    @property
    def identity(self) -> tuple[int, ...]:
        """Of the file as it is on the disk now: which one, how long, and when it was written.

        The time of writing can be put back, that of the last change cannot.
        """
        status = os.fstat(self._fd)
        times = (status.st_mtime_ns, status.st_ctime_ns)
        return (status.st_dev, status.st_ino, status.st_size, *times)

    def append(self, data: bytes) -> None:
        """Write; raises OSError, as when the disk is full."""
        view, at = memoryview(data), self._start + self._size
        while view:
            written = os.pwrite(self._fd, view, at)
            view, at = view[written:], at + written
        with self._changed:
            self._size += len(data)
            self._changed.notify_all()

    def finish(self, error: str = "") -> None:
        """Nothing more comes: the end, or else what readers are told when they get there."""
        with self._changed:
            self._complete = True
            self._error = error
            self._changed.notify_all()

    def read(self, position: int, count: int, stop: Stop) -> bytes:
        """At least one byte from a position, unless it is the end; waits for it.

        Raises FetchError at an end that came too early, Stopped as soon as that is asked for.
        """
        with self._changed:
            while position >= self._size and not self._complete and not stop.asked:
                self._changed.wait()
            available = self._size - position
        stop.check()
        if available <= 0:
            if self._error:
                raise FetchError(self._error)
            return b""
        return os.pread(self._fd, min(count, available), self._start + position)

    def wake(self) -> None:
        """Have waiting readers look whether they are to stop."""
        with self._changed:
            self._changed.notify_all()

    def again(self) -> Spool:
        """The same file for somebody else, who closes it; only when all is there."""
        assert self._complete
        return Spool(os.dup(self._fd), start=self._start, complete=True)

    def close(self) -> None:
        """Close the file, if it is not closed; nobody may read any more."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class SpoolReader:
    """A seekable binary file over a spool, as a decoding library wants one.

    Such a library has no use for our exceptions: what prevents reading looks like the end of the
    file to it, and `check` tells afterwards.
    """

    def __init__(self, spool: Spool, stop: Stop, mark: Mark | None = None) -> None:
        """``mark`` is cleared while the library that reads has to wait."""
        self._spool, self._stop, self._mark = spool, stop, mark or unmarked()
        self._position = self._start = 0
        self._end: int | None = None
        self._failure: FetchError | Stopped | None = None
        self.must_seek = False
        """Whether the format cannot be read from front to back: it may have to wait for the end."""

    def show(self, start: int, length: int | None) -> None:
        """From now on this is all there is of the file, and its start is this one."""
        self._position = self._start = start
        self._end = None if length is None else start + length

    def seekable(self) -> bool:
        """Not while it comes: a demuxer that can seek likes to look at the end first."""
        return self._spool.complete or self.must_seek

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes, waiting for the first; b"" is the end."""
        if self._end is not None:
            count = min(count, self._end - self._position)
            if count <= 0:
                return b""
        try:
            with self._mark.outside(), self._stop.interrupting(self._spool.wake):
                data = self._spool.read(self._position, count, self._stop)
        except (FetchError, Stopped) as failure:
            self._failure = failure.with_traceback(None)
            return b""
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, as in `io`; -1 while the end, from which to move, is not known."""
        if whence == os.SEEK_END and not self._spool.complete:
            return -1
        end = self._spool.size if self._end is None else min(self._end, self._spool.size)
        base = (self._start, self._position, end)[whence]
        self._position = max(base + offset, self._start)
        return self.tell()

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position - self._start

    def check(self) -> None:
        """Raise FetchError or Stopped if that is why it came to an end."""
        try:
            if self._failure:
                raise self._failure
        finally:
            self._failure = None  # it would hold all frames that it passes through
