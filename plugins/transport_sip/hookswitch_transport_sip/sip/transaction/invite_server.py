"""INVITE server transaction (RFC 3261 section 17.2.1, RFC 6026 section 8.7).

proceeding --user 1xx; --user 2xx--> accepted; --user 3xx..6xx--> completed
           INVITE: send the last 1xx again; "100": send 100 if the user was silent
accepted   INVITE: absorbed; ACK: to the user; the user repeats its 2xx; L: terminated
completed  --ACK--> confirmed; INVITE or G: send again, G doubling up to T2; H: terminated
confirmed  all absorbed; I: terminated
"""

from __future__ import annotations

from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response

from .base import ServerTransaction, State
from .events import AckReceived


class InviteServer(ServerTransaction):
    """Carries the responses to an INVITE until they are acknowledged.

    ``to_tag`` is the tag of their To, which a CANCEL is answered with too (section 9.2).
    """

    to_tag: str | None = None

    def start(self, now: float) -> None:
        """Wait for the user, not for longer than the caller would stay quiet."""
        self._enter(State.PROCEEDING, "100", now + self.timers.trying)

    def receive(self, request: Request, source: Hop, now: float) -> None:
        """Take the INVITE again, or its ACK."""
        if request.method == "ACK":
            self._acknowledged(request, source, now)
        elif self.state in (State.PROCEEDING, State.COMPLETED):
            self._repeat()

    def _acknowledged(self, request: Request, source: Hop, now: float) -> None:
        if self.state is State.ACCEPTED:
            self._events.append(AckReceived(request, source))
        elif self.state is State.COMPLETED:
            if self.reliable:
                self._enter(State.TERMINATED)
            else:
                self._enter(State.CONFIRMED, "I", now + self.timers.linger(False))

    def respond(self, response: Response, now: float) -> None:
        """Send a response; a 2xx may be sent again and again."""
        success = 200 <= response.status < 300
        if self.state is not State.PROCEEDING and not (self.state is State.ACCEPTED and success):
            raise self._refuse_late(response)
        self._respond(response)
        self.to_tag = response.to.tag
        self._armed.pop("100", None)
        if self.state is State.ACCEPTED or response.status < 200:
            return
        if success:
            self._enter(State.ACCEPTED, "L", now + self.timers.patience)
        else:
            self._enter(State.COMPLETED, "H", now + self.timers.patience)
            if not self.reliable:
                self._arm("G", now + self._interval)

    def _fired(self, timer: str, now: float) -> None:
        if timer == "100":
            self._respond(Response.to_request(self.request, 100))
        elif timer == "G":
            self._repeat()
            self._back_off("G", now, self.timers.t2)
        else:
            self._enter(State.TERMINATED)
