"""Provisional responses that are sent until their PRACK comes (RFC 3262 section 3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from .alarms import Alarm
from .core import Core
from .message import Response
from .rack import RAck
from .transaction.base import ServerTransaction


class ReliableProvisionals:
    """Those of one INVITE: numbered, and each sent only when the one before was acknowledged."""

    def __init__(
        self, core: Core, transaction: ServerTransaction, on_timeout: Callable[[float], None]
    ) -> None:
        self._core = core
        self._transaction = transaction
        self._on_timeout = on_timeout
        self._number = core.random.randint(0, 2**31 - 2)
        self._waiting: deque[Response] = deque()
        self._current: Response | None = None
        self._alarm: Alarm | None = None
        self._interval = self._deadline = 0.0

    @property
    def carries_session(self) -> bool:
        """Whether a session description is not acknowledged yet, so that no 2xx may follow."""
        current = [self._current] if self._current is not None else []
        return any(response.body for response in (*current, *self._waiting))

    def send(self, response: Response, now: float) -> None:
        """Send a response, after those before it."""
        self._waiting.append(response)
        if self._current is None:
            self._advance(now)

    def acknowledge(self, rack: RAck, now: float) -> Response | None:
        """Take the RAck of a PRACK; answers the response it means, None if it means none."""
        current = self._current
        expected = RAck(self._number, self._transaction.request.cseq.number)
        if current is None or rack != expected:
            return None
        self._quiet()
        self._current = None
        self._advance(now)
        return current

    def stop(self) -> None:
        """The final response was sent; a PRACK that is still under way is welcome."""
        self._quiet()
        self._waiting.clear()

    def _advance(self, now: float) -> None:
        if not self._waiting:
            return
        self._number += 1
        self._current = response = self._waiting.popleft()
        response.headers.add("Require", "100rel")
        response.headers.add("RSeq", str(self._number))
        timers = self._core.config.timers
        self._interval, self._deadline = timers.t1, now + timers.patience
        self._transmit(response, now)

    def _transmit(self, response: Response, now: float) -> None:
        self._core.layer.respond(self._transaction, response, now)
        when = min(now + self._interval, self._deadline)
        self._alarm = self._core.alarms.set(when, self._repeat)

    def _repeat(self, now: float) -> None:
        if now >= self._deadline:
            self._on_timeout(now)
        elif self._current is not None:
            self._interval *= 2
            self._transmit(self._current, now)

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
