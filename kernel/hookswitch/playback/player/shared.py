"""Files that are decoded once for all who play them: short ones, in a bounded memory.

Whoever needs a block of a file that nobody has had yet decodes it, for all. What is kept is one
channel at the file's own rate: a playback whose ring has another converts that, as one stream over
any number of passes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Hashable, Iterator
from itertools import islice

import numpy as np
from av.audio.frame import AudioFrame

from hookswitch.media.rings import Pcm

from .decode import Block, Converter, frames
from .errors import DecodeError, PlaybackError
from .formats import Format
from .spool import Spool, SpoolReader
from .stop import Stop

log = logging.getLogger(__name__)

LONGEST = 6 << 20
"""Bytes of one file: a minute at 48 kHz."""

LIMIT = 64 << 20
"""Bytes of all files together; those that nobody plays go first."""

_MOST = 1000
"""Files that are remembered, if only as too long."""


class _NotKept(Exception):
    """The file is too long, or there is no room for it."""


class SharedFiles:
    """What has been decoded, by a key that changes when the file does."""

    def __init__(self, limit: int = LIMIT, longest: int = LONGEST) -> None:
        self._limit, self._longest = limit, longest
        self._lock = threading.Lock()
        self._files: dict[Hashable, _File] = {}
        """Least recently used first."""

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return sum(file.size for file in self._files.values())

    def blocks(
        self, identity: Hashable, spool: Spool, read: Callable[[], SpoolReader], kind: Format
    ) -> Iterator[Block]:
        """A file's sound at its own rate, about a second at a time. Raises PlaybackError.

        ``spool`` is the whole file. If this file cannot be kept, it is decoded by ``read``.
        """
        options = sorted(kind.options.items())
        key = (identity, kind.demuxer, kind.start, kind.length, *options)
        number, file = 0, self._join(key, spool, kind)
        try:
            while (block := file.block(number)) is not None:
                yield block
                number += 1
            return
        except _NotKept:
            pass
        finally:
            self._leave(key, file)
        yield from islice(blocks(frames(read(), kind)), number, None)

    def _join(self, key: Hashable, spool: Spool, kind: Format) -> _File:
        with self._lock:
            file = self._files.pop(key, None) or _File(spool.again(), kind, self._make_room)
            self._files[key] = file
            file.users += 1
            return file

    def _leave(self, key: Hashable, file: _File) -> None:
        """What is of no use to others goes with its last user."""
        with self._lock:
            file.users -= 1
            if not file.users and not file.is_worth_keeping:
                file.drop()
                if self._files.get(key) is file:
                    del self._files[key]

    def _make_room(self, file: _File, size: int) -> bool:
        """Have room for so many bytes more of a file, if that can be; others may have to go."""
        with self._lock:
            for key in [key for key, one in self._files.items() if not one.users]:
                if self.size + size <= self._limit and len(self._files) <= _MOST:
                    break
                self._files.pop(key).drop()
            file.too_long = file.size + size > self._longest
            if file.too_long or self.size + size > self._limit:
                return False
            file.size += size
            return True


class _File:
    """One file, decoded as far as somebody has wanted it."""

    def __init__(self, spool: Spool, kind: Format, make_room: Callable[[_File, int], bool]) -> None:
        """Takes over the spool."""
        self.users = self.size = 0
        self.too_long = False
        self._make_room = make_room
        self._spool = spool
        self._blocks = blocks(frames(SpoolReader(spool, Stop()), kind))
        self._kept: list[Block] = []
        self._over = self._dropped = False
        self._failure: str | None = None
        self._lock = threading.Lock()

    @property
    def is_worth_keeping(self) -> bool:
        """Whether it is all there, or known to be too long."""
        return self.too_long or (self._over and not self._dropped and self._failure is None)

    def block(self, number: int) -> Block | None:
        """A block, None after the last one; they are asked for in turn.

        Raises PlaybackError where decoding failed, _NotKept where this file cannot be had.
        """
        with self._lock:
            if self._dropped:
                raise _NotKept
            if number == len(self._kept) and not self._over:
                self._decode()
            if number < len(self._kept):
                return self._kept[number]
            if self._failure is not None:
                raise DecodeError(self._failure)
            return None

    def drop(self) -> None:
        """Let go of everything."""
        self._kept, self.size, self._dropped = [], 0, True
        self._end()

    def _decode(self) -> None:
        try:
            block = next(self._blocks, None)
        except PlaybackError as error:
            self._failure, block = str(error), None
        except Exception:
            log.exception("a file cannot be decoded")
            self._failure, block = "it cannot be played", None
        if block is None:
            self._end()
        elif self._make_room(self, block[1].nbytes):
            self._kept.append(block)
        else:
            self.drop()
            raise _NotKept

    def _end(self) -> None:
        """Nothing more is decoded."""
        self._over = True
        self._blocks.close()
        self._spool.close()


def blocks(decoding: Generator[AudioFrame]) -> Generator[Block]:
    """Frames as one channel at the rate of the first one; what came before a failure comes out."""
    converter, rate, parts, size = None, 0, list[Pcm](), 0
    failure: PlaybackError | None = None
    try:
        for frame in decoding:
            if converter is None:
                rate = frame.sample_rate
                converter = Converter(rate)
            for pcm in converter.convert(frame):
                parts.append(pcm)
                size += len(pcm)
            if size >= rate:
                yield rate, np.concatenate(parts)
                parts, size = [], 0
    except PlaybackError as error:
        failure = error
    finally:
        decoding.close()
    if converter is not None:
        parts += converter.flush()
    if parts:
        yield rate, np.concatenate(parts)
    if failure is not None:
        raise failure
