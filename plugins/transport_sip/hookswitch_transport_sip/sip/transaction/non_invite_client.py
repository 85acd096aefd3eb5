"""Non-INVITE client transaction (RFC 3261 section 17.1.2).

trying     --1xx--> proceeding; --final--> completed
           E: send again, doubling up to T2; F: 408, terminated
proceeding --final--> completed; E: send again every T2; F: 408, terminated
completed  K: terminated
"""

from __future__ import annotations

from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Response

from .base import ClientTransaction, State


class NonInviteClient(ClientTransaction):
    """Sends a request until its final response."""

    def start(self, now: float) -> None:
        """Send the request."""
        self._enter(State.TRYING, "F", now + self.timers.patience)
        self._send(self._data)
        if not self.reliable:
            self._arm("E", now + self._interval)

    def receive(self, response: Response, source: Hop, now: float) -> None:
        """Take a response to the request."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            return
        if response.status < 200:
            self.state = State.PROCEEDING
        elif self.reliable:
            self._enter(State.TERMINATED)
        else:
            self._enter(State.COMPLETED, "K", now + self.timers.linger(False))
        self._report(response, source)

    def _fired(self, timer: str, now: float) -> None:
        if timer == "E":
            self._send(self._data)
            if self.state is State.PROCEEDING:
                self._interval = self.timers.t2
            self._back_off("E", now, self.timers.t2)
        elif timer == "F":
            self.fail(408)
        else:
            self._enter(State.TERMINATED)
