"""Which packets belong to a stream, and in which order (RFC 3550 appendix A.1), for many at once.

Each slot follows one source (SSRC). A packet that continues it is accepted; one seen before is a
duplicate; one that does not continue it (another source, a jump) must be followed by its own
successor before the stream moves over to it, which costs one packet and protects against strays.
Counts carry on over such a change, so what is reported concerns the whole call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]

MAX_DROPOUT = 3000
"""A packet may run this far ahead of the newest one and still continue the stream."""

MAX_MISORDER = 64
"""A packet may be this late and still be told from a duplicate."""

_NONE = -1
_ONE = np.uint64(1)


@dataclass(slots=True)
class Verdict:
    """For each packet: ``accepted`` (new, continues or starts a stream), ``started`` (the first of
    a stream, whose timestamps need a new base), ``duplicate``; none of them means held back.
    ``regular``: all were accepted and none started anything."""

    regular: bool
    accepted: Flags
    started: Flags
    duplicate: Flags


class Sequences:
    """Sequence state of ``capacity`` slots; int64 arrays by slot.

    ``ssrc`` is -1 before the first packet. ``highest`` is the extended highest sequence number
    (RFC 3550 section 6.4.1), ``received`` counts distinct packets, ``duplicates`` and ``strays``
    (packets held back) the rest; ``gaps`` counts losses in a row as one.
    """

    def __init__(self, capacity: int) -> None:
        self.ssrc = np.full(capacity, _NONE, np.int64)
        self.highest = np.zeros(capacity, np.int64)
        self.received = np.zeros(capacity, np.int64)
        self.duplicates = np.zeros(capacity, np.int64)
        self.strays = np.zeros(capacity, np.int64)
        self.gaps = np.zeros(capacity, np.int64)
        self._first = np.zeros(capacity, np.int64)
        self._expected_before = np.zeros(capacity, np.int64)
        self._seen = np.zeros(capacity, np.uint64)
        self._next_ssrc = np.full(capacity, _NONE, np.int64)
        self._next_sequence = np.zeros(capacity, np.int64)

    def reset(self, slot: int) -> None:
        """The slot knows no stream."""
        self.ssrc[slot] = self._next_ssrc[slot] = _NONE
        for counter in (
            self.highest,
            self.received,
            self.duplicates,
            self.strays,
            self.gaps,
            self._first,
        ):
            counter[slot] = 0
        self._expected_before[slot] = 0

    def welcome(self, slot: int, ssrc: int, sequence: int) -> None:
        """The coming packet has proved itself elsewhere: it may start a stream at once."""
        self._next_ssrc[slot], self._next_sequence[slot] = ssrc, sequence

    def expected(self, slots: Rows) -> Ints:
        """Packets sent to each slot as far as the numbers tell, int64."""
        current: Ints = self.highest[slots] - self._first[slots] + 1
        current[self.ssrc[slots] == _NONE] = 0
        current += self._expected_before[slots]
        return current

    def expected_of(self, slot: int) -> int:
        """`expected` of one slot."""
        before = int(self._expected_before[slot])
        if self.ssrc[slot] == _NONE:
            return before
        return before + int(self.highest[slot]) - int(self._first[slot]) + 1

    def lost(self, slots: Rows) -> Ints:
        """Packets that never came, int64, never negative."""
        lost: Ints = np.maximum(self.expected(slots) - self.received[slots], 0)
        return lost

    def accept(self, slots: Rows, ssrc: Ints, sequence: Ints) -> Verdict:
        """Judge one packet for each of ``slots``, which must be distinct."""
        highest = self.highest[slots]
        same = self.ssrc[slots] == ssrc
        ahead = (sequence - highest + 0x8000 & 0xFFFF) - 0x8000
        newer = same & (ahead > 0) & (ahead < MAX_DROPOUT)
        if np.count_nonzero(newer) == len(slots):
            self._advance(slots, highest, ahead)
            self.received[slots] += 1
            nothing = np.zeros(len(slots), np.bool_)
            return Verdict(True, newer, nothing, nothing)
        self._advance(slots[newer], highest[newer], ahead[newer])
        older = same & (ahead <= 0) & (ahead > -MAX_MISORDER)
        filled, duplicate = self._fill(slots, older, -ahead)
        started = self._start(slots, ~(newer | older), ssrc, sequence)
        accepted = newer | filled | started
        self.received[slots] += accepted
        return Verdict(False, accepted, started, duplicate)

    def _advance(self, slots: Rows, highest: Ints, ahead: Ints) -> None:
        self.highest[slots] = highest + ahead
        self.gaps[slots] += ahead > 1
        shift = np.minimum(ahead, 63).astype(np.uint64)
        seen = np.where(ahead > 63, np.uint64(0), self._seen[slots] << shift)
        self._seen[slots] = seen | _ONE
        self._next_ssrc[slots] = _NONE

    def _fill(self, slots: Rows, older: Flags, behind: Ints) -> tuple[Flags, Flags]:
        """Late packets fill their place once: (filled, duplicate)."""
        bit = _ONE << np.where(older, behind, 0).astype(np.uint64)
        seen = older & ((self._seen[slots] & bit) != 0)
        # What precedes the first packet was sent before we listened; it is not counted as lost.
        fresh = older & ~seen & (self.highest[slots] - behind >= self._first[slots])
        self._seen[slots[fresh]] |= bit[fresh]
        duplicate = older & ~fresh
        self.duplicates[slots] += duplicate
        return fresh, duplicate

    def _start(self, slots: Rows, foreign: Flags, ssrc: Ints, sequence: Ints) -> Flags:
        """Move over to a stream that is the slot's first, or has shown two packets in a row."""
        first = self.ssrc[slots] == _NONE
        again = (self._next_ssrc[slots] == ssrc) & (self._next_sequence[slots] == sequence)
        started: Flags = foreign & (first | again)
        stray = foreign & ~started
        self.strays[slots] += stray
        self._next_ssrc[slots[stray]] = ssrc[stray]
        self._next_sequence[slots[stray]] = sequence[stray] + 1 & 0xFFFF
        moved = slots[started]
        self._expected_before[moved] = self.expected(moved)
        self.ssrc[moved] = ssrc[started]
        self.highest[moved] = self._first[moved] = sequence[started]
        self._seen[moved] = _ONE
        self._next_ssrc[moved] = _NONE
        return started
