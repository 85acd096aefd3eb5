"""A 2xx to an INVITE, sent again until its ACK comes (RFC 3261 section 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from .alarms import Alarm
from .core import Core
from .message import Response
from .transaction.base import ServerTransaction


class Answering:
    """Repeats the 2xx after T1, doubling up to T2, for 64 T1, over any transport."""

    def __init__(
        self,
        core: Core,
        transaction: ServerTransaction,
        response: Response,
        on_timeout: Callable[[float], None],
        now: float,
    ) -> None:
        self.offered = bool(response.body) and transaction.request.sdp is None
        """Whether the 2xx carries an offer, so that the ACK must bring the answer."""
        core.layer.respond(transaction, response, now)
        self._core = core
        self._transaction = transaction
        self._response = response
        self._on_timeout = on_timeout
        self._interval = core.config.timers.t1
        self._deadline = now + core.config.timers.patience
        self._alarm = self._next(now)

    def stop(self) -> None:
        """The ACK is here, or nobody waits for it any more."""
        self._alarm.cancel()

    def _next(self, now: float) -> Alarm:
        return self._core.alarms.set(min(now + self._interval, self._deadline), self._repeat)

    def _repeat(self, now: float) -> None:
        if now >= self._deadline:
            self._on_timeout(now)
            return
        self._core.layer.respond(self._transaction, self._response, now)
        self._interval = min(2 * self._interval, self._core.config.timers.t2)
        self._alarm = self._next(now)
