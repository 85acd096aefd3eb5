"""What all calls of one user agent share: identity, transactions, alarms, dialog table."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .address import NameAddr
from .alarms import Alarms
from .config import Config
from .dialog import DialogId
from .errors import ParseError
from .events import Event
from .grammar import Params, is_token
from .headers import canonical
from .hop import Hop
from .message import Request, Response
from .transaction.base import ServerTransaction
from .transaction.layer import TransactionLayer
from .uri import Uri
from .via import MAGIC_COOKIE, Via

if TYPE_CHECKING:
    from .call import Call

HeaderItems = Iterable[tuple[str, str]]
_OURS = frozenset(
    (
        "call-id",
        "content-length",
        "content-type",
        "cseq",
        "from",
        "max-forwards",
        "record-route",
        "route",
        "to",
        "via",
    )
)


class Core:
    """Shared by the calls and the endpoint; knows nothing of any one call."""

    def __init__(self, config: Config, source: random.Random | None = None) -> None:
        self.config = config
        self.layer = TransactionLayer(config.timers)
        self.alarms = Alarms()
        self.dialogs: dict[DialogId, Call] = {}
        self.invites: dict[ServerTransaction, Call] = {}
        self.counters: Counter[str] = Counter()
        self.random = source or random.SystemRandom()
        self.contact = NameAddr(Uri.sip(config.contact_user, config.host, config.port))
        self._events: list[Event] = []

    def emit(self, event: Event) -> None:
        """Report to the user."""
        self._events.append(event)

    def events(self) -> list[Event]:
        """Take what the user must know."""
        events, self._events = self._events, []
        return events

    def new_token(self) -> str:
        """Make a tag, a cnonce, the unique part of a Call-ID: 96 random bits."""
        return f"{self.random.getrandbits(96):024x}"

    def add_via(self, request: Request, hop: Hop) -> None:
        """Give a request a Via with a new branch and `rport` (RFC 3581)."""
        config = self.config
        params = Params((("branch", MAGIC_COOKIE + self.new_token()), ("rport", None)))
        via = Via(hop.transport, config.host, config.port, params)
        request.headers.prepend("Via", str(via))

    def hop_to(self, uri: Uri) -> Hop:
        """Where a URI leads, before any name is resolved (RFC 3263 section 4)."""
        transports = self.config.transports
        transport = (uri.params.get("transport") or transports[0]).upper()
        if uri.scheme == "sips" and transport in ("UDP", "TCP"):
            transport = "TLS"
        if transport not in transports:
            transport = transports[0]
        default = 5061 if transport == "TLS" else 5060
        return Hop(
            (uri.params.get("maddr") or uri.host).strip("[]"), uri.port or default, transport
        )

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str | None = None,
        to_tag: str | None = None,
        headers: HeaderItems = (),
    ) -> None:
        """Answer a request without a body."""
        tag = to_tag or self.new_token()
        request = transaction.request
        response = Response.to_request(request, status, reason, to_tag=tag, headers=headers)
        response.headers.add("Server", self.config.user_agent)
        self.layer.respond(transaction, response, now)

    def capabilities(self) -> list[tuple[str, str]]:
        """Allow, and Supported where there is something to say."""
        items = [("Allow", ", ".join(self.config.allow))]
        if self.config.supported:
            items.append(("Supported", ", ".join(self.config.supported)))
        return items


def checked(headers: HeaderItems) -> list[tuple[str, str]]:
    """Check header fields of the user's: none that the stack writes, no line breaks."""
    items = list(headers)
    for name, value in items:
        if not is_token(name) or canonical(name).lower() in _OURS:
            raise ParseError(name, "cannot be set by the user")
        if "\r" in value or "\n" in value or "\0" in value:
            raise ParseError(name, "line break in the value")
    return items
