"""Sending: all ports of one codec and packet time, encoded at once and sent one by one.

Headers and payloads of a group are rows of one matrix; the memoryviews over its rows and the bound
``send`` methods are made when the group changes, so that the loop per packet is the system call.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hookswitch.codecs.base import CodecBatch, Pcm
from hookswitch.mixer.bank import TICK_MS, Samples, frame_samples

from .endpoint import Endpoint
from .lane import as_slice
from .packets import HEADER
from .telephone_events import EventSender

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Ports that share these are sent together."""

    codec: str
    rate: int
    clock_rate: int
    ptime_ms: int


class Numbers:
    """Sequence numbers, timestamps and counters of what each slot sends; arrays by slot."""

    def __init__(self, capacity: int) -> None:
        self.sequence = np.zeros(capacity, np.int64)
        self.timestamp = np.zeros(capacity, np.int64)
        self.ssrc = np.zeros(capacity, np.int64)
        self.payload_type = np.zeros(capacity, np.uint8)
        self.fresh = np.zeros(capacity, np.bool_)
        self.packets = np.zeros(capacity, np.int64)
        self.octets = np.zeros(capacity, np.int64)
        self.errors = np.zeros(capacity, np.int64)

    def open(self, slot: int, sequence: int, timestamp: int) -> None:
        """Begin at these numbers."""
        self.sequence[slot], self.timestamp[slot] = sequence, timestamp
        self.packets[slot] = self.octets[slot] = self.errors[slot] = 0


@dataclass(slots=True)
class Member:
    """A port in a group: its engine row, whether it sends, and digits waiting to be sent."""

    endpoint: Endpoint
    row: int
    sends: bool
    digits: EventSender
    digits_pt: int | None


@dataclass(slots=True)
class SendGroup:
    """The members of one group and their packets."""

    key: GroupKey
    codec: CodecBatch
    numbers: Numbers
    members: dict[int, Member] = field(default_factory=dict)
    dialling: set[int] = field(default_factory=set)
    dirty: bool = True
    _slots: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    _rows: Rows | slice = field(default_factory=lambda: np.empty(0, np.intp))
    _frames: Samples = field(default_factory=lambda: np.empty((0, 0), np.float32))
    _sending: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    _sends: list[Callable[[memoryview], int]] = field(default_factory=list)
    _senders: list[int] = field(default_factory=list)
    _packets: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, HEADER), np.uint8))
    _views: list[memoryview] = field(default_factory=list)
    _pending: Pcm = field(default_factory=lambda: np.empty((0, 0), np.int16))

    def push(self, output: Samples) -> None:
        """Take 20 ms from ``output``, float32 (rows, samples), and send the packets now full."""
        if self.dirty:
            self._rebuild()
        if not len(self._slots):
            return
        np.rint(output[self._rows], out=self._frames)
        pcm = self._frames.astype(np.int16)
        if self.key.ptime_ms == TICK_MS:
            self._send(pcm)
            return
        pending = np.concatenate((self._pending, pcm), axis=1)
        size = self.key.rate * self.key.ptime_ms // 1000
        while pending.shape[1] >= size:
            self._send(np.ascontiguousarray(pending[:, :size]))
            pending = pending[:, size:]
        self._pending = pending

    def _send(self, pcm: Pcm) -> None:
        payloads = self.codec.encode(self._slots, pcm)
        if payloads.shape[1] != self._packets.shape[1] - HEADER:
            self._allocate(payloads.shape[1])
        self._packets[:, HEADER:] = payloads
        self._write_headers()
        views: Sequence[memoryview] = self._views
        if self.dialling:
            views = self._with_digits()
        self._transmit(zip(self._sends, views, self._senders, strict=False))
        numbers, slots = self.numbers, self._slots
        numbers.sequence[slots] += self._sending
        numbers.timestamp[slots] += self._units()
        numbers.packets[slots] += self._sending
        numbers.octets[slots] += self._sending * payloads.shape[1]

    def _write_headers(self) -> None:
        numbers, slots, packets = self.numbers, self._slots, self._packets
        packets[:, 1] = numbers.payload_type[slots] | (numbers.fresh[slots].view(np.uint8) << 7)
        packets[:, 2:4].view(">u2")[:, 0] = numbers.sequence[slots] & 0xFFFF
        packets[:, 4:8].view(">u4")[:, 0] = numbers.timestamp[slots] & 0xFFFFFFFF
        numbers.fresh[slots] &= self._sending == 0

    def _transmit(
        self, packets: Iterable[tuple[Callable[[memoryview], int], memoryview, int]]
    ) -> None:
        slot = 0
        left = iter(packets)
        while True:
            try:
                for send, view, slot in left:  # noqa: B007  (the handler below counts by slot)
                    send(view)
                return
            except OSError:
                # An unreachable or refusing peer, or a full queue: lost like on the way.
                self.numbers.errors[slot] += 1

    def _with_digits(self) -> list[memoryview]:
        """The packets, with those of dialling ports replaced by telephone events."""
        views = list(self._views)
        for slot in list(self.dialling):
            member = self.members[slot]
            packet = self._next_digit(slot, member)
            if packet is not None and slot in self._senders:
                views[self._senders.index(slot)] = memoryview(packet)
            if member.digits.idle:
                self.dialling.discard(slot)
        return views

    def _next_digit(self, slot: int, member: Member) -> bytes | None:
        numbers = self.numbers
        event = member.digits.next(int(numbers.timestamp[slot]), self.key.ptime_ms)
        if event is None or member.digits_pt is None:
            return None
        numbers.fresh[slot] = True
        second = member.digits_pt | (0x80 if event.marker else 0)
        sequence, ssrc = int(numbers.sequence[slot]) & 0xFFFF, int(numbers.ssrc[slot])
        return struct.pack("!BBHII", 0x80, second, sequence, event.timestamp, ssrc) + event.payload

    def _units(self) -> int:
        return self.key.clock_rate * self.key.ptime_ms // 1000

    def _rebuild(self) -> None:
        """Arrange the rows anew; audio waiting for a full packet keeps its owner."""
        waiting = dict(zip(self._slots.tolist(), self._pending, strict=False))
        width = self._pending.shape[1]
        self._slots = np.array(list(self.members), np.intp)
        rows = [each.row for each in self.members.values()]
        self._rows = as_slice(np.array(rows, np.intp))
        self._frames = np.zeros((len(rows), frame_samples(self.key.rate)), np.float32)
        self._pending = np.zeros((len(self.members), width), np.int16)
        for index, slot in enumerate(self.members):
            if slot in waiting:
                self._pending[index] = waiting[slot]
        self._senders = [slot for slot, each in self.members.items() if each.sends]
        self._sends = [self.members[slot].endpoint.send for slot in self._senders]
        self._sending = np.isin(self._slots, self._senders).astype(np.int64)
        self._allocate(self._packets.shape[1] - HEADER)
        self.dialling.intersection_update(self.members)
        self.dirty = False

    def _allocate(self, payload: int) -> None:
        self._packets = np.zeros((len(self._slots), HEADER + payload), np.uint8)
        self._packets[:, 0] = 0x80
        self._packets[:, 8:12].view(">u4")[:, 0] = self.numbers.ssrc[self._slots]
        sending = self._sending.tolist()
        rows = zip(self._packets, sending, strict=True)
        self._views = [memoryview(row) for row, sends in rows if sends]
