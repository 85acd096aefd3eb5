"""Whose file the decoding library has in its hands: a byte per playback, in shared memory.

The library is not ours, and its files are anybody's: one may bring the player down. Its last marks
tell whose file that was. They have no name and live as long as somebody holds the descriptor.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

SLOTS = 1 << 16
"""Playbacks that can be told apart."""

NOBODY = SLOTS
"""The slot of whom nobody has to find again."""


def allocate() -> int:
    """Memory for marks; answers a descriptor the caller owns."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("hookswitch-marks", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, SLOTS + 1)
    return fd


class Marks:
    """The marks of all playbacks, mapped into this process."""

    def __init__(self, fd: int) -> None:
        """Takes over the descriptor."""
        self.fd = fd
        self._map = mmap.mmap(fd, SLOTS + 1)

    def of(self, slot: int) -> Mark:
        """The mark of one playback."""
        return Mark(self._map, slot)

    def close(self) -> None:
        """Let go of the memory; no mark may be used any more."""
        self._map.close()
        os.close(self.fd)


class Mark:
    """One playback's, set and cleared by the one thread that plays it."""

    def __init__(self, memory: mmap.mmap, slot: int) -> None:
        self._map, self._slot = memory, slot

    @property
    def is_set(self) -> bool:
        """Whether its file is in the library's hands."""
        return self._map[self._slot] != 0

    def clear(self) -> None:
        """Whoever set it is dead."""
        self._map[self._slot] = 0

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Around what the library does."""
        self._map[self._slot] = 1
        try:
            yield
        finally:
            self._map[self._slot] = 0

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Around what we do when the library calls us."""
        before = self._map[self._slot]
        self._map[self._slot] = 0
        try:
            yield
        finally:
            self._map[self._slot] = before


def unmarked() -> Mark:
    """A mark that nobody looks at."""
    return Mark(mmap.mmap(-1, 1), 0)
