"""What all calls of one user agent share: identity, transactions, alarms, dialog table."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .address import NameAddr
from .alarms import Alarms
from .aliases import Aliases
from .config import Config
from .dialog import DialogId
from .errors import ParseError
from .events import Event
from .grammar import Params, is_token
from .headers import Headers, canonical
from .hop import Destination, Detour, Hop, Target
from .locating import Questions, locate, locate_numeric
from .message import Request, Response
from .outages import Outages
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


@dataclass(frozen=True, slots=True)
class LookUp:
    """A name to be looked up: drive `questions`, then tell `found` the hops and the time."""

    target: Target
    questions: Questions
    found: Callable[[list[Hop], float], None]


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
        self.outages = Outages()
        self.aliases = Aliases()
        self._contacts = {hop: self._contact(hop) for hop in config.local}
        self.contact = self._contacts[config.local[0]]
        self._events: list[Event] = []
        self._look_ups: list[LookUp] = []

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

    # --- ways out -----------------------------------------------------------

    def hop_to(self, towards: Uri | Detour) -> Destination:
        """Where a URI leads, before any name is looked up."""
        if isinstance(towards, Detour):
            return towards
        return target_of(towards)

    def locate(self, where: Destination) -> list[Hop] | None:
        """The hops of a destination, the best first; None if a name must be looked up."""
        if isinstance(where, Hop):
            return [where]
        if isinstance(where, Detour):
            return [where.hop, *(self.locate(where.target) or () if where.target else ())]
        if not where.is_numeric:
            return None
        return self.aliases.over(locate_numeric(where, self.config.local))

    def look_up(self, target: Destination, found: Callable[[list[Hop], float], None]) -> None:
        """Have the user find the hops of a name."""
        assert isinstance(target, Target)
        questions = locate(target, self.config.local, self.random)

        def take(hops: list[Hop], now: float) -> None:
            found(self.aliases.over(hops), now)

        self._look_ups.append(LookUp(target, questions, take))

    def look_ups(self) -> list[LookUp]:
        """Take the names to be looked up."""
        look_ups, self._look_ups = self._look_ups, []
        return look_ups

    def addressed(self, request: Request, hop: Hop) -> Request:
        """Return a copy that can go to a hop: a Via with a new branch, our Contact as seen there.

        `rport` asks for answers along the way we came (RFC 3581), `alias` for requests over our
        connection (RFC 5923).
        """
        ours = self.config.local_for(hop)
        params = [("branch", MAGIC_COOKIE + self.new_token()), ("rport", None)]
        if hop.reliable:
            params.append(("alias", None))
        via = Via(hop.transport, ours.host, ours.port, Params(params))
        headers = Headers.of_canonical([("Via", str(via)), *request.headers])
        if (contact := headers.get("Contact")) is not None:
            headers.set_first("Contact", self._localized(contact, ours, request))
        return Request(request.method, request.uri, headers, request.body)

    def contact_at(self, hop: Hop, secure: bool = False) -> NameAddr:
        """Our Contact for those behind a hop; a sips URI if they insist (RFC 3261 12.1.1)."""
        contact = self._contacts[self.config.local_for(hop)]
        return replace(contact, uri=replace(contact.uri, scheme="sips")) if secure else contact

    def _localized(self, contact: str, ours: Hop, request: Request) -> str:
        """A Contact that names us, with the address that the next hop reaches us at."""
        secure = request.uri.scheme == "sips"
        if not secure and ours == self.config.local[0]:
            return contact
        address, mine = NameAddr.parse(contact), self.contact.uri
        if (address.uri.host, address.uri.port) != (mine.host, mine.port):
            return contact
        uri = self.contact_at(ours, secure).uri
        return str(replace(address, uri=replace(uri, user=address.uri.user)))

    def _contact(self, hop: Hop) -> NameAddr:
        uri = Uri.sip(self.config.contact_user, hop.host, hop.port)
        if hop.transport != "UDP":
            uri = replace(uri, params=Params((("transport", hop.transport.lower()),)))
        return NameAddr(uri)

    # --- responses ----------------------------------------------------------

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str | None = None,
        to_tag: str | None = None,
        headers: HeaderItems = (),
        sdp: bytes | None = None,
    ) -> None:
        """Answer a request."""
        tag = to_tag or self.new_token()
        request = transaction.request
        response = Response.to_request(request, status, reason, to_tag=tag, headers=headers)
        response.headers.add("Server", self.config.user_agent)
        if sdp:
            response.set_body(sdp, "application/sdp")
        self.layer.respond(transaction, response, now)

    def capabilities(self) -> list[tuple[str, str]]:
        """Allow, and Supported where there is something to say."""
        items = [("Allow", ", ".join(self.config.allow))]
        if self.config.supported:
            items.append(("Supported", ", ".join(self.config.supported)))
        return items


def target_of(uri: Uri) -> Target:
    """What a URI says of where it leads (RFC 3263 section 4)."""
    transport = uri.params.get("transport")
    return Target(
        (uri.params.get("maddr") or uri.host).strip("[]"),
        uri.port,
        transport.upper() if transport else None,
        uri.scheme == "sips",
    )


def checked(headers: HeaderItems) -> list[tuple[str, str]]:
    """Check header fields of the user's: none that the stack writes, no line breaks."""
    items = list(headers)
    for name, value in items:
        if not is_token(name) or canonical(name).lower() in _OURS:
            raise ParseError(name, "cannot be set by the user")
        if "\r" in value or "\n" in value or "\0" in value:
            raise ParseError(name, "line break in the value")
    return items
