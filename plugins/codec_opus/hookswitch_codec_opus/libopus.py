"""libopus by ctypes: just the calls we make. Each releases the interpreter lock."""

from __future__ import annotations

import ctypes
from ctypes import c_int, c_int32, c_void_p
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

RATE = 48000
"""Samples per second, of PCM and of RTP timestamps."""

LONGEST_MS = 120
"""Audio in one packet at most (RFC 6716 section 3)."""

LARGEST = 1275
"""Bytes of one frame at most."""

_OK = 0
_VOIP = 2048

SET_BITRATE = 4002
SET_MAX_BANDWIDTH = 4004
SET_VBR = 4006
SET_COMPLEXITY = 4010
SET_INBAND_FEC = 4012
SET_PACKET_LOSS_PERC = 4014
SET_DTX = 4016


class LibOpus:
    """The functions of the library.

    ``encode(encoder, pcm, samples, packet, room)`` and ``decode(decoder, packet, bytes, pcm, room,
    fec)`` take addresses and return a count, or an error below zero.
    """

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        self.encode = library.opus_encode
        self.encode.argtypes = [c_void_p, c_void_p, c_int, c_void_p, c_int32]
        self.decode = library.opus_decode
        self.decode.argtypes = [c_void_p, c_void_p, c_int32, c_void_p, c_int, c_int]
        self._encoder_init = library.opus_encoder_init
        self._encoder_init.argtypes = [c_void_p, c_int32, c_int, c_int]
        self._encoder_ctl = library.opus_encoder_ctl
        self._encoder_ctl.argtypes = [c_void_p, c_int]  # one more follows, as a vararg
        self._decoder_init = library.opus_decoder_init
        self._decoder_init.argtypes = [c_void_p, c_int32, c_int]
        self._encoder_bytes = library.opus_encoder_get_size(1)
        self._decoder_bytes = library.opus_decoder_get_size(1)

    def encoder(self, options: dict[int, int]) -> ctypes.Array[ctypes.c_char]:
        """A mono encoder with these options; it lives as long as the object."""
        state = ctypes.create_string_buffer(self._encoder_bytes)
        _check(self._encoder_init(ctypes.addressof(state), RATE, 1, _VOIP))
        for option, value in options.items():
            _check(self._encoder_ctl(ctypes.addressof(state), option, c_int32(value)))
        return state

    def decoder(self) -> ctypes.Array[ctypes.c_char]:
        """A mono decoder (it folds stereo); it lives as long as the object."""
        state = ctypes.create_string_buffer(self._decoder_bytes)
        _check(self._decoder_init(ctypes.addressof(state), RATE, 1))
        return state


def _check(status: int) -> None:
    if status != _OK:
        raise RuntimeError(f"libopus: error {status}")


def find_libopus() -> str:
    """Path or name of the library: the one that came by wheel, else the system's."""
    spec = find_spec("opuslib_next")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("libopus.so", "libopus.dylib"):
            if (path := Path(folder, "_native", name)).exists():
                return str(path)
    if (found := find_library("opus")) is not None:
        return found
    raise ImportError("no libopus: pip install opuslib-next-bundled, or install libopus0")
