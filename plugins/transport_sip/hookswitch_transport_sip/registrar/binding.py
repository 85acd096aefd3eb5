"""One contact of an address of record, and how it is reached."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.core import target_of
from hookswitch_transport_sip.sip.hop import Destination, Detour, Hop
from hookswitch_transport_sip.sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Binding:
    """A contact until it expires; `source` is where its REGISTER came from."""

    id: str
    aor: str
    contact: Uri
    expires_at: float
    granted: int
    """Seconds it was granted when it was last refreshed."""
    call_id: str
    cseq: int
    source: Hop
    q: float = 1.0
    path: tuple[str, ...] = ()
    """The proxies it is reached through, nearest to us first (RFC 3327)."""
    behind_nat: bool = False
    user_agent: str | None = None
    username: str | None = None
    """Whose password was proven for it, if one was."""

    @property
    def target(self) -> Target:
        """How it is called."""
        routes = tuple(NameAddr.parse(text, "Path") for text in self.path)
        if routes or not self.behind_nat:
            return Target(self.contact, None, routes)
        if not self.source.reliable:
            return Target(self.contact, self.source)
        # over its connection, or if that is gone to where it may listen
        return Target(self.contact, Detour(self.source, target_of(self.contact)))

    def pack(self, offset: float) -> dict[str, Any]:
        """As plain values that outlive this clock; `offset` added to it gives Unix time."""
        return {
            "aor": self.aor,
            "contact": str(self.contact),
            "expires_at": self.expires_at + offset,
            "granted": self.granted,
            "call_id": self.call_id,
            "cseq": self.cseq,
            "source": list(self.source[:3]),
            "q": self.q,
            "path": list(self.path),
            "behind_nat": self.behind_nat,
            "user_agent": self.user_agent,
            "username": self.username,
        }

    @classmethod
    def unpack(cls, binding_id: str, packed: Mapping[str, Any], offset: float) -> Binding:
        """Read what `pack` wrote. Raises KeyError, TypeError, ValueError when it did not."""
        fields = dict(packed)
        return cls(
            id=binding_id,
            contact=Uri.parse(fields.pop("contact")),
            expires_at=fields.pop("expires_at") - offset,
            source=Hop(*fields.pop("source")),
            path=tuple(fields.pop("path")),
            **fields,
        )


def same_place(one: Hop, other: Hop) -> bool:
    """Whether two messages came from the same address, port and transport."""
    return one[:3] == other[:3]


class Target(NamedTuple):
    """A Request-URI, the hop where that is not what it says, and the routes on the way."""

    uri: Uri
    hop: Destination | None = None
    routes: tuple[NameAddr, ...] = ()


def is_behind_nat(contact: Uri, source: Hop, *, symmetric: bool) -> bool:
    """Whether a contact is reached by the address its REGISTER came from and not by its own.

    A connection is used again whatever the contact says (RFC 5626 section 1). Of a datagram, the
    port counts only if its sender listens on it, which it says by `rport` (RFC 3581).
    """
    if source.reliable:
        return True
    try:
        same_host = ipaddress.ip_address(contact.host) == ipaddress.ip_address(source.host)
    except ValueError:
        return False  # a name: it knows better than we do
    return not same_host or (symmetric and (contact.port or 5060) != source.port)
