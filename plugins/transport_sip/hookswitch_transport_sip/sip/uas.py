"""Calls that come in (RFC 3261 section 13.3)."""

from __future__ import annotations

from .alarms import Alarm
from .call import Call, CallState
from .core import Core, HeaderItems
from .dialog import Dialog
from .events import Cancelled, InviteReceived
from .hop import Hop
from .message import Request
from .transaction.base import ServerTransaction

_KEEP_ALIVE = 60.0
"""Proxies drop an INVITE that shows no life for three minutes (section 13.3.1.1)."""


class InboundCall(Call):
    """A call from elsewhere: ring, progress, then answer or reject it, then `Call`."""

    def __init__(self, core: Core, transaction: ServerTransaction, source: Hop, now: float) -> None:
        request = transaction.request
        super().__init__(core, request.call_id)
        self.invite_request = request
        self.source = source
        self.dialog = Dialog.uas(request, core.new_token(), source)
        self._first_invite = request.cseq.number
        self._keep_alive: Alarm | None = None
        self._register(self.dialog)
        self._hold_invite(transaction)
        core.emit(InviteReceived(self, request, source))

    def ring(self, now: float, headers: HeaderItems = ()) -> None:
        """Send 180."""
        self._provisional(180, None, None, headers, now)

    def progress(
        self, sdp: bytes | None, now: float, status: int = 183, headers: HeaderItems = ()
    ) -> None:
        """Send a provisional response with a session description: early media."""
        self._provisional(status, None, sdp, headers, now)

    def answer(self, sdp: bytes, now: float, headers: HeaderItems = ()) -> None:
        """Send 200, again until its ACK comes; `sdp` is the answer, or the offer if none came."""
        self._require(CallState.EARLY)
        self._accept_invite(sdp, headers, now)
        self._quiet()
        self.state = CallState.CONFIRMED

    def reject(
        self, status: int, now: float, reason: str | None = None, headers: HeaderItems = ()
    ) -> None:
        """Refuse the call."""
        self._require(CallState.EARLY)
        if not 300 <= status <= 699:
            raise ValueError(f"{status} is no failure")
        self._refuse_invite(status, reason, headers, now)
        self._release()

    def handle_cancel(self, request: Request, now: float) -> None:
        """Take a CANCEL: of the first INVITE it ends the call."""
        if self.state is not CallState.EARLY:
            super().handle_cancel(request, now)
            return
        self._refuse_invite(487, None, (), now)
        self.core.emit(Cancelled(self, request))
        self._release()

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A BYE before our answer is the caller's other way to give up (section 15)."""
        if self.state is not CallState.EARLY:
            super()._on_bye(transaction, request, now)
            return
        self._respond(transaction, 200, now)
        self.handle_cancel(request, now)

    def _provisional(
        self, status: int, reason: str | None, sdp: bytes | None, headers: HeaderItems, now: float
    ) -> None:
        self._require(CallState.EARLY)
        transaction = self._take_invite()
        response = self._invite_response(status, reason, headers)
        if sdp:
            response.set_body(sdp, "application/sdp")
        self.core.layer.respond(transaction, response, now)
        self._quiet()

        def repeat(now: float) -> None:
            self.core.layer.respond(transaction, response, now)
            self._keep_alive = self.core.alarms.set(now + _KEEP_ALIVE, repeat)

        self._keep_alive = self.core.alarms.set(now + _KEEP_ALIVE, repeat)

    def _quiet(self) -> None:
        if self._keep_alive is not None:
            self._keep_alive.cancel()

    def _release(self) -> None:
        self._quiet()
        super()._release()
