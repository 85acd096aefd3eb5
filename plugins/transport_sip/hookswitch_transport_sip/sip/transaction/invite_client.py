"""INVITE client transaction (RFC 3261 section 17.1.1, RFC 6026 section 8.4).

calling    --1xx--> proceeding; --2xx--> accepted; --3xx..6xx, send ACK--> completed
           A: send again, doubling; B: 408, terminated
proceeding --2xx--> accepted; --3xx..6xx, send ACK--> completed
completed  --3xx..6xx: send ACK again; D: terminated
accepted   --2xx: to the user, who sends the ACK; M: terminated
"""

from __future__ import annotations

from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Response

from .base import ClientTransaction, State
from .derived import ack_of_failure


class InviteClient(ClientTransaction):
    """Sends an INVITE until someone answers, and acknowledges failures."""

    _ack = b""

    def start(self, now: float) -> None:
        """Send the INVITE."""
        self._enter(State.CALLING, "B", now + self.timers.patience)
        self._send(self._data)
        if not self.reliable:
            self._arm("A", now + self._interval)

    def receive(self, response: Response, source: Hop, now: float) -> None:
        """Take a response to the INVITE."""
        if self.state in (State.CALLING, State.PROCEEDING):
            self._answered(response, source, now)
        elif self.state is State.COMPLETED and response.status >= 300:
            self._send(self._ack)
        elif self.state is State.ACCEPTED and 200 <= response.status < 300:
            self._report(response, source)

    def _answered(self, response: Response, source: Hop, now: float) -> None:
        if response.status < 200:
            self._enter(State.PROCEEDING)
        elif response.status < 300:
            self._enter(State.ACCEPTED, "M", now + self.timers.patience)
        else:
            self._acknowledge(response, now)
        self._report(response, source)

    def _acknowledge(self, response: Response, now: float) -> None:
        self._ack = bytes(ack_of_failure(self.request, response))
        self._send(self._ack)
        if self.reliable:
            self._enter(State.TERMINATED)
        else:
            self._enter(State.COMPLETED, "D", now + self.timers.absorb_responses(False))

    def _fired(self, timer: str, now: float) -> None:
        if timer == "A":
            self._send(self._data)
            self._back_off("A", now, None)
        elif timer == "B":
            self.fail(408)
        else:
            self._enter(State.TERMINATED)
