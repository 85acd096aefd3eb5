"""Where a message goes to or came from."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class Hop(NamedTuple):
    """An element next to us, by numeric address.

    `name` is the domain that a certificate must be for. `flow` numbers an open connection: a
    message to a flow goes over that connection or not at all (RFC 5626).
    """

    host: str
    port: int
    transport: str = "UDP"
    name: str = ""
    flow: int = 0

    @property
    def address(self) -> tuple[str, int]:
        """What a socket wants."""
        return self.host, self.port

    @property
    def reliable(self) -> bool:
        """Whether the transport itself retransmits."""
        return self.transport != "UDP"

    @property
    def is_ipv6(self) -> bool:
        """Which family its address is of."""
        return ":" in self.host

    def __str__(self) -> str:
        host = f"[{self.host}]" if self.is_ipv6 else self.host
        return f"{self.transport.lower()}:{host}:{self.port}"


class Target(NamedTuple):
    """What a URI says of where it leads; None is left to DNS and to defaults (RFC 3263).

    `secure` is a sips URI: TLS and nothing else.
    """

    host: str
    port: int | None = None
    transport: str | None = None
    secure: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether no name has to be looked up."""
        return is_numeric(self.host)


class Detour(NamedTuple):
    """A peer whose Contact may not lead to it: where it was heard from, then what it says."""

    hop: Hop
    target: Target | None


Destination = Hop | Target | Detour


def is_numeric(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
