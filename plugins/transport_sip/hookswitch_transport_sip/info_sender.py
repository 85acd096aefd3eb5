"""Digits sent by INFO, where the peer takes no telephone events: one request after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from .sip.info_digits import PLAIN, RELAY, may_take_plain, pack_digit

DURATION_MS, GAP_MS, PAUSE_MS = 100, 60, 500
"""Of a digit, between digits, and of a comma."""

SendInfo = Callable[[bytes, str], None]
"""Sends an INFO with a body of a content type; `InfoSender.answered` must follow."""


class InfoSender:
    """A queue of digits; each goes out when the one before was answered and its time is over."""

    def __init__(self, send: SendInfo, failed: Callable[[str], None]) -> None:
        self._send, self._failed = send, failed
        self._queue: deque[str] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._waits = False
        """For the answer to an INFO."""
        self._type, self._last = RELAY, ""
        """What the peer takes as far as we know, and the digit sent last."""
        self.refused: str | None = None
        """Why the peer takes no digits this way, once it has said so."""

    def send(self, digits: str) -> None:
        """Queue digits and pauses."""
        self._queue.extend(digits)
        if not self._waits and self._timer is None:
            self._next()

    def answered(self, status: int, reason: str, accept: Sequence[str] = ()) -> None:
        """The peer's answer to the last INFO; ``accept`` are the types that its Accept names."""
        self._waits = False
        if status < 300:
            self._rest(DURATION_MS + GAP_MS)
            return
        if status == 415 and self._type == RELAY and may_take_plain(accept):
            self._type = PLAIN
            self._queue.appendleft(self._last)
            self._next()
            return
        self._queue.clear()
        self.refused = f"INFO was answered {status} {reason}"
        self._failed(self.refused)

    def close(self) -> None:
        """Send nothing more."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _next(self) -> None:
        self._timer = None
        if not self._queue:
            return
        digit = self._queue.popleft()
        if digit == ",":
            self._rest(PAUSE_MS)
            return
        self._waits, self._last = True, digit
        self._send(pack_digit(digit, DURATION_MS, self._type), self._type)

    def _rest(self, milliseconds: int) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(milliseconds / 1000, self._next)
