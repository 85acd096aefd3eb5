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
        sdp: bytes,
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

    def cancel(self, now: float) -> None:
        """Give up; Failed with 487 follows, or whatever the other side said first."""
        self._require(CallState.EARLY)
        if self._exchange is None:
            raise StateError("the call has not been started")
        self._exchange.cancel(now)

    def dialog_of(self, request: Request) -> Dialog | None:
        """Find the dialog a request of theirs belongs to: before the answer an early one."""
        return self.dialog or self._early.get(request.from_.tag or "")

    def _on_bye(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Before its answer the callee has nothing to hang up (section 15)."""
        if self.state is CallState.EARLY:
            self._respond(transaction, 481, now)
        else:
            super()._on_bye(transaction, request, now)

    def _build(self) -> Request:
        self._forget_early()
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
            *self._headers,
        ]
        request = Request("INVITE", self.target, Headers(items))
        request.set_body(self._sdp, "application/sdp")
        return request

    def _received(self, response: Response, source: Hop | None, now: float) -> None:
        if response.status < 200:
            self._progressed(response, source)
        elif response.status < 300:
            self._succeeded(response, source, now)
        elif self.state is CallState.EARLY:
            self._failed(response, source is None)

    def _progressed(self, response: Response, source: Hop | None) -> None:
        tag = response.to.tag
        if response.status == 100 or self.state is not CallState.EARLY:
            return
        if tag is not None and tag not in self._early:
            self._early[tag] = Dialog.uac(self._started.request, response, source)
            self._register(self._early[tag])
        elif tag is not None:
            self._early[tag].refresh_target(response)
        self.core.emit(Progressed(self, response, response.sdp, tag or ""))

    @property
    def _started(self) -> InviteExchange:
        if self._exchange is None:
            raise StateError("the call has not been started")
        return self._exchange

    def _succeeded(self, response: Response, source: Hop | None, now: float) -> None:
        """Acknowledge each 2xx; keep the first and end the others (section 13.2.2.4)."""
        exchange = self._started
        dialog = self._dialog_of(response, source)
        exchange.acknowledge(dialog, response)
        if self.state is not CallState.EARLY:
            self._discard(dialog, now)
        elif exchange.cancelled:
            self._discard(dialog, now)
            self._fail(487, reason_phrase(487), response, local=False)
        else:
            self._won(dialog, response)

    def _dialog_of(self, response: Response, source: Hop | None) -> Dialog:
        """Make the dialog anew: the 2xx decides on its route set; keep what was counted."""
        dialog = Dialog.uac(self._started.request, response, source)
        early = self._early.get(response.to.tag or "")
        if early is not None:
            dialog.local_seq = max(dialog.local_seq, early.local_seq)
            dialog.remote_seq = early.remote_seq
        return dialog

    def _won(self, dialog: Dialog, response: Response) -> None:
        self._forget_early()
        self.dialog = dialog
        self.state = CallState.CONFIRMED
        self._register(dialog)
        self.core.emit(Answered(self, response, response.sdp))

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

    def _forget_early(self) -> None:
        for dialog in self._early.values():
            self.core.dialogs.pop(dialog.id, None)
            self._registered.discard(dialog.id)
        self._early.clear()
