"""What inbound and outbound calls have in common once there is a dialog."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from .address import NameAddr
from .core import Core, HeaderItems, checked
from .dialog import Dialog, DialogId
from .digest_client import DigestClient
from .errors import StateError
from .events import (
    Acknowledged,
    AckTimedOut,
    ByeReceived,
    DialogLost,
    InfoReceived,
    ReinviteAcknowledged,
    ReinviteCancelled,
    ReinviteReceived,
    Released,
    RequestAnswered,
    SessionExpired,
)
from .exchange import Exchange
from .grammar import is_token
from .hop import Hop
from .invited import Invited
from .message import Request, Response
from .offered import Offered, handle_update
from .pending import Pending
from .proposal import Proposal
from .referral import Referral
from .referring import Referring
from .reinvite import Reinvite
from .session_timer import SessionTimer
from .transaction.base import ServerTransaction

_OF_ALL_USAGES = ("BYE", "NOTIFY", "SUBSCRIBE")
"""Methods that mean something when the call is over and a transfer is not."""


class CallState(Enum):
    """EARLY until a 2xx, CONFIRMED until a BYE, ENDED then."""

    EARLY = "early"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Call:
    """One call: its dialog, and all requests within it.

    A method that handles a request has its place in `_HANDLERS`; an extension adds one.
    `referring` and `referral` are usages of the dialog that may outlive the call (RFC 5057).
    """

    owns_call_id = False

    def __init__(self, core: Core, call_id: str, digest: DigestClient | None = None) -> None:
        self.core = core
        self.call_id = call_id
        self.digest = digest
        self.state = CallState.EARLY
        self.dialog: Dialog | None = None
        self.invited = Invited(self, self._ack_timed_out)
        self._first_invite: int | None = None
        self._bye_wanted: list[tuple[str, str]] | None = None
        self.peer_allows: frozenset[str] | None = None
        """Methods of the peer's last Allow; None before there was one."""
        self.timer = SessionTimer(self)
        self.offered = Offered(self)
        self.referring = Referring(self)
        self.referral = Referral(self)
        self._reinvite = Reinvite(self)
        self._registered: set[DialogId] = set()
        self._over = self._released = False

    @property
    def is_confirmed(self) -> bool:
        """Whether the call is up."""
        return self.state is CallState.CONFIRMED

    def may_take(self, method: str) -> bool:
        """Whether the peer may take requests of a method: it does not say that it will not."""
        return self.peer_allows is None or method in self.peer_allows

    def note_allow(self, message: Request | Response) -> None:
        """Remember which methods the peer takes."""
        if "Allow" in message.headers:
            allowed = message.headers.split("Allow")
            self.peer_allows = frozenset(method.upper() for method in allowed)

    @property
    def local_tag(self) -> str:
        """Our tag, by which both sides know us in this call."""
        return self.confirmed_dialog.local.tag or ""

    @property
    def confirmed_dialog(self) -> Dialog:
        """The dialog; StateError before there is one."""
        if self.dialog is None:
            raise StateError("the call has no dialog yet")
        return self.dialog

    @property
    def is_answering_invite(self) -> bool:
        """Whether an INVITE of theirs is unanswered or our 2xx unacknowledged."""
        return self.invited.is_waiting or self.invited.is_unacknowledged

    @property
    def may_offer(self) -> bool:
        """Whether nothing stands in the way of an offer of ours."""
        settled = self.dialog is not None and self.dialog.pending is Pending.NONE
        return settled and not self.is_answering_invite

    # --- what the user does -------------------------------------------------

    def bye(self, now: float, headers: HeaderItems = ()) -> None:
        """Hang up; waits for the ACK of our own 2xx first (RFC 3261 section 15)."""
        self._require(CallState.CONFIRMED)
        items = checked(headers)
        self._end(now)
        if self.invited.is_unacknowledged:
            self._bye_wanted = items
        else:
            self._send_bye(items, now)

    def reinvite(self, session: Proposal | bytes | None, now: float) -> None:
        """Offer a new session, or ask for an offer; ReinviteAnswered or ReinviteFailed tells."""
        self._require(CallState.CONFIRMED)
        proposal = session if isinstance(session, Proposal) else Proposal.of(session)
        self._reinvite.request(proposal, now)

    def acknowledge(self, sdp: bytes | None, now: float) -> None:
        """Answer the offer in the 2xx to an INVITE of ours; None for an answer we cannot give."""
        self._reinvite.acknowledge(sdp, now)

    def accept_offer(self, sdp: bytes, now: float) -> None:
        """Answer the offer of an UPDATE or PRACK."""
        self.offered.accept(sdp, now)
        self.offer_settled(now)

    def reject_offer(self, now: float, status: int = 488) -> None:
        """Refuse the offer of an UPDATE or PRACK; the session stays as it is."""
        self.offered.reject(status, now)
        self.offer_settled(now)

    def refer(self, refer_to: NameAddr, now: float, headers: HeaderItems = ()) -> None:
        """Ask the peer to call somebody; ReferProgressed and ReferFinished will tell."""
        self._require(CallState.CONFIRMED)
        self.referring.request(refer_to, checked(headers), now)

    def accept_reinvite(self, sdp: bytes, now: float) -> None:
        """Answer their re-INVITE, or make the offer it left to us."""
        self._require(CallState.CONFIRMED)
        self.invited.accept(sdp, (), now)

    def reject_reinvite(self, now: float, status: int = 488) -> None:
        """Refuse their re-INVITE; the session stays as it is."""
        self._require(CallState.CONFIRMED)
        self.invited.refuse(status, None, (), now)

    def request(
        self,
        method: str,
        now: float,
        *,
        headers: HeaderItems = (),
        body: bytes = b"",
        content_type: str = "application/sdp",
    ) -> None:
        """Send any other request within the dialog; RequestAnswered will tell."""
        self._require(CallState.CONFIRMED)
        if method in ("INVITE", "ACK", "CANCEL", "BYE") or not is_token(method):
            raise StateError(f"{method} cannot be sent this way")
        items = checked(headers)

        def build() -> Request:
            request = self.confirmed_dialog.request(method)
            request.headers.extend(items)
            if body:
                request.set_body(body, content_type)
            return request

        def answered(response: Response, source: Hop | None, now: float) -> None:
            if response.status < 200:
                return
            self.core.emit(RequestAnswered(self, method, response, source is None))
            if response.status in (408, 481) and self.is_confirmed:
                self.lose(response.status, now)

        self.exchange(build, answered, now)

    # --- what the endpoint does ---------------------------------------------

    def handle_request(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Take a request within the dialog, CSeq first (section 12.2.2)."""
        dialog = self.dialog_of(request)
        if dialog is not None and not dialog.accepts(request):
            self.respond(transaction, 500, now)
            return
        if dialog is not None:
            dialog.heard_from(transaction.source, request)
        handler = _HANDLERS.get(request.method)
        if handler is None:
            self.respond(transaction, 405, now, self.core.capabilities())
        elif self.state is CallState.ENDED and request.method not in _OF_ALL_USAGES:
            self.respond(transaction, 481, now)
        else:
            handler(self, transaction, request, now)

    def dialog_of(self, request: Request) -> Dialog | None:
        """Find the dialog a request of theirs belongs to."""
        return self.dialog

    def relies_on(self, hop: Hop) -> bool:
        """Whether requests of ours go over this connection."""
        return self.dialog is not None and self.dialog.relies_on(hop)

    def handle_ack(self, request: Request, now: float) -> None:
        """Take the ACK of a 2xx of ours."""
        number = request.cseq.number
        answering = self.invited.acknowledged(number)
        if answering is None:
            return
        if answering.offered:
            self.confirmed_dialog.pending = Pending.NONE
        if self.is_confirmed:
            if number == self._first_invite:
                self.core.emit(Acknowledged(self, request, request.sdp))
            else:
                offered = answering.offered
                self.core.emit(ReinviteAcknowledged(self, request, request.sdp, offered))
        self._after_ack(now)

    def handle_cancel(self, request: Request, now: float) -> None:
        """Take the CANCEL of an INVITE not answered yet (section 9.2)."""
        self.invited.refuse(487, None, (), now)
        self.core.emit(ReinviteCancelled(self))

    def lose(self, status: int, now: float) -> None:
        """End the dialog after 481 or silence (section 12.2.1.2)."""
        self._end(now)
        self.core.emit(DialogLost(self, status))
        self._send_bye([], now)

    def expire(self, now: float) -> None:
        """End the call: its session was not refreshed in time (RFC 4028 section 10)."""
        if not self.is_confirmed:
            return
        self._end(now)
        self.invited.stop()
        self.core.emit(SessionExpired(self))
        self._send_bye([("Reason", 'SIP;cause=408;text="Session expired"')], now)

    def offer_settled(self, now: float) -> None:
        """An offer was answered or refused: what waited for that may go on."""
        if self.is_confirmed:
            self._reinvite.advance(now)

    def usage_ended(self, now: float) -> None:
        """A transfer is through; the call may have waited for it to be forgotten."""
        if self._over:
            self._release()

    # --- requests within the dialog -----------------------------------------

    def _on_invite(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Take a re-INVITE; two at a time are one too many (section 14.2)."""
        if self._reinvite.in_progress or (self.state is CallState.EARLY and self.owns_call_id):
            self.respond(transaction, 491, now)
        elif self.invited.is_waiting or self.offered.is_waiting:
            delay = str(self.core.random.randint(0, 10))
            self.respond(transaction, 500, now, [("Retry-After", delay)])
        elif self.invited.offers:
            self.respond(transaction, 491, now)
        else:
            self.invited.hold(transaction)
            if request.sdp:
                self.confirmed_dialog.pending = Pending.THEIRS
            self.core.emit(ReinviteReceived(self, request, request.sdp))

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self.respond(transaction, 200, now)
        if self.state is CallState.ENDED:
            self._bye_crossed()
            return
        self._end(now)
        self.invited.stop()
        self.core.emit(ByeReceived(self, request))
        self._release()

    def _bye_crossed(self) -> None:
        """A BYE that ours still waits for an ACK to send is no longer needed."""
        self.invited.stop()
        if self._bye_wanted is not None:
            self._bye_wanted = None
            self._release()

    def _on_prack(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Take a PRACK: here it means no response of ours (RFC 3262 section 3)."""
        self.respond(transaction, 481, now)

    def _on_info(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        types = self.core.config.info_types
        if request.body and request.content_type not in types:
            self.respond(transaction, 415, now, [("Accept", ", ".join(types))])
            return
        self.respond(transaction, 200, now)
        self.core.emit(InfoReceived(self, request))

    def _on_options(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        accept = ("Accept", ", ".join(self.core.config.accept))
        self.respond(transaction, 200, now, [accept, *self.core.capabilities()])

    # --- answering an INVITE ------------------------------------------------

    def contact_for(self, transaction: ServerTransaction) -> NameAddr:
        """Our Contact for the peer, reached as it reached us."""
        secure = transaction.request.uri.scheme == "sips"
        return self.core.contact_at(transaction.source, secure)

    def _ack_timed_out(self, now: float) -> None:
        was_up = self.is_confirmed
        self.invited.stop()
        self._end(now)
        if was_up:
            self.core.emit(AckTimedOut(self))
        self._send_bye(self._bye_wanted or [], now)

    def _after_ack(self, now: float) -> None:
        if self.invited.is_unacknowledged:
            return
        if self._bye_wanted is not None:
            self._send_bye(self._bye_wanted, now)
        elif self.is_confirmed:
            self._reinvite.advance(now)

    # --- the end ------------------------------------------------------------

    def _end(self, now: float) -> None:
        """Leave the session: nothing of either side may still be pending in it."""
        self.state = CallState.ENDED
        self.timer.stop()
        self._reinvite.stop()
        self.offered.drop(now)
        self.referring.call_ended(now)
        if self.invited.is_waiting:
            self.invited.refuse(487, None, (), now)

    def _send_bye(self, headers: list[tuple[str, str]], now: float) -> None:
        """Send BYE; the dialog stays in the table so that a BYE crossing it gets 200."""
        self._bye_wanted = None

        def build() -> Request:
            request = self.confirmed_dialog.request("BYE")
            request.headers.extend(headers)
            return request

        def answered(response: Response, source: Hop | None, now: float) -> None:
            if response.status >= 200:
                self._release()

        self.exchange(build, answered, now)

    def exchange(
        self,
        build: Callable[[], Request],
        answered: Callable[[Response, Hop | None, float], None],
        now: float,
    ) -> None:
        """Send a request within the dialog."""
        hop = self.core.hop_to(self.confirmed_dialog.next_hop)
        Exchange(self.core, build, hop, answered, self.digest).start(now)

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        headers: HeaderItems = (),
        sdp: bytes | None = None,
    ) -> None:
        """Answer a request within the dialog."""
        self.core.respond(transaction, status, now, headers=headers, sdp=sdp)

    def _register(self, dialog: Dialog) -> None:
        self._registered.add(dialog.id)
        self.core.dialogs[dialog.id] = self

    def _release(self) -> None:
        """Forget the call, as soon as no transfer needs its dialog any more."""
        self._over = True
        self.state = CallState.ENDED
        if self._released or self.referring.is_waiting or not self.referral.is_idle:
            return
        self._released = True
        self.invited.stop()
        self.invited.drop()
        for key in self._registered:
            self.core.dialogs.pop(key, None)
        self.core.emit(Released(self))

    def _require(self, state: CallState) -> None:
        if self.state is not state:
            raise StateError(f"the call is {self.state.value}, not {state.value}")


Handler = Callable[[Call, ServerTransaction, Request, float], None]

_HANDLERS: dict[str, Handler] = {
    "INVITE": lambda call, *it: call._on_invite(*it),
    "BYE": lambda call, *it: call._on_bye(*it),
    "INFO": lambda call, *it: call._on_info(*it),
    "OPTIONS": lambda call, *it: call._on_options(*it),
    "PRACK": lambda call, *it: call._on_prack(*it),
    "UPDATE": handle_update,
    "REFER": lambda call, *it: call.referral.handle(*it),
    "SUBSCRIBE": lambda call, *it: call.referral.handle_subscribe(*it),
    "NOTIFY": lambda call, *it: call.referring.handle_notify(*it),
}
"""One table for all calls: there are thousands."""
