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


def parse(datagrams: Bytes, lengths: Ints) -> Headers:
    """Parse the first bytes of each row of ``datagrams``, uint8 (n, at least 12).

    ``lengths``, int64 (n,), are the bytes received; what lies beyond them is never trusted.
    """
    first, second = datagrams[:, 0], datagrams[:, 1]
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
        (second & 127).astype(np.int64),
        second >= 128,
        datagrams[:, 2:4].view(">u2")[:, 0].astype(np.int64),
        datagrams[:, 4:8].view(">u4")[:, 0].astype(np.int64),
        datagrams[:, 8:12].view(">u4")[:, 0].astype(np.int64),
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
