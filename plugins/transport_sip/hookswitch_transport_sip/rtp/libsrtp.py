"""libsrtp as the wheel `pylibsrtp` brings it: contexts, and what its Python classes do not offer.

The functions of ``lib`` work on memory in place, without copies and with little more than the cost
of the cipher; all that is private to the wheel is used here and nowhere else.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import pylibsrtp
from numpy.typing import NDArray
from pylibsrtp import Policy, _binding

from .keys import Secret

lib: Any = _binding.lib
ffi: Any = _binding.ffi

TRAILER = 16
"""Bytes a packet grows by at most."""

RTCP_TRAILER = 4 + 16

Pointer = Any
"""An address as the functions of ``lib`` take it."""

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}

_native = ctypes.CDLL(_binding.__file__)
_native.srtp_set_stream_roc.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32]
_native.srtp_get_stream_roc.argtypes = [
    ctypes.c_void_p,
    ctypes.c_uint32,
    ctypes.POINTER(ctypes.c_uint32),
]


class Context:
    """A libsrtp session under one master key, in one direction. ``handle`` is its address."""

    def __init__(self, suite: str, key: Secret, *, sends: bool) -> None:
        self._suite, self._key = suite, bytes(key)
        kind = Policy.SSRC_ANY_OUTBOUND if sends else Policy.SSRC_ANY_INBOUND
        self._session = pylibsrtp.Session(self._policy(kind))
        self.handle: Pointer = self._session._srtp[0]

    def begin_at(self, ssrc: int, rollover: int) -> None:
        """Packets of this source are the n-th round of their sequence numbers."""
        self._session.add_stream(self._policy(Policy.SSRC_SPECIFIC, ssrc))
        _native.srtp_set_stream_roc(self._address(), ssrc, rollover)

    def rollover(self, ssrc: int) -> int | None:
        """How often the sequence numbers of a source have wrapped; None: it is unknown."""
        count = ctypes.c_uint32()
        status = _native.srtp_get_stream_roc(self._address(), ssrc, ctypes.byref(count))
        return None if status else count.value

    def protect_rtcp(self, packet: bytes) -> bytes | None:
        """The packet as SRTCP."""
        return self._whole(lib.srtp_protect_rtcp, packet, RTCP_TRAILER)

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """What is in an SRTCP packet; None when it is not genuine."""
        return self._whole(lib.srtp_unprotect_rtcp, packet, 0)

    def protect(self, packet: bytes) -> bytes | None:
        """A single packet as SRTP."""
        return self._whole(lib.srtp_protect, packet, TRAILER)

    def _whole(self, function: Any, packet: bytes, room: int) -> bytes | None:
        data, size = ffi.new("char[]", len(packet) + room), ffi.new("int *", len(packet))
        data[0 : len(packet)] = packet
        return None if function(self.handle, data, size) else bytes(ffi.buffer(data, size[0]))

    def _policy(self, kind: int, ssrc: int = 0) -> Policy:
        return Policy(self._key, kind, ssrc, PROFILES[self._suite])

    def _address(self) -> int:
        return int(ffi.cast("uintptr_t", self.handle))


class Rows:
    """The rows of a matrix of packets, as libsrtp wants them: pointers to data and to lengths.

    ``lengths`` is int32 by row, in and out.
    """

    def __init__(self, packets: NDArray[np.uint8]) -> None:
        self._owner = packets
        self.lengths = np.zeros(len(packets), np.int32)
        self.data = _pointers("void *", packets)
        self.sizes = _pointers("int *", self.lengths)


def _pointers(kind: str, array: NDArray[Any]) -> Sequence[Pointer]:
    first, step = array.ctypes.data, array.strides[0]
    return [ffi.cast(kind, first + step * row) for row in range(len(array))]
