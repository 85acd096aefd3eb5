"""Calls that come in (RFC 3261 section 13.3)."""

from __future__ import annotations

from .alarms import Alarm
from .call import Call, CallState
from .core import Core, HeaderItems, checked
from .dialog import Dialog
from .errors import ParseError, StateError
from .events import (
    Cancelled,
    EarlyOfferUnanswered,
    InviteReceived,
    PrackTimedOut,
    ProvisionalAcknowledged,
)
from .hop import Hop
from .message import Request
from .pending import Pending
from .rack import RAck
from .reliable import ReliableProvisionals
from .transaction.base import ServerTransaction

_KEEP_ALIVE = 60.0
"""Proxies drop an INVITE that shows no life for three minutes (section 13.3.1.1)."""


class InboundCall(Call):
    """A call from elsewhere: ring, progress, then answer or reject it, then `Call`."""

    def __init__(
        self,
        core: Core,
        transaction: ServerTransaction,
        source: Hop,
        now: float,
        replaces: Call | None = None,
    ) -> None:
        request = transaction.request
        super().__init__(core, request.call_id)
        self.invite_request = request
        self.source = source
        self.dialog = self._dialog = Dialog.uas(request, core.new_token(), source)
        self._first_invite = request.cseq.number
        self._keep_alive: Alarm | None = None
        self._reliable = ReliableProvisionals(core, transaction, self._prack_timed_out)
        self._wanted: tuple[bytes | None, list[tuple[str, str]]] | None = None
        self._settled = False
        self._register(self.dialog)
        self.invited.hold(transaction)
        core.emit(InviteReceived(self, request, source, replaces))

    def ring(self, now: float, headers: HeaderItems = ()) -> None:
        """Send 180."""
        self._provisional(180, None, None, headers, now)

    def progress(
        self, sdp: bytes | None, now: float, status: int = 183, headers: HeaderItems = ()
    ) -> None:
        """Send a provisional response with a session description: early media.

        `sdp` is the answer; the offer if none came, which only a caller that knows 100rel can
        answer: see `takes_early_offer`.
        """
        if sdp and self.invite_request.sdp is None and not self.takes_early_offer:
            raise StateError("the caller can answer no offer before the call is answered")
        self._provisional(status, None, sdp, headers, now)

    @property
    def takes_early_offer(self) -> bool:
        """Whether the caller acknowledges provisional responses."""
        request, ours = self.invite_request, self.core.config.supported
        return "100rel" in ours and _names("100rel", request.supported + request.require)

    def answer(self, sdp: bytes | None, now: float, headers: HeaderItems = ()) -> None:
        """Send 200, again until its ACK comes; `sdp` is the answer, or the offer if none came.

        It waits for the PRACK of a session that was sent already (RFC 3262 section 3).
        """
        self._require(CallState.EARLY)
        if self._wanted is not None:
            raise StateError("the call is being answered already")
        self._wanted = sdp, checked(headers)
        self._try_to_answer(now)

    def reject(
        self, status: int, now: float, reason: str | None = None, headers: HeaderItems = ()
    ) -> None:
        """Refuse the call."""
        self._require(CallState.EARLY)
        if not 300 <= status <= 699:
            raise ValueError(f"{status} is no failure")
        self._give_up(status, reason, headers, now)

    def handle_cancel(self, request: Request, now: float) -> None:
        """Take a CANCEL: of the first INVITE it ends the call."""
        if self.state is not CallState.EARLY:
            super().handle_cancel(request, now)
            return
        self.core.emit(Cancelled(self, request))
        self._give_up(487, None, (), now)

    def offer_settled(self, now: float) -> None:
        """An early UPDATE or PRACK was answered: the 2xx may follow."""
        if self.state is CallState.EARLY:
            self._settled = True
            self._try_to_answer(now)
        super().offer_settled(now)

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """A BYE before our answer is the caller's other way to give up (section 15)."""
        if self.state is not CallState.EARLY:
            super()._on_bye(transaction, request, now)
            return
        self.respond(transaction, 200, now)
        self.handle_cancel(request, now)

    def _on_prack(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        try:
            acknowledged = self._reliable.acknowledge(RAck.of(request), now)
        except ParseError:
            self.respond(transaction, 400, now)
            return
        if acknowledged is None:
            self.respond(transaction, 481, now)
        elif acknowledged.body and self._dialog.pending is Pending.OURS:
            self.respond(transaction, 200, now)
            self._take_answer(request.sdp, now)
        elif request.sdp is None:
            self.respond(transaction, 200, now)
        elif (refusal := self.offered.refusal(self._dialog)) is not None:
            self.respond(transaction, refusal[0], now, refusal[1])
        else:
            self.offered.take(transaction, self._dialog)
        self._try_to_answer(now)

    def _take_answer(self, sdp: bytes | None, now: float) -> None:
        """Of our early offer: it must come in the PRACK, and no other offer may follow (RFC 3262
        section 5), so that a call without it has no session to go on with."""
        if sdp is None:
            self.core.emit(EarlyOfferUnanswered(self))
            self._give_up(488, None, (), now)
            return
        self._dialog.pending, self._settled = Pending.NONE, True
        self.core.emit(ProvisionalAcknowledged(self, sdp))

    def _try_to_answer(self, now: float) -> None:
        waits = self._reliable.carries_session or self.offered.is_waiting
        if self._wanted is None or waits or self.state is not CallState.EARLY:
            return
        (sdp, headers), self._wanted = self._wanted, None
        # the first session description counts, and later ones may have replaced it
        self.invited.accept(None if self._settled else sdp, headers, now)
        self._reliable.stop()
        self._quiet()
        self.state = CallState.CONFIRMED

    def _give_up(self, status: int, reason: str | None, headers: HeaderItems, now: float) -> None:
        self._wanted = None
        self.offered.drop(now)
        self.invited.refuse(status, reason, headers, now)
        self._release()

    def _prack_timed_out(self, now: float) -> None:
        self.core.emit(PrackTimedOut(self))
        self._give_up(504, None, (), now)

    def _provisional(
        self, status: int, reason: str | None, sdp: bytes | None, headers: HeaderItems, now: float
    ) -> None:
        self._require(CallState.EARLY)
        if self._wanted is not None:
            return  # the answer is on its way
        items = checked(headers)
        self._send_provisional(status, reason, sdp, items, now)
        self._quiet()
        kept = None if self._is_reliable(sdp) else sdp

        def repeat(now: float) -> None:
            self._provisional(status, reason, kept, items, now)

        self._keep_alive = self.core.alarms.set(now + _KEEP_ALIVE, repeat)

    def _send_provisional(
        self, status: int, reason: str | None, sdp: bytes | None, headers: HeaderItems, now: float
    ) -> None:
        response = self.invited.response(status, reason, headers)
        if sdp:
            response.set_body(sdp, "application/sdp")
        if not self._is_reliable(sdp):
            self.core.layer.respond(self.invited.transaction, response, now)
            return
        if sdp:
            offers = self.invite_request.sdp is None
            self._dialog.pending = Pending.OURS if offers else Pending.NONE
        self._reliable.send(response, now)

    def _is_reliable(self, sdp: bytes | None) -> bool:
        """Whether it is sent until its PRACK comes: a session, or if either side insists."""
        insists = _names("100rel", self.invite_request.require)
        wanted = bool(sdp) or "100rel" in self.core.config.required
        return insists or (wanted and self.takes_early_offer)

    def _quiet(self) -> None:
        if self._keep_alive is not None:
            self._keep_alive.cancel()

    def _release(self) -> None:
        self._quiet()
        self._reliable.stop()
        super()._release()


def _names(tag: str, tags: list[str]) -> bool:
    return tag in (each.lower() for each in tags)
