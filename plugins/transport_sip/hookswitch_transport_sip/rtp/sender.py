"""Sending: all ports of one codec and packet time, encoded at once and sent one by one.

Headers and payloads of a group are rows of one matrix; the memoryviews over its rows and the bound
``send`` methods are made when the group changes, so that the loop per packet is the system call.
Payloads of changing size, protected packets and telephone events cost a little more each.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hookswitch.codecs.base import AnyCodecBatch, CodecBatch, Payloads, Pcm, StreamCodecBatch
from hookswitch.mixer.bank import TICK_MS, Samples, frame_samples

from .endpoint import Endpoint
from .lane import as_slice
from .libsrtp import TRAILER
from .packets import HEADER
from .security import Security
from .srtp import Sealer
from .telephone_events import EventSender

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]
Outgoing = tuple[Callable[[memoryview], int], memoryview, int]
"""How to send, what, and for which slot."""


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Ports that share these are sent together."""

    codec: str
    rate: int
    clock_rate: int
    ptime_ms: int
    secure: bool = False


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
        self.begin(slot, sequence, timestamp)
        self.packets[slot] = self.octets[slot] = self.errors[slot] = 0

    def begin(self, slot: int, sequence: int, timestamp: int) -> None:
        """Go on at these numbers, as another source."""
        self.sequence[slot], self.timestamp[slot] = sequence, timestamp
        self.fresh[slot] = True


@dataclass(slots=True)
class Member:
    """A port in a group: its engine row, whether it sends, and digits waiting to be sent.

    ``security`` protects its packets, in a group that is secure.
    """

    endpoint: Endpoint
    row: int
    sends: bool
    digits: EventSender
    digits_pt: int | None
    security: Security | None = None


@dataclass(slots=True)
class SendGroup:
    """The members of one group and their packets."""

    key: GroupKey
    codec: AnyCodecBatch
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
    _width: int = 0
    _views: list[memoryview] = field(default_factory=list)
    _sealed_views: list[memoryview] = field(default_factory=list)
    _order: Rows = field(default_factory=lambda: np.empty(0, np.intp))
    _sealer: Sealer | None = None
    _pending: Pcm = field(default_factory=lambda: np.empty((0, 0), np.int16))
    _stream_codec: StreamCodecBatch | None = None

    def __post_init__(self) -> None:
        if isinstance(self.codec, StreamCodecBatch):
            self._stream_codec = self.codec

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
        payloads, sizes = self._encode(pcm)
        if payloads.shape[1] != self._width:
            self._allocate(payloads.shape[1])
        made = self._width if sizes is None else int(sizes.max(initial=0))
        self._packets[:, HEADER : HEADER + made] = payloads[:, :made]
        sent = self._sending if sizes is None else self._sending * (sizes > 0)
        digits = self._digits() if self.dialling else {}
        if digits:
            sent = sent | np.isin(self._slots, list(digits))
        self._write_headers(sent)
        if sizes is None and not digits:
            self._transmit(self._all_alike())
        else:
            self._transmit(self._one_by_one(sizes, digits))
        numbers, slots = self.numbers, self._slots
        numbers.sequence[slots] += sent
        numbers.timestamp[slots] += self._units()
        numbers.packets[slots] += sent
        numbers.octets[slots] += sent * (made if sizes is None else sizes)

    def _encode(self, pcm: Pcm) -> tuple[Payloads, Ints | None]:
        """Payloads, and their sizes if they are not all of one."""
        if self._stream_codec is not None:
            return self._stream_codec.encode(self._slots, pcm)
        return cast(CodecBatch, self.codec).encode(self._slots, pcm), None

    def _write_headers(self, sent: Ints) -> None:
        numbers, slots, packets = self.numbers, self._slots, self._packets
        packets[:, 1] = numbers.payload_type[slots] | (numbers.fresh[slots].view(np.uint8) << 7)
        packets[:, 2:4].view(">u2")[:, 0] = numbers.sequence[slots] & 0xFFFF
        packets[:, 4:8].view(">u4")[:, 0] = numbers.timestamp[slots] & 0xFFFFFFFF
        # After a pause the first packet is marked (RFC 3551 section 4.1).
        numbers.fresh[slots] = sent == 0

    def _all_alike(self) -> Iterable[Outgoing]:
        """What goes out when every port sends a payload of the group's one size."""
        if self._sealer is None:
            return zip(self._sends, self._views, self._senders, strict=False)
        failed = self._sealer.seal_all(HEADER + self._width)
        packets = zip(self._sends, self._sealed_views, self._senders, strict=False)
        return packets if failed is None else itertools.compress(packets, ~failed)

    def _one_by_one(self, sizes: Ints | None, digits: dict[int, bytes]) -> list[Outgoing]:
        """What goes out now: packets of their own size, digits in place of audio, protection."""
        self.numbers.fresh[list(digits)] = True
        lengths = np.full(len(self._order), HEADER + self._width)
        if sizes is not None:
            lengths = np.where(sizes[self._order] > 0, HEADER + sizes[self._order], 0)
        if digits:
            lengths[np.isin(self._senders, list(digits))] = 0
        if self._sealer is not None:
            lengths = self._sealer.seal(lengths)
        rows = zip(self._sends, self._views, self._senders, lengths.tolist(), strict=True)
        packets = [(send, view[:n], slot) for send, view, slot, n in rows if n]
        return packets + [
            (self.members[slot].endpoint.send, memoryview(packet), slot)
            for slot, packet in digits.items()
        ]

    def _transmit(self, packets: Iterable[Outgoing]) -> None:
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

    def _digits(self) -> dict[int, bytes]:
        """The telephone events that ports send in place of audio now, by slot."""
        packets = {}
        for slot in list(self.dialling):
            member = self.members[slot]
            packet = self._next_digit(slot, member)
            if packet is not None and slot in self._senders:
                packets[slot] = packet
            if member.digits.idle:
                self.dialling.discard(slot)
        return packets

    def _next_digit(self, slot: int, member: Member) -> bytes | None:
        numbers = self.numbers
        event = member.digits.next(int(numbers.timestamp[slot]), self.key.ptime_ms)
        if event is None or member.digits_pt is None:
            return None
        second = member.digits_pt | (0x80 if event.marker else 0)
        sequence, ssrc = int(numbers.sequence[slot]) & 0xFFFF, int(numbers.ssrc[slot])
        header = struct.pack("!BBHII", 0x80, second, sequence, event.timestamp, ssrc)
        packet = header + event.payload
        return packet if member.security is None else member.security.outbound.protect(packet)

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
        self._order = np.flatnonzero(self._sending)
        self._allocate(self._width)
        self.dialling.intersection_update(self.members)
        self.dirty = False

    def _allocate(self, payload: int) -> None:
        """Make room for payloads of so many bytes, and for what protects them."""
        self._width = payload
        room = HEADER + payload
        if self.key.secure:
            room = -(-(room + TRAILER) // 16) * 16  # libsrtp wants rows on word boundaries
        self._packets = np.zeros((len(self._slots), room), np.uint8)
        self._packets[:, 0] = 0x80
        self._packets[:, 8:12].view(">u4")[:, 0] = self.numbers.ssrc[self._slots]
        self._views = [memoryview(self._packets[row]) for row in self._order.tolist()]
        if self.key.secure:
            known = (self.members[slot].security for slot in self._senders)
            securities = [each for each in known if each is not None]
            self._sealer = Sealer(self._packets, self._order, securities)
            sizes = [HEADER + payload + each.tag for each in securities]
            self._sealed_views = [v[:n] for v, n in zip(self._views, sizes, strict=True)]
