"""A request of ours up to its final response, with credentials when it is challenged."""

from __future__ import annotations

from collections.abc import Callable

from .core import Core
from .dialog import Dialog
from .digest_client import DigestClient
from .hop import Hop
from .message import Request, Response
from .transaction.base import ClientTransaction, State
from .transaction.derived import cancel_of
from .transaction.events import ResponseReceived

OnResponse = Callable[[Response, "Hop | None", float], None]


class Exchange:
    """Sends what `build` makes, again with every challenge that can be answered.

    `build` returns a request without Via and credentials and is called once per try,
    since each try needs a CSeq of its own (RFC 3261 section 22.2).
    """

    def __init__(
        self,
        core: Core,
        build: Callable[[], Request],
        hop: Hop,
        on_response: OnResponse,
        digest: DigestClient | None = None,
    ) -> None:
        self._core = core
        self._build = build
        self._hop = hop
        self._on_response = on_response
        self._digest = digest
        self.request: Request
        self.transaction: ClientTransaction

    def start(self, now: float) -> None:
        """Send the request, or send it again."""
        request = self._build()
        self._core.add_via(request, self._hop)
        request.headers.add("User-Agent", self._core.config.user_agent)
        if self._digest is not None:
            method, uri = request.method, str(request.uri)
            request.headers.extend(self._digest.authorize(method, uri, request.body))
        self.request = request
        self.transaction = self._core.layer.request(request, self._hop, now, self._received)

    def _received(self, event: ResponseReceived, now: float) -> None:
        status = event.response.status
        if status in (401, 407) and self._may_retry(event.response):
            self.start(now)
            return
        if status >= 200 and status not in (401, 407) and self._digest is not None:
            self._digest.succeeded()
        self._on_response(event.response, event.source, now)

    def _may_retry(self, response: Response) -> bool:
        return self._digest is not None and self._digest.accept(response)


class InviteExchange(Exchange):
    """An INVITE: it can be cancelled, and its 2xx are acknowledged here."""

    cancelled = False
    _provisional = False
    _cancel_sent = False

    def start(self, now: float) -> None:
        """Send the INVITE, or send it again."""
        self._provisional = False
        self._acks: dict[str, tuple[bytes, Hop]] = {}
        super().start(now)

    def _may_retry(self, response: Response) -> bool:
        return not self.cancelled and super()._may_retry(response)

    def _received(self, event: ResponseReceived, now: float) -> None:
        if event.response.status < 200:
            self._provisional = True
            if self.cancelled:
                self._send_cancel(now)
        elif event.response.status < 300 and self._repeat_ack(event.response):
            return
        super()._received(event, now)

    def cancel(self, now: float) -> None:
        """Take the INVITE back, but not before the other side has shown itself (section 9.1)."""
        self.cancelled = True
        if self._provisional:
            self._send_cancel(now)

    def _send_cancel(self, now: float) -> None:
        if self._cancel_sent:
            return
        self._cancel_sent = True
        self._core.layer.request(cancel_of(self.request), self._hop, now)
        # A peer of RFC 2543 may never answer the cancelled INVITE.
        give_up = now + self._core.config.timers.patience
        self._core.alarms.set(give_up, self._give_up)

    def _give_up(self, now: float) -> None:
        if self.transaction.state in (State.CALLING, State.PROCEEDING):
            self._core.layer.terminate(self.transaction)

    def acknowledge(self, dialog: Dialog, response: Response) -> None:
        """Send the ACK of a 2xx and keep it."""
        ack = dialog.ack(self.request)
        hop = self._core.hop_to(dialog.next_hop)
        self._core.add_via(ack, hop)
        kept = bytes(ack), hop
        self._acks[response.to.tag or ""] = kept
        self._core.layer.send(*kept)

    def _repeat_ack(self, response: Response) -> bool:
        """Acknowledge a 2xx that was acknowledged before; tell whether it was."""
        kept = self._acks.get(response.to.tag or "")
        if kept is None:
            return False
        self._core.layer.send(*kept)
        return True
