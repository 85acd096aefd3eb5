"""Whose headers count: who may choose webhooks and applications for a call."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

AUTHENTICATED, USERS, TRUNKS = "authenticated", "users", "trunks"
"""Everybody who proved a password; every registered user; every trunk."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TrustList:
    """Networks, words for kinds of callers, and single users (`sip:…`) and trunks (`trunk:…`)."""

    networks: tuple[Network, ...] = ()
    words: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, parts: Iterable[str]) -> TrustList:
        """Read the parts of the setting. Raises ValueError naming one that is none of these."""
        networks, words = [], []
        for part in parts:
            if part in (AUTHENTICATED, USERS, TRUNKS) or part.startswith(("sip:", "trunk:")):
                words.append(part)
                continue
            try:
                networks.append(ipaddress.ip_network(part, strict=False))
            except ValueError:
                raise ValueError(
                    f"{part!r} is no IP, CIDR, authenticated, users, trunks, "
                    "sip:user@domain or trunk:id"
                ) from None
        return cls(tuple(networks), frozenset(words))

    def has_address(self, host: str) -> bool:
        """Whether a source address is in one of the networks."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self.networks)

    def trusts(
        self, host: str, *, authenticated: bool, user: str | None, trunk_id: str | None
    ) -> bool:
        """Whether a caller is trusted; `user` is the address of record it is registered as."""
        known = set()
        if authenticated:
            known.add(AUTHENTICATED)
        if user is not None:
            known |= {USERS, user}
        if trunk_id is not None:
            known |= {TRUNKS, f"trunk:{trunk_id}"}
        return bool(known & self.words) or self.has_address(host)
