"""SRTP for many ports (RFC 3711): what is received is opened in place, what is sent is sealed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .endpoint import NOTHING
from .libsrtp import Context, Pointer, Rows, lib
from .mki import Identifiers
from .receiver import Round
from .security import Security

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

_REPLAYED = (9, 10)
"""Statuses of libsrtp for a packet that was seen before, or is too old to tell."""


class Opener:
    """Takes the protection off received packets, in place.

    ``refused`` counts by slot the packets that were not genuine, or came a second time.
    """

    def __init__(self, capacity: int, staging: NDArray[np.uint8]) -> None:
        self.refused = np.zeros(capacity, np.int64)
        self._known: dict[int, Security] = {}
        self._handles: NDArray[np.object_] = np.full(capacity, None, np.object_)
        self._addresses = np.zeros(capacity, np.int64)
        """Of the slot's context; 0 where nothing is protected."""
        self._unproven: set[int] = set()
        self._changing: set[int] = set()
        """Slots whose peer has just changed its key: their packets are looked at one by one."""
        self._identifiers = Identifiers(capacity)
        self._staging = staging
        self._rows = Rows(staging[:0])

    def open(self, slot: int, security: Security | None) -> None:
        """From now on this is how the slot's packets are protected, or not at all."""
        self._forget(slot)
        if security is None:
            return
        self._known[slot] = security
        if security.is_changing:
            self._changing.add(slot)
        self._settle(slot)

    def close(self, slot: int) -> None:
        """There are no packets any more."""
        self.refused[slot] = 0
        self._forget(slot)

    def _settle(self, slot: int) -> None:
        """From now on the slot's packets are opened by libsrtp among others."""
        security = self._known[slot]
        self._expect(slot, security.inbound)
        self._identifiers.open(slot, security.identifier)
        if not security.is_proven:
            self._unproven.add(slot)

    def _forget(self, slot: int) -> None:
        self._handles[slot], self._addresses[slot] = None, 0
        self._known.pop(slot, None)
        self._identifiers.close(slot)
        self._unproven.discard(slot)
        self._changing.discard(slot)

    def _expect(self, slot: int, context: Context) -> None:
        self._handles[slot], self._addresses[slot] = context.handle, context.address

    def take(self, batch: Round) -> None:
        """Open what is protected; of what is not genuine nothing is left."""
        if not self._known:
            return
        addresses = self._addresses[batch.slots]
        which = np.argsort(addresses)
        secure = (addresses != 0) & (batch.lengths > 0)
        if np.count_nonzero(secure) < len(which):
            which = which[secure[which]]
        if self._changing:
            one_by_one = np.isin(batch.slots[which], list(self._changing))
            for row in which[one_by_one].tolist():
                self._open_one(batch, row)
            which = which[~one_by_one]
        kind = batch.datagrams[which, 1]
        rtcp = (kind >= 192) & (kind <= 223)
        if np.count_nonzero(rtcp):
            self._open(batch, which[rtcp], rtcp=True)
            which = which[~rtcp]
        self._open(batch, which, rtcp=False)

    def _open_one(self, batch: Round, row: int) -> None:
        """As `_open`, for a slot whose packets may be under either of two keys."""
        slot = int(batch.slots[row])
        security, packet = self._known[slot], batch.datagrams[row, : batch.lengths[row]].tobytes()
        if len(packet) > 1 and 192 <= packet[1] <= 223:
            opened = security.unprotect_rtcp(packet)
        else:
            opened = security.unprotect(packet, int.from_bytes(packet[8:12], "big"))
        if opened is None:
            self.refused[slot] += 1
            batch.lengths[row] = NOTHING
        else:
            batch.datagrams[row, : len(opened)] = np.frombuffer(opened, np.uint8)
            batch.lengths[row] = len(opened)
        if not security.is_changing:
            self._changing.discard(slot)
            self._settle(slot)

    def _open(self, batch: Round, which: NDArray[np.intp], *, rtcp: bool) -> None:
        if self._identifiers:
            which = self._identified(batch, which, rtcp=rtcp)
        if not len(which):
            return
        if len(self._rows.lengths) < len(batch.lengths):
            self._rows = Rows(self._staging[: len(batch.lengths) * 2])
        rows, slots = self._rows, batch.slots[which]
        rows.lengths[which] = batch.lengths[which]
        columns = (self._handles[slots], rows.data[which], rows.sizes[which])
        unprotect = lib.srtp_unprotect_rtcp if rtcp else lib.srtp_unprotect
        status = _done(unprotect, *(column.tolist() for column in columns))
        batch.lengths[which] = np.where(status == 0, rows.lengths[which], NOTHING)
        if self._unproven or np.count_nonzero(status):
            self._judge(slots, batch, which, status)

    def _identified(self, batch: Round, which: NDArray[np.intp], *, rtcp: bool) -> NDArray[np.intp]:
        """The rows whose packets carry the identifier they should, if any, now without it."""
        lengths, slots = batch.lengths, batch.slots[which]
        missing = self._identifiers.cut(batch.datagrams, lengths, which, slots, rtcp=rtcp)
        if np.count_nonzero(missing):
            lengths[which[missing]] = NOTHING
            self.refused[slots] += missing
        return which[~missing]

    def _judge(
        self,
        slots: NDArray[np.intp],
        batch: Round,
        which: NDArray[np.intp],
        status: NDArray[np.uint8],
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
                    self._expect(slot, self._known[slot].inbound)


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
        self._turn = np.argsort(np.array([each.outbound.address for each in securities], np.int64))
        ordered = order[self._turn]
        handles = [securities[i].outbound.handle for i in self._turn.tolist()]
        self._columns = (handles, rows.data[ordered].tolist(), rows.sizes[ordered].tolist())

    def seal_all(self, length: int) -> Flags | None:
        """Protect a packet of this length in every row; which must not be sent, if some failed."""
        self._lengths[self._order] = length
        status = _done(lib.srtp_protect, *self._columns)
        return self._in_order(status != 0) if np.count_nonzero(status) else None

    def seal(self, lengths: Ints) -> Ints:
        """Protect packets of these lengths (0: there is none); answers their lengths now.

        What cannot be protected has length 0: it must not be sent.
        """
        self._lengths[self._order] = lengths
        there = lengths[self._turn] > 0
        columns = [list(itertools.compress(column, there)) for column in self._columns]
        failed = np.zeros(len(there), np.bool_)
        failed[there] = _done(lib.srtp_protect, *columns) != 0
        return np.where(self._in_order(failed) | (lengths == 0), 0, self._lengths[self._order])

    def _in_order(self, flags: Flags) -> Flags:
        """From the order in which packets are protected to that in which they are sent."""
        sent = np.empty_like(flags)
        sent[self._turn] = flags
        return sent


def _done(function: Pointer, *columns: list[Pointer]) -> NDArray[np.uint8]:
    """The statuses of a function of libsrtp, called once per row; 0 is success."""
    return np.frombuffer(bytes(map(function, *columns)), np.uint8)
