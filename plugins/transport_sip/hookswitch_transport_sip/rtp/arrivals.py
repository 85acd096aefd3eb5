"""When packets really arrived, for the jitter: sampled, because asking the kernel costs a little.

All sockets are read once per tick, so the time of reading says nothing about jitter below 20 ms.
The kernel's own time stamps do, but fetching one makes receiving slower. Each port is therefore
measured for its first seconds and then for one second in `PERIOD`.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from .endpoint import NOTHING, STRANGERS_PER_CALL, Endpoint

PERIOD = 10
"""Turns, of a second each, between two measurements of a port."""

FIRST_TURNS = 3
"""Turns for which a new port is measured at once."""

SO_TIMESTAMPNS = 35
"""Linux's socket option, and the type of the control message it causes."""

_TIMESPEC = struct.Struct("@ll")
_CONTROL_BYTES = 64


class Arrivals:
    """``timed``: bool by slot, being measured. ``at``: float64 by slot, when the last one came."""

    def __init__(self, capacity: int) -> None:
        self.timed = np.zeros(capacity, np.bool_)
        self.at = np.zeros(capacity, np.float64)
        self._turn = 0
        self._first: dict[int, int] = {}
        self._now = 0.0
        self._offset = 0.0

    def begin(self, now: float) -> None:
        """A tick begins: from now on the kernel's clock is understood relative to ``now``."""
        self._now, self._offset = now, now - time.time()

    def open(self, endpoint: Endpoint) -> None:
        """Measure a port from now on, for its first turns."""
        endpoint.stamp_arrivals(SO_TIMESTAMPNS)
        self.timed[endpoint.slot] = True
        self._first[endpoint.slot] = FIRST_TURNS

    def close(self, endpoint: Endpoint) -> None:
        """Measure the port no more."""
        self.timed[endpoint.slot] = False
        self._first.pop(endpoint.slot, None)

    def turn(self, endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
        """A second has passed: yields those that are now to be measured, or no longer."""
        self._turn = (self._turn + 1) % PERIOD
        self._first = {slot: left - 1 for slot, left in self._first.items() if left > 1}
        for endpoint in endpoints:
            slot = endpoint.slot
            wanted = slot % PERIOD == self._turn or slot in self._first
            if wanted != self.timed[slot]:
                self.timed[slot] = wanted
                yield endpoint

    def receive(self, endpoint: Endpoint, view: memoryview) -> int:
        """Receive one datagram and note when it arrived; `NOTHING` if it is a stranger's."""
        for _ in range(STRANGERS_PER_CALL):
            try:
                size, control, _, raw = endpoint.rtp.recvmsg_into([view], _CONTROL_BYTES)
            except BlockingIOError:
                return NOTHING
            if endpoint.admits(raw):
                self.at[endpoint.slot] = self._time(control)
                return size
        return NOTHING

    def _time(self, control: list[tuple[int, int, bytes]]) -> float:
        at = self._now
        for _, kind, data in control:
            if kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                at = min(self._offset + seconds + nanoseconds * 1e-9, at)
        return at


def measured(arrivals: Arrivals, slots: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """Positions within ``slots`` that are measured; None for none of them."""
    timed = arrivals.timed[slots]
    return np.flatnonzero(timed) if np.count_nonzero(timed) else None
