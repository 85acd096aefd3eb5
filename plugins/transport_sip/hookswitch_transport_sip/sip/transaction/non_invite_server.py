"""Non-INVITE server transaction (RFC 3261 section 17.2.2).

trying     request: absorbed; --user 1xx--> proceeding; --user final--> completed
proceeding request: send the last 1xx again; --user final--> completed
completed  request: send the final response again; J: terminated
"""

from __future__ import annotations

from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response

from .base import ServerTransaction, State


class NonInviteServer(ServerTransaction):
    """Answers a request, and its retransmissions alike."""

    def receive(self, request: Request, source: Hop, now: float) -> None:
        """Take the request again."""
        self._repeat()

    def respond(self, response: Response, now: float) -> None:
        """Send a response."""
        if self.state not in (State.TRYING, State.PROCEEDING):
            raise self._refuse_late(response)
        self._respond(response)
        if response.status < 200:
            self.state = State.PROCEEDING
        elif self.reliable:
            self._enter(State.TERMINATED)
        else:
            self._enter(State.COMPLETED, "J", now + self.timers.absorb_requests(False))

    def _fired(self, timer: str, now: float) -> None:
        self._enter(State.TERMINATED)
