"""What a REGISTER asks for (RFC 3261 section 10.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.uri import Uri

_SECONDS = re.compile(r"[0-9]{1,10}")
_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
SENSELESS = 3600
"""What an `expires` that is no number counts as (section 10.2.1.1)."""


class RegistrationRefused(Exception):
    """The REGISTER must be answered with this."""

    def __init__(self, status: int, *headers: tuple[str, str], reason: str | None = None) -> None:
        super().__init__(f"{status} {reason or ''}".strip())
        self.status, self.headers, self.reason = status, headers, reason


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how many, in seconds and contacts."""

    default_expires: int = 3600
    min_expires: int = 60
    max_expires: int = 7200
    max_contacts: int = 10


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact of a REGISTER; `expires` 0 takes it away."""

    uri: Uri
    expires: int
    q: float = 1.0


@dataclass(frozen=True, slots=True)
class Registration:
    """A REGISTER that makes sense; without contacts, and if it does not `clear`, it is a query."""

    aor: str
    contacts: tuple[Contact, ...]
    clears: bool
    call_id: str
    cseq: int
    source: Hop
    symmetric: bool = False
    path: tuple[str, ...] = ()
    user_agent: str | None = None

    @property
    def expires(self) -> int:
        """Seconds asked for: the most of any contact, 0 when contacts are taken away."""
        return max((contact.expires for contact in self.contacts), default=0)

    @property
    def removes(self) -> bool:
        """Whether it takes contacts away."""
        return self.clears or any(contact.expires == 0 for contact in self.contacts)

    @classmethod
    def from_request(cls, request: Request, aor: str, source: Hop, policy: Policy) -> Registration:
        """Read a REGISTER for an address of record. Raises RegistrationRefused, ParseError."""
        clears = request.contact_is_star
        if clears and request.expires != 0:
            raise RegistrationRefused(400, reason="Contact * needs Expires: 0")
        header = request.headers.get("Expires")
        default = policy.default_expires
        if header is not None:
            default = _seconds(header)
        return cls(
            aor,
            _contacts(request.contacts, default),
            clears,
            request.call_id,
            request.cseq.number,
            source,
            "rport" in request.via.params,
            tuple(str(NameAddr.parse(item, "Path")) for item in request.headers.split("Path")),
            request.headers.get("User-Agent"),
        )


def _contacts(addresses: list[NameAddr], default: int) -> tuple[Contact, ...]:
    """The contacts, each once: what is said last of it counts."""
    contacts: list[Contact] = []
    for contact in (_contact(address, default) for address in addresses):
        contacts = [other for other in contacts if not other.uri.same_as(contact.uri)]
        contacts.append(contact)
    return tuple(contacts)


def _contact(address: NameAddr, default: int) -> Contact:
    if not address.uri.is_sip:
        raise RegistrationRefused(400, reason="Contact must be a SIP URI")
    expires = address.params.get("expires")
    q = address.params.get("q")
    return Contact(
        address.uri.without_headers(),
        default if expires is None else _seconds(expires),
        float(q) if q and _Q.fullmatch(q) else 1.0,
    )


def _seconds(text: str) -> int:
    return min(int(text), 2**31 - 1) if _SECONDS.fullmatch(text) else SENSELESS
