"""An INVITE of theirs that waits for our answer, and our 2xxs that wait for their ACK."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .answering import Answering
from .core import HeaderItems, checked
from .errors import StateError
from .message import Response
from .pending import Pending
from .transaction.base import ServerTransaction

if TYPE_CHECKING:
    from .call import Call


class Invited:
    """At most one INVITE waits at a time; of the 2xxs several may, one per CSeq number.

    waiting --1xx--> waiting; --2xx--> acknowledged by an ACK, or timed out; --3xx..6xx--> none
    """

    def __init__(self, call: Call, timed_out: Callable[[float], None]) -> None:
        """`timed_out` is called when the ACK of a 2xx does not come."""
        self._call = call
        self._timed_out = timed_out
        self._transaction: ServerTransaction | None = None
        self._answerings: dict[int, Answering] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether an INVITE is unanswered."""
        return self._transaction is not None

    @property
    def is_unacknowledged(self) -> bool:
        """Whether a 2xx waits for its ACK."""
        return bool(self._answerings)

    @property
    def offers(self) -> bool:
        """Whether one of these carries an offer."""
        return any(answering.offered for answering in self._answerings.values())

    @property
    def transaction(self) -> ServerTransaction:
        """The INVITE's; StateError when none waits."""
        if self._transaction is None:
            raise StateError("no INVITE waits for an answer")
        return self._transaction

    def hold(self, transaction: ServerTransaction) -> None:
        """An INVITE has come."""
        self._transaction = transaction
        self._call.core.invites[transaction] = self._call

    def drop(self) -> None:
        """It waits no longer."""
        if self._transaction is not None:
            self._call.core.invites.pop(self._transaction, None)
            self._transaction = None

    def accept(self, sdp: bytes | None, headers: HeaderItems, now: float) -> None:
        """Send 200, again until its ACK comes."""
        call, transaction = self._call, self.transaction
        dialog = call.confirmed_dialog
        response = self.response(200, None, headers)
        response.headers.extend(call.core.capabilities())
        response.headers.extend(call.timer.answer_headers(transaction.request, now))
        if sdp:
            response.set_body(sdp, "application/sdp")
        number = transaction.request.cseq.number
        dialog.refresh_target(transaction.request)
        answering = Answering(call.core, transaction, response, self._timed_out, now)
        self._answerings[number] = answering
        dialog.pending = Pending.OURS if answering.offered else Pending.NONE
        self.drop()

    def refuse(self, status: int, reason: str | None, headers: HeaderItems, now: float) -> None:
        """Send a failure."""
        call = self._call
        response = self.response(status, reason, headers)
        call.core.layer.respond(self.transaction, response, now)
        self.drop()
        call.confirmed_dialog.pending = Pending.NONE
        call.offer_settled(now)

    def response(self, status: int, reason: str | None, headers: HeaderItems) -> Response:
        """A response to the INVITE that waits."""
        transaction, core = self.transaction, self._call.core
        request = transaction.request
        tag = self._call.confirmed_dialog.local.tag
        response = Response.to_request(request, status, reason, to_tag=tag)
        if status < 300:
            routes = request.headers.get_all("Record-Route")
            response.headers.extend(("Record-Route", route) for route in routes)
            response.headers.add("Contact", str(self._call.contact_for(transaction)))
        response.headers.add("Server", core.config.user_agent)
        response.headers.extend(checked(headers))
        return response

    def acknowledged(self, number: int) -> Answering | None:
        """The ACK of a 2xx has come: which one that was, None if it waits no longer."""
        answering = self._answerings.pop(number, None)
        if answering is not None:
            answering.stop()
        return answering

    def stop(self) -> None:
        """Send no 2xx again."""
        for answering in self._answerings.values():
            answering.stop()
        self._answerings.clear()
