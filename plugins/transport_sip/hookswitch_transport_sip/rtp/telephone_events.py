"""Telephone events: digits as RTP packets (RFC 4733), received and sent."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass

DIGITS = "0123456789*#ABCD"

END_PACKETS = 3
"""How often the end of an event is sent."""

PAUSE_MS = 500
"""Length of a comma."""

_VOLUME = 10
_LONGEST_SEGMENT = 0xFFFF
_NEARLY_FULL = 0x8000
_STALE_S = 5


@dataclass(frozen=True, slots=True)
class DigitStarted:
    """A key was pressed."""

    digit: str


@dataclass(frozen=True, slots=True)
class DigitEnded:
    """The key was released, as far as the packets told, after ``duration_ms``."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class EventPayload:
    """The payload (RFC 4733 section 2.3): ``duration`` in timestamp units."""

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def unpack(cls, payload: bytes) -> EventPayload | None:
        """The first event of a payload; None when it is too short."""
        if len(payload) < 4:
            return None
        event, flags, duration = struct.unpack_from("!BBH", payload)
        return cls(event, bool(flags & 0x80), flags & 0x3F, duration)

    def pack(self) -> bytes:
        """Four bytes."""
        flags = (0x80 if self.end else 0) | self.volume
        return struct.pack("!BBH", self.event, flags, self.duration)


class EventReceiver:
    """Turns a stream's event packets into one start and one end per key press.

    All packets of an event carry one timestamp, which is its identity: repeated, reordered and
    lost packets neither double nor lose it as long as one arrives.
    """

    def __init__(self) -> None:
        self._stamp: int | None = None
        self._digit: str | None = None
        self._open = False
        self._duration = 0
        self._before = 0

    def receive(
        self, payload: bytes, timestamp: int, marker: bool, clock_rate: int
    ) -> list[DigitStarted | DigitEnded]:
        """Take one packet; return what became known by it."""
        packet = EventPayload.unpack(payload)
        if packet is None:
            return []
        events: list[DigitStarted | DigitEnded] = []
        digit = DIGITS[packet.event] if packet.event < len(DIGITS) else None
        if timestamp != self._stamp:
            if self._is_stale(timestamp, clock_rate):
                return []
            if self._is_next_segment(digit, timestamp, marker):
                self._before += self._duration
            else:
                events += self._finish(clock_rate)
                self._open, self._digit, self._before = True, digit, 0
                events += [DigitStarted(digit)] if digit else []
            self._stamp, self._duration = timestamp, 0
        self._duration = max(self._duration, packet.duration)
        return events + (self._finish(clock_rate) if packet.end else [])

    def _is_stale(self, timestamp: int, clock_rate: int) -> bool:
        if self._stamp is None:
            return False
        behind = (self._stamp - timestamp) & 0xFFFFFFFF
        return behind < _STALE_S * clock_rate

    def _is_next_segment(self, digit: str | None, timestamp: int, marker: bool) -> bool:
        """Whether a long press goes on under a new timestamp (RFC 4733 section 2.5.1.3)."""
        if self._stamp is None or not self._open or marker or digit != self._digit:
            return False
        ahead = (timestamp - self._stamp) & 0xFFFFFFFF
        return self._duration >= _NEARLY_FULL and ahead <= _LONGEST_SEGMENT + 1

    def _finish(self, clock_rate: int) -> list[DigitStarted | DigitEnded]:
        if not self._open:
            return []
        self._open = False
        duration = (self._before + self._duration) * 1000 // clock_rate
        return [DigitEnded(self._digit, duration)] if self._digit else []


@dataclass(frozen=True, slots=True)
class EventPacket:
    """A packet to send in place of audio; ``timestamp`` is the event's."""

    payload: bytes
    timestamp: int
    marker: bool


class EventSender:
    """A queue of digits, sent one packet time at a time. A comma is half a second's pause.

    ``clock_rate`` is that of the events; it may change between them.
    """

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self._queue: deque[tuple[str, int, int]] = deque()
        self._event: int | None = None
        self._started = 0
        self._sent_ms = self._wanted_ms = self._gap_ms = 0
        self._ends = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is left to send."""
        return not self._queue and self._event is None and self._gap_ms <= 0

    def send(self, digits: str, duration_ms: int = 100, gap_ms: int = 60) -> None:
        """Queue digits; ValueError names one that is none."""
        for digit in digits.upper():
            if digit not in DIGITS and digit != ",":
                raise ValueError(f"not a DTMF digit: {digit!r}")
        for digit in digits.upper():
            self._queue.append((digit, max(duration_ms, 1), max(gap_ms, 0)))

    def next(self, timestamp: int, ms: int) -> EventPacket | None:
        """What to send in the packet time of ``ms`` at ``timestamp``; None is audio as usual."""
        if self._event is None and self._gap_ms > 0:
            self._gap_ms -= ms
            return None
        if self._event is None and not self._begin(timestamp):
            return None
        return self._continue(ms)

    def _begin(self, timestamp: int) -> bool:
        if not self._queue:
            return False
        digit, duration_ms, self._gap_ms = self._queue.popleft()
        if digit == ",":
            self._gap_ms = PAUSE_MS
            return False
        self._event, self._started = DIGITS.index(digit), timestamp
        self._wanted_ms = min(duration_ms, _LONGEST_SEGMENT * 1000 // self.clock_rate)
        self._sent_ms = self._ends = 0
        return True

    def _continue(self, ms: int) -> EventPacket:
        assert self._event is not None
        marker = self._sent_ms == 0
        self._sent_ms = min(self._sent_ms + ms, self._wanted_ms)
        end = self._sent_ms >= self._wanted_ms
        duration = self._sent_ms * self.clock_rate // 1000
        payload = EventPayload(self._event, end, _VOLUME, duration).pack()
        packet = EventPacket(payload, self._started & 0xFFFFFFFF, marker)
        self._ends += end
        if self._ends >= END_PACKETS:
            self._event = None
        return packet
