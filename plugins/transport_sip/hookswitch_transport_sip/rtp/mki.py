"""Master key identifiers (RFC 3711 section 3.1), cut out of what is received.

The libsrtp that we have knows none. What authenticates a packet does not cover its identifier, so
the packet is whole without it. We send none: whether there is one is said with the sender's key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .keys import LONGEST_MKI, SrtpKeys

_TAG = 10
"""Bytes of the longest tag behind an identifier, and of every one in SRTCP."""

_SHORTEST = 8
"""Bytes of a header without which there is no packet, of RTCP."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a key's packets carry, and how many bytes stand behind it in RTP and in RTCP.

    Behind it is the tag of HMAC. That of AES-GCM belongs to the ciphertext: nothing is behind
    (RFC 7714 section 8.1).
    """

    value: bytes
    behind_rtp: int
    behind_rtcp: int

    @classmethod
    def of(cls, keys: SrtpKeys) -> Identifier | None:
        """That of the peer's key; None if it has none."""
        if not keys.mki:
            return None
        rtp, rtcp = (0, 0) if keys.is_aead else (keys.tag, _TAG)
        return cls(keys.mki, rtp, rtcp)

    def cut(self, packet: bytes, *, rtcp: bool) -> bytes | None:
        """The packet without its identifier; None if that is another one, or missing."""
        end = len(packet) - (self.behind_rtcp if rtcp else self.behind_rtp)
        begin = end - len(self.value)
        if begin < _SHORTEST or packet[begin:end] != self.value:
            return None
        return packet[:begin] + packet[end:]


def without(identifier: Identifier | None, packet: bytes, *, rtcp: bool) -> bytes | None:
    """A packet without the identifier that it should carry, if any; None if it does not."""
    return packet if identifier is None else identifier.cut(packet, rtcp=rtcp)


class Identifiers:
    """The identifiers of many ports, by slot; it is false while there are none."""

    def __init__(self, capacity: int) -> None:
        self._known: set[int] = set()
        self._values = np.zeros((capacity, LONGEST_MKI), np.uint8)
        self._sizes = np.zeros(capacity, np.int64)
        self._behind = np.zeros((2, capacity), np.int64)

    def __bool__(self) -> bool:
        return bool(self._known)

    def open(self, slot: int, identifier: Identifier | None) -> None:
        """From now on the slot's packets carry this."""
        self.close(slot)
        if identifier is None:
            return
        self._known.add(slot)
        size = self._sizes[slot] = len(identifier.value)
        self._values[slot, :size] = np.frombuffer(identifier.value, np.uint8)
        self._behind[:, slot] = identifier.behind_rtp, identifier.behind_rtcp

    def close(self, slot: int) -> None:
        """The slot's packets carry none."""
        self._known.discard(slot)
        self._sizes[slot] = 0

    def cut(
        self,
        datagrams: NDArray[np.uint8],
        lengths: NDArray[np.int64],
        rows: NDArray[np.intp],
        slots: NDArray[np.intp],
        *,
        rtcp: bool,
    ) -> NDArray[np.bool_]:
        """Cut identifiers out of ``rows``, in place; which of them do not carry theirs.

        A row is longer than its packet by more than the longest tag.
        """
        missing = np.zeros(len(rows), np.bool_)
        which = np.flatnonzero(self._sizes[slots])
        if not len(which):
            return missing
        rows, slots = rows[which], slots[which]
        sizes = self._sizes[slots]
        ends = lengths[rows] - self._behind[int(rtcp), slots]
        begins = ends - sizes
        width = np.arange(sizes.max())
        found = datagrams[rows[:, None], np.maximum(begins[:, None] + width, 0)]
        same = (found == self._values[slots, : len(width)]) | (width >= sizes[:, None])
        theirs = same.all(axis=1) & (begins >= _SHORTEST)
        missing[which] = ~theirs
        rows, ends, begins = rows[theirs, None], ends[theirs, None], begins[theirs, None]
        tag = np.arange(_TAG)
        datagrams[rows, begins + tag] = datagrams[rows, ends + tag]
        lengths[rows[:, 0]] -= (ends - begins)[:, 0]
        return missing
