"""The façade: a whole SIP user agent without a socket or a clock."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from contextlib import suppress

from .address import NameAddr
from .admission import refusal_of
from .call import Call
from .config import Config
from .core import Core, HeaderItems, LookUp, target_of
from .digest_client import DigestClient
from .errors import ParseError
from .events import Event, RegisterReceived
from .exchange import Exchange, OnResponse
from .framing import is_keep_alive
from .gate import Gate, is_new
from .hop import Destination, Hop, Target
from .message import Request, Response
from .parser import parse, salvage
from .replacing import replaced_by
from .transaction.base import ServerTransaction
from .transaction.events import AckReceived, RequestReceived, ResponseReceived
from .transaction.layer import response_hop
from .transaction.matching import stamp_via
from .uac import OutboundCall
from .uas import InboundCall
from .uri import Uri


class UserAgent:
    """Takes datagrams and time, gives datagrams and events.

    After every call of a method, send what `to_send()` returns, handle `events()`, and
    arrange for `handle_timer(now)` at `next_timer()`.
    """

    def __init__(
        self,
        config: Config,
        *,
        options_status: Callable[[Request], int] = lambda request: 200,
        gate: Gate | None = None,
        source: random.Random | None = None,
    ) -> None:
        self.config = config
        self._gate = gate or Gate()
        self._core = Core(config, source)
        self._options_status = options_status

    # --- calls --------------------------------------------------------------

    def invite(
        self,
        target: Uri,
        from_: NameAddr,
        sdp: bytes | None,
        now: float,
        *,
        to: NameAddr | None = None,
        headers: HeaderItems = (),
        routes: tuple[NameAddr, ...] = (),
        username: str | None = None,
        password: str = "",
        hop: Destination | None = None,
    ) -> OutboundCall:
        """Start a call; without `sdp` the callee makes the offer.

        `hop` overrides where the first route or the target leads.
        """
        core = self._core
        digest = DigestClient(username, password, core.new_token) if username else None
        call = OutboundCall(
            core, target, from_, sdp, to=to, headers=headers, routes=routes, digest=digest
        )
        call.start(now, hop)
        self._pump(now)
        return call

    # --- requests outside calls ---------------------------------------------

    def exchange(
        self,
        build: Callable[[], Request],
        on_response: OnResponse,
        now: float,
        *,
        hop: Destination | None = None,
        digest: DigestClient | None = None,
    ) -> Exchange:
        """Send the request that `build` makes, again where it is challenged (see `Exchange`).

        It needs no Via. `hop` overrides where its first route or its URI leads.
        """
        core = self._core
        first = build()
        routes = first.routes
        hop = hop or core.hop_to(routes[0].uri if routes else first.uri)
        tries = itertools.chain([first], iter(build, None))
        exchange = Exchange(core, lambda: next(tries), hop, on_response, digest)
        exchange.start(now)
        self._pump(now)
        return exchange

    def destination(self, uri: Uri) -> Target:
        """What a URI says of where it leads."""
        return target_of(uri)

    def new_token(self) -> str:
        """Make a tag, the unique part of a Call-ID: 96 random bits."""
        return self._core.new_token()

    @property
    def contact(self) -> NameAddr:
        """What others reach us at."""
        return self._core.contact

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str | None = None,
        headers: HeaderItems = (),
    ) -> None:
        """Answer a REGISTER."""
        self._core.respond(transaction, status, now, reason=reason, headers=headers)
        self._pump(now)

    @property
    def calls(self) -> set[Call]:
        """All calls in a dialog, early ones included."""
        return set(self._core.dialogs.values())

    @property
    def counters(self) -> dict[str, int]:
        """What was dropped, refused or repeated, by kind."""
        return dict(self._core.counters + self._core.layer.counters)

    @property
    def is_idle(self) -> bool:
        """Whether no transaction, dialog or unanswered INVITE is left."""
        core = self._core
        return not (len(core.layer) or core.dialogs or core.invites)

    # --- input --------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: tuple[str, int], local: tuple[str, int], now: float
    ) -> None:
        """Take a datagram; whatever it holds, nothing is raised."""
        if is_keep_alive(data):
            self._count("keep_alives")
            return
        self.receive_message(data, Hop(source[0], source[1], "UDP"), now)

    def receive_message(self, data: bytes, hop: Hop, now: float) -> None:
        """Take one message of whatever transport; nothing is raised."""
        try:
            message = parse(data)
        except ParseError as error:
            self._malformed(data, hop, error, now)
            return
        self.receive(message, hop, now)

    def receive(self, message: Request | Response, source: Hop, now: float) -> None:
        """Take a parsed message from any transport."""
        if isinstance(message, Response) and len(message.headers.split("Via")) != 1:
            self._count("responses_misrouted")
            return
        if isinstance(message, Request) and is_new(message) and not self._admits(source, now):
            return
        if source.flow and isinstance(message, Request):
            self._core.aliases.learn(message, source)
        self._core.layer.receive(message, source, now)
        self._pump(now)

    def receive_garbage(self, data: bytes, hop: Hop, error: ParseError, now: float) -> None:
        """Take what came over a connection and is no message."""
        self._malformed(data, hop, error, now)

    def transport_failed(self, hop: Hop, now: float) -> None:
        """Note that a destination cannot be reached; its transactions end."""
        self._core.layer.transport_failed(hop)
        self._pump(now)

    def hop_lost(self, hop: Hop, now: float) -> None:
        """Note that a connection ended or a port is closed; what nobody answered yet failed."""
        if hop.flow:
            self._core.aliases.forget(hop)
        self._core.layer.hop_lost(hop)
        self._pump(now)

    def found(self, look_up: LookUp, hops: list[Hop], now: float) -> None:
        """Take the hops of a name, none if it has none."""
        look_up.found(hops, now)
        self._pump(now)

    def relies_on(self, hop: Hop) -> bool:
        """Whether a call would have its next request sent over this connection."""
        return any(call.relies_on(hop) for call in self.calls)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        self._core.layer.handle_timer(now)
        self._pump(now)
        self._core.alarms.handle_timer(now)
        self._pump(now)

    # --- output -------------------------------------------------------------

    def next_timer(self) -> float | None:
        """Return when `handle_timer` must be called."""
        timers = (self._core.layer.next_timer(), self._core.alarms.next_timer())
        return min((when for when in timers if when is not None), default=None)

    def look_ups(self) -> list[LookUp]:
        """Take the names to look up; `found` takes the outcome."""
        return self._core.look_ups()

    def to_send(self) -> list[tuple[bytes, Hop]]:
        """Take the messages to send now; `Hop.address` is what a socket wants."""
        return self._core.layer.to_send()

    def events(self) -> list[Event]:
        """Take what the user must know."""
        return self._core.events()

    # --- dispatch -----------------------------------------------------------

    def _pump(self, now: float) -> None:
        """Hand on what the transactions report, until they have nothing more to say."""
        while events := self._core.layer.events():
            for event in events:
                if isinstance(event, ResponseReceived):
                    if event.transaction.user is not None:
                        event.transaction.user(event, now)
                elif isinstance(event, AckReceived):
                    self._ack(event.request, now)
                else:
                    self._request(event, now)

    def _request(self, event: RequestReceived, now: float) -> None:
        transaction, request = event.transaction, event.request
        refusal = refusal_of(
            request, event.merged, self.config, secure=event.source.transport == "TLS"
        )
        if refusal is not None:
            self._count(f"refused_{refusal.status}")
            self._gate.failed(event.source, now)
            self._core.respond(transaction, refusal.status, now, headers=refusal.headers)
        elif request.method == "CANCEL":
            self._cancel(transaction, request, now)
        elif request.to.tag is not None:
            self._in_dialog(event, now)
        elif request.method == "INVITE":
            self._invited(transaction, event.source, now)
        elif request.method == "OPTIONS":
            self._gate.failed(event.source, now)
            self._options(transaction, request, now)
        elif request.method == "REGISTER":
            self._core.emit(RegisterReceived(transaction, request, event.source))
        else:
            # section 12.2.2; a REFER outside a dialog would have us call anybody (RFC 3515)
            self._core.respond(transaction, 403 if request.method == "REFER" else 481, now)

    def _invited(self, transaction: ServerTransaction, source: Hop, now: float) -> None:
        replaced = replaced_by(self._core, transaction.request)
        if isinstance(replaced, int):
            self._count(f"refused_{replaced}")
            self._core.respond(transaction, replaced, now)
        else:
            InboundCall(self._core, transaction, source, now, replaced)

    def _in_dialog(self, event: RequestReceived, now: float) -> None:
        transaction, request, source = event.transaction, event.request, event.source
        call = self._call_of(request)
        if call is None:
            self._count("refused_481")
            self._gate.failed(source, now)
            self._core.respond(transaction, 481, now)
        else:
            call.handle_request(transaction, request, now)

    def _call_of(self, request: Request) -> Call | None:
        key = (request.call_id, request.to.tag or "", request.from_.tag or "")
        return self._core.dialogs.get(key)

    def _ack(self, request: Request, now: float) -> None:
        call = self._call_of(request)
        if call is None:
            self._count("acks_stray")
        else:
            call.handle_ack(request, now)

    def _cancel(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Answer a CANCEL; it has an effect only before the final response (section 9.2)."""
        invite = self._core.layer.invite_of(request)
        if invite is None:
            self._core.respond(transaction, 481, now)
            return
        call = self._core.invites.get(invite)
        tag = invite.to_tag if call is None else call.confirmed_dialog.local.tag
        self._core.respond(transaction, 200, now, to_tag=tag)
        if call is not None:
            call.handle_cancel(request, now)

    def _options(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        status = self._options_status(request)
        headers = [("Accept", ", ".join(self.config.accept)), *self._core.capabilities()]
        self._core.respond(transaction, status, now, headers=headers)

    def _malformed(self, data: bytes, source: Hop, error: ParseError, now: float) -> None:
        """Answer a request that cannot be read, if enough of it can (section 8.2)."""
        self._count("malformed")
        if not self._admits(source, now):
            return
        self._gate.failed(source, now)
        request = salvage(data)
        if request is None:
            return
        hop = source
        with suppress(ParseError):  # else back to where it came from, with the Via as it is
            stamp_via(request, source)
            hop = response_hop(request, source)
        response = Response.to_request(request, error.status)
        response.headers.add("Warning", f'399 {self.config.host} "{error.where}"')
        self._core.layer.send(bytes(response), hop)

    def _admits(self, source: Hop, now: float) -> bool:
        admitted = self._gate.admits(source, now)
        if not admitted:
            self._count("throttled")
        return admitted

    def _count(self, what: str) -> None:
        self._core.counters[what] += 1
