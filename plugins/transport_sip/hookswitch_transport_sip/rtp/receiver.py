"""Taking what has arrived at all sockets: the receiving half of the per-packet loop.

What runs once per packet is little more than the system call. Each look at the sockets reads at
most one packet of each, which bounds what a flood at one port can cost the others; the vectorised
code gets rounds in which every slot occurs once.
"""

from __future__ import annotations

import functools
import select
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrivals import Arrivals
from .endpoint import NOTHING, Endpoint
from .lock import LockState

ROUNDS = 16
"""Packets a port may deliver per tick; more wait in the kernel, or are dropped there."""

RTCP_PER_CALL = 50
"""RTCP sockets looked at per call."""

_DATAGRAM = 2048
# A row's length is no power of two: headers of all rows would compete for the same cache lines.
_STRIDE = _DATAGRAM + 64


@dataclass(slots=True)
class Round:
    """At most one datagram per slot: slots (n,), uint8 (n, 2112) and lengths (n,), or `NOTHING`."""

    slots: NDArray[np.intp]
    datagrams: NDArray[np.uint8]
    lengths: NDArray[np.int64]


class Receiver:
    """The sockets of all ports behind two epoll instances, RTP's and RTCP's.

    ``staging`` is the matrix whose first rows are a round's datagrams.
    ``errors`` counts failed calls by slot. ``settled`` is called with the slot that is locked and
    whose queue is known to hold nothing that came before.
    """

    def __init__(
        self,
        capacity: int,
        errors: NDArray[np.int64],
        arrivals: Arrivals,
        settled: Callable[[int], None],
    ) -> None:
        self._errors = errors
        self._settled = settled
        self._rtcp_epoll = select.epoll()
        self._rtcp_slot: dict[int, int] = {}
        self._epoll = select.epoll()
        self.staging = np.zeros((capacity, _STRIDE), np.uint8)
        self._views: list[memoryview] = []
        self._receive: dict[int, Callable[[memoryview], int]] = {}
        self._slot: dict[int, int] = {}
        self._unsettled: set[Endpoint] = set()
        self._calm: dict[int, Endpoint] = {}
        self._arrivals = arrivals

    def add(self, endpoint: Endpoint) -> None:
        """Watch an endpoint's sockets."""
        fd = endpoint.rtp.fileno()
        self._epoll.register(fd, select.EPOLLIN)
        self._receive[fd] = endpoint.receive
        self._slot[fd] = endpoint.slot
        while len(self._views) < len(self._slot):
            self._views.append(memoryview(self.staging[len(self._views)])[:_DATAGRAM])
        if endpoint.rtcp is not None:
            self._rtcp_epoll.register(endpoint.rtcp.fileno(), select.EPOLLIN)
            self._rtcp_slot[endpoint.rtcp.fileno()] = endpoint.slot

    def remove(self, endpoint: Endpoint) -> None:
        """Stop watching, before the endpoint closes."""
        fd = endpoint.rtp.fileno()
        self._epoll.unregister(fd)
        del self._receive[fd], self._slot[fd]
        self._unsettled.discard(endpoint)
        self._disturb(endpoint)
        if endpoint.rtcp is not None:
            self._rtcp_epoll.unregister(endpoint.rtcp.fileno())
            del self._rtcp_slot[endpoint.rtcp.fileno()]

    def refresh(self, endpoint: Endpoint) -> None:
        """The endpoint was locked to a source, or opened to others."""
        self._disturb(endpoint)
        self._receive[endpoint.rtp.fileno()] = endpoint.receive
        if endpoint.connected:
            self._unsettled.add(endpoint)
            return
        self._unsettled.discard(endpoint)
        if endpoint.lock.state is LockState.LOCKED:
            self._calm_down(endpoint)  # each sender is looked at: nobody's packet slips through

    def turn(self) -> None:
        """Once per second: measure the arrivals of other ports."""
        for endpoint in self._arrivals.turn(self._calm.values()):
            self._choose_receive(endpoint)

    def close(self) -> None:
        """Close the epoll instances."""
        self._epoll.close()
        self._rtcp_epoll.close()

    def rtcp_ready(self) -> list[int]:
        """Slots with something to read at their RTCP socket."""
        ready = self._rtcp_epoll.poll(0, RTCP_PER_CALL) if self._rtcp_slot else []
        return [self._rtcp_slot[fd] for fd, _ in ready]

    def drain(self, now: float) -> Iterator[Round]:
        """Read until all sockets are empty or have had their share.

        What arrives meanwhile is read too; it joins the same round as long as no slot repeats.
        """
        self._arrivals.begin(now)
        settling = list(self._unsettled)
        fds: list[int] = []
        lengths: list[int] = []
        for _ in range(ROUNDS):
            ready = [fd for fd, _ in self._epoll.poll(0, max(len(self._views), 1))]
            if not ready:
                break
            if fds and not set(fds).isdisjoint(ready):
                yield self._round(fds, lengths)
                fds, lengths = [], []
            self._receive_one_each(ready, lengths)
            fds += ready
        if fds:
            yield self._round(fds, lengths)
        if not ready:
            self._settle(settling)

    def _receive_one_each(self, ready: list[int], lengths: list[int]) -> None:
        """Read one datagram of each descriptor into the rows after those already filled."""
        receive = self._receive
        free = self._views[len(lengths) :] if lengths else self._views
        for fd, view in zip(ready, free, strict=False):
            try:
                lengths.append(receive[fd](view))
            except OSError:
                # A peer that refused what we sent: the system says so at the next call.
                self._errors[self._slot[fd]] += 1
                lengths.append(NOTHING)

    def _round(self, fds: list[int], lengths: list[int]) -> Round:
        slot_of = self._slot
        return Round(
            np.array([slot_of[fd] for fd in fds], np.intp),
            self.staging[: len(fds)],
            np.array(lengths, np.int64),
        )

    def _settle(self, endpoints: list[Endpoint]) -> None:
        """These were connected before this drain, and their queues have been empty since."""
        for endpoint in endpoints:
            if endpoint in self._unsettled:
                self._unsettled.discard(endpoint)
                self._calm_down(endpoint)

    def _calm_down(self, endpoint: Endpoint) -> None:
        endpoint.settle()
        self._calm[endpoint.slot] = endpoint
        self._arrivals.open(endpoint)
        self._choose_receive(endpoint)
        self._settled(endpoint.slot)

    def _choose_receive(self, endpoint: Endpoint) -> None:
        measured = functools.partial(self._arrivals.receive, endpoint)
        timed = self._arrivals.timed[endpoint.slot]
        self._receive[endpoint.rtp.fileno()] = measured if timed else endpoint.receive

    def _disturb(self, endpoint: Endpoint) -> None:
        if self._calm.pop(endpoint.slot, None) is not None:
            self._arrivals.close(endpoint)
