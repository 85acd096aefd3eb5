"""G.722 by libspandsp of the system, where there is one: each call releases the lock."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import c_int, c_void_p
from ctypes.util import find_library

import numpy as np

from hookswitch.codecs.base import Ints, Payloads, Pcm
from hookswitch.codecs.crew import Crew, addresses

from .wheel import BITS_PER_SECOND


class SpandspStream:
    """The two states of a stream, as addresses."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.encoder: int = library.g722_encode_init(None, BITS_PER_SECOND, 0)
        self.decoder: int = library.g722_decode_init(None, BITS_PER_SECOND, 0)

    def __del__(self) -> None:
        self._library.g722_encode_free(self.encoder)
        self._library.g722_decode_free(self.decoder)


class Spandsp:
    """A `Library`."""

    def __init__(self, path: str, crew: Crew) -> None:
        library = self._library = ctypes.CDLL(path)
        for start in (library.g722_encode_init, library.g722_decode_init):
            start.argtypes, start.restype = [c_void_p, c_int, c_int], c_void_p
        for free in (library.g722_encode_free, library.g722_decode_free):
            free.argtypes = [c_void_p]
        for work in (library.g722_encode, library.g722_decode):
            work.argtypes = [c_void_p, c_void_p, c_void_p, c_int]
        self._crew = crew

    def stream(self) -> SpandspStream:
        return SpandspStream(self._library)

    def decode(self, streams: Sequence[SpandspStream], payloads: Payloads, sizes: Ints) -> Pcm:
        pcm = np.zeros((len(streams), 2 * int(sizes.max(initial=0))), np.int16)
        decoders = [stream.decoder for stream in streams]
        columns = (decoders, addresses(pcm), addresses(payloads), sizes.tolist())
        self._crew.map(self._library.g722_decode, *columns)
        return pcm

    def encode(self, streams: Sequence[SpandspStream], pcm: Pcm) -> tuple[Payloads, Ints]:
        count, samples = pcm.shape
        payloads = np.zeros((count, samples // 2), np.uint8)
        encoders = [stream.encoder for stream in streams]
        columns = (encoders, addresses(payloads), addresses(pcm), [samples] * count)
        sizes = self._crew.map(self._library.g722_encode, *columns)
        return payloads, np.array(sizes, np.int64)


def find_spandsp() -> str | None:
    """The library's name, if the system has it."""
    return find_library("spandsp")
