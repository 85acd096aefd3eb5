"""RTP packet headers (RFC 3550 section 5.1), many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HEADER = 12
"""Bytes of a header without contributing sources."""

_PLAIN = 0x80
"""First byte of version 2 without padding, extension or contributing sources."""


@dataclass(slots=True)
class Headers:
    """The headers of n datagrams, as arrays of n.

    ``valid`` marks RTP; the other fields of an invalid row mean nothing. ``rtcp`` marks RTCP sent
    to the RTP port (RFC 5761 section 4). ``offset`` and ``size`` delimit the payload.
    """

    valid: Flags
    rtcp: Flags
    payload_type: Ints
    marker: Flags
    sequence: Ints
    timestamp: Ints
    ssrc: Ints
    offset: Ints
    size: Ints


@dataclass(slots=True)
class Words:
    """The fixed part of n headers as numbers, int64 (n,), before anything is checked.

    ``first`` is the first 16 bits: version, flags, marker and payload type.
    """

    first: Ints
    sequence: Ints
    timestamp: Ints
    ssrc: Ints

    @classmethod
    def read(cls, datagrams: Bytes) -> Words:
        """From the first bytes of each row of ``datagrams``, uint8 (n, at least 12)."""
        heads = np.ascontiguousarray(datagrams[:, :HEADER])
        halves = heads.view(">u2").astype(np.int64)
        words = heads.view(">u4").astype(np.int64)
        return cls(halves[:, 0], halves[:, 1], words[:, 1], words[:, 2])


PLAIN_MASK = 0xFF7F
"""Bits of `Words.first` without the marker."""


def plain_word(payload_type: int) -> int:
    """`Words.first` under `PLAIN_MASK` of a packet that is a 12-byte header and a payload."""
    return _PLAIN << 8 | payload_type


def parse(datagrams: Bytes, lengths: Ints, words: Words) -> Headers:
    """Parse the headers of which ``words`` were read.

    ``lengths``, int64 (n,), are the bytes received; what lies beyond them is never trusted.
    """
    first, second = words.first >> 8, words.first & 0xFF
    valid = lengths >= HEADER
    rtcp = (second >= 192) & (second <= 223) & (first >> 6 == 2) & (lengths >= 8)
    offset = np.full(len(lengths), HEADER, np.int64)
    size = lengths - HEADER
    odd = first != _PLAIN
    if odd.any():
        _measure(np.flatnonzero(odd & valid), datagrams, lengths, offset, size)
        valid &= first >> 6 == 2
    valid &= size >= 0
    valid &= ~rtcp
    return Headers(
        valid,
        rtcp,
        second & 127,
        second >= 128,
        words.sequence,
        words.timestamp,
        words.ssrc,
        offset,
        size,
    )


def _measure(
    rows: NDArray[np.intp], datagrams: Bytes, lengths: Ints, offset: Ints, size: Ints
) -> None:
    """Payload bounds where sources, an extension or padding are present; size < 0 when broken."""
    first = datagrams[rows, 0].astype(np.int64)
    width, total = datagrams.shape[1], lengths[rows]
    start = HEADER + 4 * (first & 15)
    extended = (first & 0x10) != 0
    at = np.minimum(start + 2, width - 2)
    words = datagrams[rows, at].astype(np.int64) << 8 | datagrams[rows, at + 1]
    broken = extended & (start + 4 > total)
    start += np.where(extended, 4 + 4 * words, 0)
    padded = (first & 0x20) != 0
    last = datagrams[rows, np.clip(total - 1, 0, width - 1)].astype(np.int64)
    padding = np.where(padded, last, 0)
    broken |= padded & (padding == 0)
    offset[rows] = start
    size[rows] = np.where(broken, -1, total - start - padding)
