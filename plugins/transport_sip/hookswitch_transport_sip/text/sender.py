"""Writing: text in, RTP packets out, one every 300 ms while there is something to say.

         write                    nothing left, and repeated often enough
 idle ──────────► sending, 300 ms apart ────────────────────────────────► idle
   └─ a byte order mark now and then: it says that the line is open, and keeps NATs open too

Every packet repeats the text of the packets before it; after the last text packets follow whose own
text is empty, until it has been repeated as often as any (RFC 4103 section 4).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .packets import TextPacket
from .rate import CharacterRate
from .redundancy import Block, RedundantPayload

BUFFERING_S = 0.3
"""Text is collected this long (RFC 4103 section 5.1)."""

KEEP_ALIVE_S = 15.0
"""RFC 6263 section 4.5."""

MOST_WAITING = 20_000
"""Characters; at the usual rate they take eleven minutes."""

BYTE_ORDER_MARK = "\ufeff"

CLOCK_RATE = 1000
"""Of text, always."""

_LONGEST = 400
"""Bytes of text in a packet: with two repetitions it fits into any network's packets."""


class TooMuchText(Exception):
    """More text waits than the peer could read."""


@dataclass(frozen=True, slots=True)
class SendFormat:
    """How the peer wants its text.

    ``red_type`` is None if it takes no redundancy; ``generations`` is how often text is repeated,
    ``cps`` how many characters a second are not too fast.
    """

    payload_type: int
    red_type: int | None = None
    generations: int = 2
    cps: int = 30


@dataclass(frozen=True, slots=True)
class FirstNumbers:
    """Where a stream's numbers begin, at random (RFC 3550 section 5.1)."""

    ssrc: int
    sequence: int
    timestamp: int


class TextSender:
    """One direction of one call."""

    def __init__(self, numbers: FirstNumbers, form: SendFormat, now: float) -> None:
        self.packets = self.octets = 0
        self.not_before = now
        """Text waits until then; byte order marks do not."""
        self._numbers = numbers
        self._format = form
        self._rate = CharacterRate(form.cps)
        self._began = now
        self._waiting = ""
        self._history: deque[tuple[int, bytes]] = deque(maxlen=form.generations)
        self._owed = 0
        self._idle = True
        self._last = now - BUFFERING_S
        self._due: float | None = None
        self._out: list[bytes] = []
        self._send(BYTE_ORDER_MARK, now)

    def configure(self, form: SendFormat) -> None:
        """The peer wants it otherwise from now on."""
        if form != self._format:
            self._format = form
            self._rate.cps = form.cps
            self._history = deque(self._history, maxlen=form.generations)

    def write(self, text: str, now: float) -> None:
        """Queue text. Raises TooMuchText."""
        text = text.replace(BYTE_ORDER_MARK, "")
        if len(self._waiting) + len(text) > MOST_WAITING:
            raise TooMuchText(f"{len(self._waiting)} characters wait to be sent already")
        self._waiting += text
        self.handle_timer(now)

    def to_send(self) -> list[bytes]:
        """Packets made since the last call."""
        packets, self._out = self._out, []
        return packets

    def timestamp(self, now: float) -> int:
        """The stream's timestamp at a time."""
        return self._numbers.timestamp + round((now - self._began) * CLOCK_RATE)

    def next_timer(self) -> float:
        """When to call `handle_timer`."""
        if self._owed:
            return self._last + BUFFERING_S
        if self._waiting:
            return max(self._last + BUFFERING_S, self.not_before)
        return self._last + KEEP_ALIVE_S

    def handle_timer(self, now: float) -> None:
        """Send what is due."""
        if now < self.next_timer():
            return
        if not self._waiting and not self._owed:
            self._send(BYTE_ORDER_MARK, now, repeats=0)
            return
        allowed = self._rate.allowed(now) if now >= self.not_before else 0
        text = _first_bytes(self._waiting[:allowed])
        if text or self._owed:
            self._waiting = self._waiting[len(text) :]
            self._rate.spend(len(text), now)
            self._send(text, now)
        else:
            self._last = now  # the peer has to read first; look again soon

    def flush(self, now: float) -> None:
        """The call ends: send at once what can be sent."""
        if self._waiting:
            self._send(_first_bytes(self._waiting[: self._rate.allowed(now)]), now)
            self._waiting = ""

    def _send(self, text: str, now: float, repeats: int | None = None) -> None:
        if text:
            self._owed = self._format.generations if repeats is None else repeats
            self._owed *= self._format.red_type is not None
        else:
            self._owed -= 1
        stamp, data = self.timestamp(now), text.encode()
        payload_type, payload = self._payload(stamp, data)
        self._out.append(
            TextPacket(
                payload_type,
                self._numbers.sequence + self.packets,
                stamp,
                self._numbers.ssrc,
                payload,
                marker=self._idle,
            ).pack()
        )
        self.packets += 1
        self.octets += len(payload)
        self._history.append((stamp, data))
        self._last, self._idle = now, not (self._owed or self._waiting)

    def _payload(self, stamp: int, text: bytes) -> tuple[int, bytes]:
        form = self._format
        if form.red_type is None:
            return form.payload_type, text
        missing = form.generations - len(self._history)
        earlier = [Block(0, b"")] * missing
        earlier += [Block(stamp - before, each) for before, each in self._history]
        return form.red_type, RedundantPayload(tuple(earlier), text).pack(form.payload_type)


def _first_bytes(text: str) -> str:
    """As many whole characters as fit into a packet."""
    data = text.encode()
    return text if len(data) <= _LONGEST else data[:_LONGEST].decode("utf-8", "ignore")
