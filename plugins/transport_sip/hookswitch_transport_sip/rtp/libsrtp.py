"""libsrtp as the wheel `pylibsrtp` brings it: contexts, and what its Python classes do not offer.

The functions of ``lib`` work on memory in place, without copies and with little more than the cost
of the cipher; all that is private to the wheel is used here and nowhere else.
"""

from __future__ import annotations

import ctypes
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
    """A libsrtp session under one master key, in one direction.

    ``handle`` is its address as ``lib`` takes it, ``address`` the same as a number: who works
    through many contexts in this order goes through memory in one direction, which saves a third
    of the time, since little of so many contexts stays in the processor's caches between ticks.
    """

    def __init__(self, suite: str, key: Secret, *, sends: bool, ssrc: int | None = None) -> None:
        """With ``ssrc`` for packets of that source only, in half the memory."""
        self._suite, self._key, self._ssrc = suite, bytes(key), ssrc
        kind = Policy.SSRC_ANY_OUTBOUND if sends else Policy.SSRC_ANY_INBOUND
        policy = self._policy(kind) if ssrc is None else self._policy(Policy.SSRC_SPECIFIC, ssrc)
        # pylibsrtp's own sessions have buffers of 1500 bytes, which nobody needs here.
        created = ffi.new("srtp_t *")
        _check(lib.srtp_create(created, policy._policy))
        self._session = ffi.gc(created, _dealloc)
        self.handle: Pointer = created[0]
        self.address = int(ffi.cast("uintptr_t", self.handle))

    def begin_at(self, ssrc: int, rollover: int) -> None:
        """Packets of this source are the n-th round of their sequence numbers."""
        if ssrc != self._ssrc:
            policy = self._policy(Policy.SSRC_SPECIFIC, ssrc)
            _check(lib.srtp_add_stream(self.handle, policy._policy))
        _native.srtp_set_stream_roc(self.address, ssrc, rollover)

    def rollover(self, ssrc: int) -> int | None:
        """How often the sequence numbers of a source have wrapped; None: it is unknown."""
        count = ctypes.c_uint32()
        status = _native.srtp_get_stream_roc(self.address, ssrc, ctypes.byref(count))
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

    def unprotect(self, packet: bytes) -> bytes | None:
        """What is in a single SRTP packet; None when it is not genuine, or came before."""
        return self._whole(lib.srtp_unprotect, packet, 0)

    def _whole(self, function: Any, packet: bytes, room: int) -> bytes | None:
        data, size = ffi.new("char[]", len(packet) + room), ffi.new("int *", len(packet))
        data[0 : len(packet)] = packet
        return None if function(self.handle, data, size) else bytes(ffi.buffer(data, size[0]))

    def _policy(self, kind: int, ssrc: int = 0) -> Policy:
        return Policy(self._key, kind, ssrc, PROFILES[self._suite])


def _check(status: int) -> None:
    if status:
        raise pylibsrtp.Error(pylibsrtp.ERRORS[status])


def _dealloc(session: Pointer) -> None:
    lib.srtp_dealloc(session[0])


class Rows:
    """The rows of a matrix of packets, as libsrtp wants them: pointers to data and to lengths.

    ``lengths`` is int32 by row, in and out; ``data`` and ``sizes`` are arrays of `Pointer`.
    """

    def __init__(self, packets: NDArray[np.uint8]) -> None:
        self._owner = packets
        self.lengths = np.zeros(len(packets), np.int32)
        self.data = _pointers("void *", packets)
        self.sizes = _pointers("int *", self.lengths)


def _pointers(kind: str, array: NDArray[Any]) -> NDArray[np.object_]:
    first, step = array.ctypes.data, array.strides[0]
    pointers = (ffi.cast(kind, first + step * row) for row in range(len(array)))
    return np.fromiter(pointers, np.object_, len(array))
