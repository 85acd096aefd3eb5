"""A request of ours up to its final response: the targets it is tried at, and its credentials.

The hops of a destination are tried in turn: the next when one cannot be reached, stays silent or
answers 503 (RFC 3263 section 4.3).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from .core import Core
from .dialog import Dialog
from .digest_client import DigestClient
from .hop import Destination, Detour, Hop
from .message import Request, Response
from .transaction.base import ClientTransaction, State
from .transaction.derived import cancel_of
from .transaction.events import ResponseReceived

OnResponse = Callable[[Response, "Hop | None", float], None]


class Exchange:
    """Sends what `build` makes, again with every challenge that can be answered.

    `build` returns a request without Via and credentials and is called once per challenge, since
    each answer needs a CSeq of its own (RFC 3261 section 22.2).
    """

    def __init__(
        self,
        core: Core,
        build: Callable[[], Request],
        where: Destination,
        on_response: OnResponse,
        digest: DigestClient | None = None,
    ) -> None:
        self._core = core
        self._build = build
        self._where = where
        self._on_response = on_response
        self._digest = digest
        self._hop: Hop | None = None
        self._untried: list[Hop] = []
        self._plain: Request
        self.request: Request
        self.transaction: ClientTransaction | None = None

    def start(self, now: float) -> None:
        """Send the request as soon as it is known where to, or send it again there."""
        self._plain = self.request = request = self._build()
        request.headers.add("User-Agent", self._core.config.user_agent)
        if self._digest is not None:
            method, uri = request.method, str(request.uri)
            request.headers.extend(self._digest.authorize(method, uri, request.body))
        if self._hop is not None:
            self._send(self._hop, now)
        elif (hops := self._core.locate(self._where)) is not None:
            self._located(hops, now)
        else:
            self._core.look_up(self._where, self._located)

    def _located(self, hops: list[Hop], now: float) -> None:
        self._untried = self._core.outages.sorted(self._widened(hops), now)
        self._try_next(now)

    def _widened(self, hops: list[Hop]) -> list[Hop]:
        """Go by TCP first where the request is too large for UDP (RFC 3261 section 18.1.1)."""
        local = {(hop.transport, hop.is_ipv6) for hop in self._core.config.local}
        is_small = self._plain.size < self._core.config.max_datagram
        if is_small or len(local) == 1 or isinstance(self._where, Detour):
            return hops
        ways = []
        for hop in hops:
            if hop.transport == "UDP" and ("TCP", hop.is_ipv6) in local:
                ways.append(hop._replace(transport="TCP"))
            ways.append(hop)
        return ways

    def _try_next(self, now: float) -> None:
        if self._untried and not self._is_over():
            self._send(self._untried.pop(0), now)
            return
        response = Response.to_request(self.request, 503)
        self._on_response(response, None, now)

    def _is_over(self) -> bool:
        """Whether nobody wants an answer any more."""
        return False

    def _send(self, hop: Hop, now: float) -> None:
        self._hop = hop
        self.request = self._core.addressed(self._plain, hop)
        self.transaction = self._core.layer.request(self.request, hop, now, self._received)
        # within a dialog a second copy of a request that is merely slow would only confuse
        if self._untried and self.request.to.tag is None:
            silent = partial(self._silent, self.transaction)
            self._core.alarms.set(now + self._core.config.failover, silent)

    def _silent(self, transaction: ClientTransaction, now: float) -> None:
        """Leave a target that says nothing; what it says later is turned down."""
        if transaction is self.transaction and transaction.is_unheard and not self._is_over():
            self._core.outages.failed(transaction.hop, now)
            self._try_next(now)

    def _received(self, event: ResponseReceived, now: float) -> None:
        if event.transaction is not self.transaction:
            self._turn_down(event, now)
        elif self._fails_over(event, now):
            self._try_next(now)
        else:
            self._answered(event, now)

    def _fails_over(self, event: ResponseReceived, now: float) -> bool:
        """Note whether the target is there; tell whether the next one should be tried."""
        failed = event.source is None or event.response.status == 503
        if not failed:
            self._core.outages.served(event.transaction.hop)
            return False
        self._core.outages.failed(event.transaction.hop, now)
        return bool(self._untried) and not self._is_over()

    def _answered(self, event: ResponseReceived, now: float) -> None:
        status = event.response.status
        if status in (401, 407) and self._may_retry(event.response):
            self.start(now)
            return
        if status >= 200:
            self._plain = self.request  # nobody sends it elsewhere
            if status not in (401, 407) and self._digest is not None:
                self._digest.succeeded()
        self._on_response(event.response, event.source, now)

    def _may_retry(self, response: Response) -> bool:
        return self._digest is not None and self._digest.accept(response)

    def _turn_down(self, event: ResponseReceived, now: float) -> None:
        """Take the answer of a target that was left."""


class InviteExchange(Exchange):
    """An INVITE: it can be cancelled, and its 2xx are acknowledged here."""

    cancelled = False
    was_heard = False
    """Whether anything has come back, be it 100, and be it to an earlier try."""
    _provisional = False
    _cancel_sent = False

    def start(self, now: float) -> None:
        """Send the INVITE, or send it again."""
        self._provisional = False
        self._acks: dict[str, tuple[bytes, Hop] | None] = {}
        self._left: set[ClientTransaction] = set()
        super().start(now)

    def _is_over(self) -> bool:
        return self.cancelled

    def _may_retry(self, response: Response) -> bool:
        return not self.cancelled and super()._may_retry(response)

    def _answered(self, event: ResponseReceived, now: float) -> None:
        self.was_heard = True
        if event.response.status < 200:
            self._provisional = True
            if self.cancelled:
                self._send_cancel(now)
        elif event.response.status < 300 and self._is_repeated(event.response):
            return
        super()._answered(event, now)

    def cancel(self, now: float) -> None:
        """Take the INVITE back, but not before the other side has shown itself (section 9.1)."""
        self.cancelled = True
        if self._provisional:
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        if self._cancel_sent or self.transaction is None:
            return
        self._cancel_sent = True
        self._core.layer.request(cancel_of(self.request), self.transaction.hop, now)
        # A peer of RFC 2543 may never answer the cancelled INVITE.
        give_up = now + self._core.config.timers.patience
        self._core.alarms.set(give_up, self._give_up)

    def _give_up(self, now: float) -> None:
        transaction = self.transaction
        if transaction is not None and transaction.state in (State.CALLING, State.PROCEEDING):
            self._core.layer.terminate(transaction)

    def acknowledge(self, dialog: Dialog, response: Response, sdp: bytes | None = None) -> None:
        """Send the ACK of a 2xx, with the answer to an offer in it, and keep it."""
        ack = dialog.ack(self.request)
        if sdp:
            ack.set_body(sdp, "application/sdp")
        self._acknowledge(ack, dialog, response)

    def _acknowledge(self, ack: Request, dialog: Dialog, response: Response) -> None:
        where = self._core.hop_to(dialog.next_hop)

        def send(hops: list[Hop], now: float = 0.0) -> None:
            if hops:
                kept = bytes(self._core.addressed(ack, hops[0])), hops[0]
                self._acks[response.to.tag or ""] = kept
                self._core.layer.send(*kept)

        if (hops := self._core.locate(where)) is not None:
            send(hops)
        else:
            self._core.look_up(where, send)

    def _is_repeated(self, response: Response) -> bool:
        """Acknowledge a 2xx again that was acknowledged before; tell whether it came before."""
        tag = response.to.tag or ""
        if tag not in self._acks:
            self._acks[tag] = None
            return False
        if (kept := self._acks[tag]) is not None:
            self._core.layer.send(*kept)
        return True

    def _turn_down(self, event: ResponseReceived, now: float) -> None:
        """End the call at a target that rings or answers after it was left for the next one."""
        request, response = event.transaction.request, event.response
        if response.status < 200:
            if event.transaction not in self._left:
                self._left.add(event.transaction)
                self._core.layer.request(cancel_of(request), event.transaction.hop, now)
        elif response.status < 300 and not self._is_repeated(response):
            dialog = Dialog.uac(request, response)
            self._acknowledge(dialog.ack(request), dialog, response)
            if request.to.tag is None:
                where = self._core.hop_to(dialog.next_hop)
                bye = partial(dialog.request, "BYE")
                Exchange(self._core, bye, where, lambda *_: None, self._digest).start(now)
