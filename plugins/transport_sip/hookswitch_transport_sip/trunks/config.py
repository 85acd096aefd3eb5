"""What a trunk is, as it was asked for and as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.grammar import Params
from hookswitch_transport_sip.sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Account:
    """We register there as somebody, and call as that."""

    registrar: Uri
    aor: Uri
    username: str
    password: str
    expires: int
    """Seconds that are asked for."""
    contact_user: str
    outbound_proxy: Uri | None = None

    def pack(self) -> dict[str, Any]:
        """As plain values."""
        proxy = self.outbound_proxy
        return {
            "registrar": str(self.registrar),
            "aor": str(self.aor),
            "username": self.username,
            "password": self.password,
            "expires": self.expires,
            "contact_user": self.contact_user,
            "outbound_proxy": None if proxy is None else str(proxy),
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Account:
        """Read what `pack` wrote. Raises KeyError, TypeError, ValueError when it did not."""
        fields = dict(packed)
        proxy = fields.pop("outbound_proxy")
        return cls(
            registrar=Uri.parse(fields.pop("registrar")),
            aor=Uri.parse(fields.pop("aor")),
            outbound_proxy=None if proxy is None else Uri.parse(proxy),
            **fields,
        )

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """What a call's Route begins with."""
        return () if self.outbound_proxy is None else (loose(self.outbound_proxy),)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is known by its addresses, called in this order."""

    addresses: tuple[Uri, ...]
    options_interval: float
    """Seconds between OPTIONS; 0 sends none."""
    domain: str | None = None
    """Of the From of calls to it; default ours."""
    username: str | None = None
    password: str = ""

    def pack(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "addresses": [str(address) for address in self.addresses],
            "options_interval": self.options_interval,
            "domain": self.domain,
            "username": self.username,
            "password": self.password,
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Peer:
        """Read what `pack` wrote. Raises KeyError, TypeError, ValueError when it did not."""
        fields = dict(packed)
        return cls(tuple(map(Uri.parse, fields.pop("addresses"))), **fields)


@dataclass(frozen=True, slots=True)
class TrunkConfig:
    """One trunk; `created_at` in Unix time."""

    id: str
    kind: Account | Peer
    created_at: float
    app_id: str | None = None

    @property
    def type(self) -> str:
        """The word of the API."""
        return "sip_register" if isinstance(self.kind, Account) else "peer"

    def pack(self) -> dict[str, Any]:
        """As plain values, secrets among them."""
        return {
            "type": self.type,
            "created_at": self.created_at,
            "app_id": self.app_id,
            self.type: self.kind.pack(),
        }

    @classmethod
    def unpack(cls, trunk_id: str, packed: Mapping[str, Any]) -> TrunkConfig:
        """Read what `pack` wrote. Raises KeyError, TypeError, ValueError when it did not."""
        word = packed["type"]
        kind: Account | Peer
        if word == "sip_register":
            kind = Account.unpack(packed[word])
        elif word == "peer":
            kind = Peer.unpack(packed[word])
        else:
            raise ValueError(f"type {word!r} of trunk {trunk_id} is not known")
        return cls(trunk_id, kind, float(packed["created_at"]), packed["app_id"])


def loose(uri: Uri) -> NameAddr:
    """A proxy as a Route (RFC 3261 section 16.12)."""
    params = uri.params if uri.is_loose_router else Params([*uri.params, ("lr", None)])
    return NameAddr(Uri(uri.scheme, uri.user, uri.host, uri.port, params))
