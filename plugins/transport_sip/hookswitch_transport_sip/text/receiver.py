"""Reading: RTP packets in, text out, in order, each character once, with losses marked.

Packets repeat the text of those before them, so one or two that are lost are made up for at once.
Where more are missing the receiver waits a little, for they may only be late; then it goes on and
puts U+FFFD in their place (RFC 4103 section 5.3).
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass

from .packets import TextPacket
from .redundancy import RedundantPayload

LOSS_MARKER = "\ufffd"
PATIENCE_S = 0.5
"""How long a gap may stay open for packets that are late."""

_FURTHEST = 3000
_OLDEST = 100
"""Steps of the sequence number, forwards and back, that are loss and reordering; beyond them the
sender has started anew (RFC 3550 section A.1)."""

_NO_TEXT = dict.fromkeys(map(ord, "\ufeff\0"))


@dataclass(frozen=True, slots=True)
class ReceiveFormat:
    """Payload types we receive: t140, and red around it."""

    payload_types: tuple[int, ...]
    red_types: tuple[int, ...] = ()


@dataclass(slots=True)
class Counts:
    """Of the present source; ``expected`` packets from its first to its highest number."""

    received: int = 0
    expected: int = 0
    malformed: int = 0

    @property
    def lost(self) -> int:
        return self.expected - self.received


class TextReceiver:
    """One direction of one call. Both methods that eat something answer the text now known."""

    def __init__(self, form: ReceiveFormat) -> None:
        self.ssrc: int | None = None
        self.counts = Counts()
        self.highest = 0
        """Highest sequence number, with its cycles."""
        self._format = form
        self._next = 0
        self._known: dict[int, bytes] = {}
        self._deadline: float | None = None
        self._restart: int | None = None
        self._decoder = getincrementaldecoder("utf-8")("replace")

    def configure(self, form: ReceiveFormat) -> None:
        """Other payload types from now on."""
        self._format = form

    def receive(self, packet: TextPacket, now: float) -> str:
        """Take a packet."""
        blocks = self._blocks(packet)
        if blocks is None:
            self.counts.malformed += 1
            return ""
        text = ""
        if packet.ssrc != self.ssrc:
            text = self.give_up()
            self._begin(packet, len(blocks))
        sequence = self._place(packet, len(blocks))
        if sequence is None:
            return text
        self._count(sequence)
        for number, block in enumerate(reversed(blocks)):
            if sequence - number >= self._next:
                self._known.setdefault(sequence - number, block)
        return text + self._in_order(now)

    def next_timer(self) -> float | None:
        """When to call `handle_timer`."""
        return self._deadline

    def handle_timer(self, now: float) -> str:
        """Wait no longer for what is overdue."""
        if self._deadline is None or now < self._deadline:
            return ""
        return self._skip_gap() + self._in_order(now)

    def give_up(self) -> str:
        """Everything that waits, with its gaps: nothing more will come."""
        text = ""
        while self._known:
            text += self._skip_gap() + "".join(self._decode())
        self._decoder.reset()
        return text

    def _blocks(self, packet: TextPacket) -> list[bytes] | None:
        """The packet's texts, its own last."""
        if packet.payload_type in self._format.red_types:
            payload = RedundantPayload.unpack(packet.payload, self._format.payload_types)
            if payload is None:
                return None
            return [*(block.text for block in payload.earlier), payload.primary]
        return [packet.payload] if packet.payload_type in self._format.payload_types else None

    def _begin(self, packet: TextPacket, blocks: int) -> None:
        """A source begins; what its first packet repeats is new to us as well."""
        self.ssrc = packet.ssrc
        self.counts = Counts(malformed=self.counts.malformed)
        self.highest = packet.sequence - 1
        self._next = packet.sequence - blocks + 1
        self._restart = None

    def _place(self, packet: TextPacket, blocks: int) -> int | None:
        """The packet's number with its cycles; None if it is from another time."""
        ahead = (packet.sequence - self.highest + 0x8000 & 0xFFFF) - 0x8000
        if -_OLDEST <= ahead <= _FURTHEST:
            self._restart = None
            return self.highest + ahead
        if self._restart != packet.sequence:
            self._restart = packet.sequence + 1 & 0xFFFF
            return None
        self._known.clear()
        self._begin(packet, blocks)
        return packet.sequence

    def _count(self, sequence: int) -> None:
        self.counts.received += 1
        if sequence > self.highest:
            self.counts.expected += sequence - self.highest
            self.highest = sequence

    def _in_order(self, now: float) -> str:
        text = "".join(self._decode())
        if not self._known:
            self._deadline = None
        elif self._deadline is None:
            self._deadline = now + PATIENCE_S
        return text

    def _decode(self) -> Iterator[str]:
        while self._next in self._known:
            yield self._decoder.decode(self._known.pop(self._next)).translate(_NO_TEXT)
            self._next += 1
            self._deadline = None

    def _skip_gap(self) -> str:
        self._decoder.reset()
        self._next = min(self._known)
        self._deadline = None
        return LOSS_MARKER
