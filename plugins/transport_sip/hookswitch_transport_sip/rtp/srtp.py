"""SRTP for many ports (RFC 3711): what is received is opened in place, what is sent is sealed.

The rollover count of what we send follows from the running sequence number. The peer's is libsrtp's
business while a stream lasts; a bank that comes into a running call (a restarted worker, another
key in the middle) is told what it was and tries its neighbours, one packet each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from .keys import SUITES, SrtpKeys
from .libsrtp import Context, Pointer, Rows, lib
from .receiver import NOTHING, Round

Ints = NDArray[np.int64]

_REPLAYED = (9, 10)
"""Statuses of libsrtp for a packet that was seen before, or is too old to tell."""


class Security:
    """The contexts of one port."""

    def __init__(self, keys: SrtpKeys, ssrc: int, sequence: int, rtcp_packets: int = 0) -> None:
        """``sequence`` is the extended number of the next packet of ours, ``rtcp_packets`` how
        many reports may have been sent before: their index goes on behind them."""
        self.keys = keys
        self.outbound = Context(keys.suite, keys.sends, sends=True)
        self.outbound.begin_at(ssrc, sequence >> 16)
        report = b"\x80\xc9\x00\x01" + ssrc.to_bytes(4, "big")
        for _ in range(rtcp_packets):
            self.outbound.protect_rtcp(report)
        self._expect(keys)

    def rekey(self, keys: SrtpKeys) -> bool:
        """Go on with another key of the peer's; False if our own is another too.

        Its rollover count goes on (RFC 3711 section 3.3.1), or begins anew as many have it.
        """
        if (keys.suite, keys.sends) != (self.keys.suite, self.keys.sends):
            return False
        self._expect(keys)
        return True

    def _expect(self, keys: SrtpKeys) -> None:
        self.keys = keys
        self.inbound = Context(keys.suite, keys.receives, sends=False)
        self._proven = False
        self._guesses = _neighbours(keys.rollover)

    @property
    def tag(self) -> int:
        """Bytes that protection adds to a packet."""
        return SUITES[self.keys.suite][1]

    def succeeded(self) -> None:
        """A packet was genuine: the rollover count is right."""
        self._proven = True

    def failed(self, ssrc: int) -> bool:
        """A packet was not; True if another rollover count is tried from now on."""
        guess = None if self._proven else next(self._guesses, None)
        if guess is None:
            return False
        self.inbound = Context(self.keys.suite, self.keys.receives, sends=False)
        self.inbound.begin_at(ssrc, guess)
        return True

    def rollover(self, ssrc: int) -> int | None:
        """The peer's rollover count; None before its first genuine packet."""
        return self.inbound.rollover(ssrc) if self._proven else None


def _neighbours(rollover: int | None) -> Iterator[int]:
    """What to try when zero, which libsrtp begins with, does not fit."""
    if rollover is not None:
        yield from (each for each in (rollover, rollover + 1, rollover - 1) if each >= 0)


class Opener:
    """Takes the protection off received packets, in place.

    ``refused`` counts by slot the packets that were not genuine, or came a second time.
    """

    def __init__(self, capacity: int, staging: NDArray[np.uint8]) -> None:
        self.refused = np.zeros(capacity, np.int64)
        self._secure = np.zeros(capacity, np.bool_)
        self._known: dict[int, Security] = {}
        self._handles: dict[int, Pointer] = {}
        self._unproven: set[int] = set()
        self._staging = staging
        self._rows = Rows(staging[:0])

    def open(self, slot: int, security: Security | None) -> None:
        """From now on this is how the slot's packets are protected, or not at all."""
        self.close(slot)
        if security is None:
            return
        self._known[slot], self._handles[slot] = security, security.inbound.handle
        self._secure[slot] = True
        self._unproven.add(slot)

    def close(self, slot: int) -> None:
        """The slot's packets are plain, or there are none."""
        self._secure[slot] = False
        self.refused[slot] = 0
        self._known.pop(slot, None)
        self._handles.pop(slot, None)
        self._unproven.discard(slot)

    def take(self, batch: Round) -> None:
        """Open what is protected; of what is not genuine nothing is left."""
        if not self._known:
            return
        which = np.flatnonzero(self._secure[batch.slots] & (batch.lengths > 0))
        if not len(which):
            return
        kind = batch.datagrams[which, 1]
        rtcp = (kind >= 192) & (kind <= 223)
        self._open(batch, which[~rtcp], lib.srtp_unprotect)
        if np.count_nonzero(rtcp):
            self._open(batch, which[rtcp], lib.srtp_unprotect_rtcp)

    def _open(self, batch: Round, which: NDArray[np.intp], unprotect: Pointer) -> None:
        if not len(which):
            return
        if len(self._rows.lengths) < len(batch.lengths):
            self._rows = Rows(self._staging[: len(batch.lengths) * 2])
        rows, slots = self._rows, batch.slots[which]
        rows.lengths[which] = batch.lengths[which]
        data, sizes = rows.data, rows.sizes
        if len(which) < len(batch.slots):
            picked = which.tolist()
            data, sizes = [data[row] for row in picked], [sizes[row] for row in picked]
        handles = map(self._handles.__getitem__, slots.tolist())
        status = np.array(list(map(unprotect, handles, data, sizes)))
        batch.lengths[which] = np.where(status == 0, rows.lengths[which], NOTHING)
        if self._unproven or np.count_nonzero(status):
            self._judge(slots, batch, which, status)

    def _judge(
        self, slots: NDArray[np.intp], batch: Round, which: NDArray[np.intp], status: Ints
    ) -> None:
        self.refused[slots] += status != 0
        for slot, row, result in zip(slots.tolist(), which.tolist(), status.tolist(), strict=True):
            if result == 0:
                if slot in self._unproven:
                    self._known[slot].succeeded()
                    self._unproven.discard(slot)
            elif slot in self._unproven and result not in _REPLAYED:
                ssrc = int.from_bytes(batch.datagrams[row, 8:12].tobytes(), "big")
                if self._known[slot].failed(ssrc):
                    self._handles[slot] = self._known[slot].inbound.handle


class Sealer:
    """Protects the packets of a group before they are sent, in place.

    ``order`` are the rows of ``packets`` that are sent, ``securities`` those of their ports.
    """

    def __init__(
        self,
        packets: NDArray[np.uint8],
        order: NDArray[np.intp],
        securities: Sequence[Security],
    ) -> None:
        rows, self._order = Rows(packets), order
        self._lengths = rows.lengths
        self._handles = [each.outbound.handle for each in securities]
        self._data = [rows.data[row] for row in order.tolist()]
        self._sizes = [rows.sizes[row] for row in order.tolist()]

    def seal_all(self, length: int) -> list[int]:
        """Protect a packet of this length in every row; what is not 0 says that one is not."""
        self._lengths[self._order] = length
        return list(map(lib.srtp_protect, self._handles, self._data, self._sizes))

    def seal(self, lengths: Ints) -> Ints:
        """Protect packets of these lengths (0: there is none); answers their lengths now.

        What cannot be protected has length 0: it must not be sent.
        """
        order = self._order
        self._lengths[order] = lengths
        columns: list[list[Pointer]] = [self._handles, self._data, self._sizes]
        if np.count_nonzero(lengths) < len(order):
            some = np.flatnonzero(lengths).tolist()
            columns = [[column[i] for i in some] for column in columns]
        status = np.zeros(len(order), np.int64)
        status[lengths > 0] = list(map(lib.srtp_protect, *columns))
        return np.where(status == 0, self._lengths[order], 0)
