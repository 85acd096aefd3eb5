"""Calls we make (RFC 3261 section 13.2)."""

from __future__ import annotations

from functools import partial

from .address import NameAddr
from .call import Call, CallState
from .core import Core, HeaderItems, checked
from .dialog import Dialog
from .digest_client import DigestClient
from .errors import StateError
from .events import Answered, Failed, Progressed
from .exchange import Exchange, InviteExchange
from .headers import Headers
from .hop import Destination, Hop
from .message import Request, Response
from .pending import Pending
from .pracks import Pracks
from .rack import rseq_of
from .status import reason_phrase
from .transaction.base import ServerTransaction
from .uri import Uri


class OutboundCall(Call):
    """A call of ours: until it is answered `cancel` is the way out, then see `Call`."""

    owns_call_id = True

    def __init__(
        self,
        core: Core,
        target: Uri,
        from_: NameAddr,
        sdp: bytes | None,
        *,
        to: NameAddr | None = None,
        headers: HeaderItems = (),
        routes: tuple[NameAddr, ...] = (),
        digest: DigestClient | None = None,
    ) -> None:
        super().__init__(core, f"{core.new_token()}@{core.config.host}", digest)
        self.target = target.without_headers()
        self._from = from_.with_tag(core.new_token())
        self._to = to or NameAddr(self.target)
        self._sdp = sdp
        self._headers = checked(headers)
        self._routes = routes
        self._number = 0
        self._early: dict[str, Dialog] = {}
        self._exchange: InviteExchange | None = None
        self._pracks = Pracks(core, digest)
        self._offer: Response | None = None
        self._settled: set[str] = set()
        """Tags of the branches whose session was agreed on before the 2xx."""

    @property
    def local_tag(self) -> str:
        """Our tag, which every branch of a fork has."""
        return self._from.tag or ""

    def start(self, now: float, where: Destination | None = None) -> None:
        """Send the INVITE, to `where` if that is not what its URI says."""
        first = self._routes[0].uri if self._routes else self.target
        where = where or self.core.hop_to(first)
        self._exchange = InviteExchange(self.core, self._build, where, self._received, self.digest)
        self._exchange.start(now)

    @property
    def was_heard(self) -> bool:
        """Whether anything has come back, be it 100."""
        return self._exchange is not None and self._exchange.was_heard

    def cancel(self, now: float) -> None:
        """Give up; Failed with 487 follows, or whatever the other side said first."""
        self._require(CallState.EARLY)
        if self._exchange is None:
            raise StateError("the call has not been started")
        self._exchange.cancel(now)

    def accept_progress(self, event: Progressed, sdp: bytes, now: float) -> None:
        """Answer the offer in a reliable provisional response."""
        dialog = self._early.get(event.tag)
        if dialog is None or dialog.pending is not Pending.THEIRS:
            raise StateError("no provisional response waits for an answer")
        dialog.pending = Pending.NONE
        self._settled.add(event.tag)
        self._pracks.send(dialog, event.response, sdp, now)

    def acknowledge(self, sdp: bytes | None, now: float) -> None:
        """Answer the offer in the 2xx to our INVITE, or to a re-INVITE."""
        if self._offer is None:
            super().acknowledge(sdp, now)
            return
        response, self._offer = self._offer, None
        self.confirmed_dialog.pending = Pending.NONE
        self._started.acknowledge(self.confirmed_dialog, response, sdp)
        self.offer_settled(now)

    def dialog_of(self, request: Request) -> Dialog | None:
        """Find the dialog a request of theirs belongs to: before the answer an early one."""
        return self.dialog or self._early.get(request.from_.tag or "")

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Before its answer the callee has nothing to hang up (section 15)."""
        if self.state is CallState.EARLY:
            self.respond(transaction, 481, now)
        else:
            super()._on_bye(transaction, request, now)

    def _build(self) -> Request:
        self._forget_early()
        self._settled.clear()
        self._number += 1
        items = [
            ("Max-Forwards", "70"),
            *(("Route", str(route)) for route in self._routes),
            ("From", str(self._from)),
            ("To", str(self._to)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._number} INVITE"),
            ("Contact", str(self.core.contact)),
            *self.core.capabilities(),
            *self.timer.request_headers(),
            *self._headers,
        ]
        if self.core.config.required:
            items.append(("Require", ", ".join(self.core.config.required)))
        request = Request("INVITE", self.target, Headers(items))
        if self._sdp:
            request.set_body(self._sdp, "application/sdp")
        return request

    def _received(self, response: Response, source: Hop | None, now: float) -> None:
        if response.status < 200:
            self._progressed(response, source, now)
        elif response.status < 300:
            self._succeeded(response, source, now)
        elif self.state is not CallState.EARLY:
            return
        elif response.status == 422 and self._may_ask_for_longer(response):
            self._started.start(now)
        else:
            self._failed(response, source is None)

    def _may_ask_for_longer(self, response: Response) -> bool:
        return not self._started.cancelled and self.timer.too_small(response)

    def _progressed(self, response: Response, source: Hop | None, now: float) -> None:
        tag = response.to.tag
        if response.status == 100 or self.state is not CallState.EARLY:
            return
        reliable = rseq_of(response) is not None
        if reliable and not self._pracks.takes(response):
            return
        dialog = None if tag is None else self._early_dialog(tag, response, source)
        sdp, is_offer = response.sdp, False
        if dialog is not None and reliable:
            is_offer = self._take_session(dialog, response)
            if not is_offer:
                self._pracks.send(dialog, response, None, now)
        elif self._sdp is None:
            sdp = None  # an offer must come reliably (RFC 3262 section 5)
        self.core.emit(Progressed(self, response, sdp, tag or "", is_offer))

    def _early_dialog(self, tag: str, response: Response, source: Hop | None) -> Dialog:
        if tag in self._early:
            self._early[tag].refresh_target(response)
        else:
            self._early[tag] = Dialog.uac(self._started.request, response, source)
            self._register(self._early[tag])
        return self._early[tag]

    def _take_session(self, dialog: Dialog, response: Response) -> bool:
        """Note the answer in a reliable response; tell whether it is an offer instead."""
        if response.sdp is None:
            return False
        tag = response.to.tag or ""
        if tag in self._settled or dialog.pending is Pending.THEIRS:
            return False
        is_offer = self._sdp is None
        dialog.pending = Pending.THEIRS if is_offer else Pending.NONE
        if not is_offer:
            self._settled.add(tag)
        return is_offer

    @property
    def _started(self) -> InviteExchange:
        if self._exchange is None:
            raise StateError("the call has not been started")
        return self._exchange

    def _succeeded(self, response: Response, source: Hop | None, now: float) -> None:
        """Acknowledge each 2xx; keep the first and end the others (section 13.2.2.4)."""
        exchange = self._started
        dialog = self._dialog_of(response, source)
        if self.state is CallState.EARLY and not exchange.cancelled:
            self._won(dialog, response, now)
            return
        exchange.acknowledge(dialog, response)
        self._discard(dialog, now)
        if self.state is CallState.EARLY:
            self._fail(487, reason_phrase(487), response, local=False)

    def _dialog_of(self, response: Response, source: Hop | None) -> Dialog:
        """The branch's dialog, early until now or new."""
        dialog = self._early.get(response.to.tag or "")
        if dialog is None:
            return Dialog.uac(self._started.request, response, source)
        dialog.confirm(response, source)
        return dialog

    def _won(self, dialog: Dialog, response: Response, now: float) -> None:
        """A session agreed on before is not described again (RFC 3261 section 13.2.1)."""
        sdp = None if (response.to.tag or "") in self._settled else response.sdp
        is_offer = self._sdp is None and sdp is not None
        self._forget_early()
        self.dialog = dialog
        self.state = CallState.CONFIRMED
        self._register(dialog)
        if is_offer:
            self._offer, dialog.pending = response, Pending.THEIRS
        else:
            self._started.acknowledge(dialog, response)
            if dialog.pending is Pending.OURS:
                dialog.pending = Pending.NONE
        self.timer.accepted(response, now)
        self.core.emit(Answered(self, response, sdp, is_offer))

    def _discard(self, dialog: Dialog, now: float) -> None:
        """Hang up on a branch of the fork that came too late."""
        hop = self.core.hop_to(dialog.next_hop)
        build = partial(dialog.request, "BYE")
        Exchange(self.core, build, hop, lambda *_: None, self.digest).start(now)

    def _failed(self, response: Response, local: bool) -> None:
        status, reason = response.status, response.reason
        if local and self._started.cancelled:
            status, reason = 487, reason_phrase(487)
        self._fail(status, reason, response, local)

    def _fail(self, status: int, reason: str, response: Response, local: bool) -> None:
        self.state = CallState.ENDED
        self.core.emit(Failed(self, status, reason, response, local))
        self._release()

    def _end(self, now: float) -> None:
        """A 2xx whose offer nobody answered must be acknowledged before the BYE."""
        if self._offer is not None:
            self.acknowledge(None, now)
        super()._end(now)

    def _release(self) -> None:
        """Its INVITE stays for half a minute, for what other branches of a fork may answer."""
        super()._release()
        self._started.request.forget_views()

    def _forget_early(self) -> None:
        for dialog in self._early.values():
            self.core.dialogs.pop(dialog.id, None)
            self._registered.discard(dialog.id)
        self._early.clear()
