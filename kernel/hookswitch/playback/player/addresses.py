"""Which addresses a file must not be fetched from."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from contextlib import suppress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_THIS_HOST = ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1")
"""Where a connection to the unspecified address goes (0.0.0.0, ::)."""


class Forbidden:
    """The networks an operator forbids; an IPv4 address is found in all its disguises."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(network, strict=False) for network in networks]

    def __contains__(self, address: str) -> bool:
        """Whether an IP address (not a name) is forbidden; one that is no address is."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return True
        forms = _forms(found)
        return any(form in network for form in forms for network in self._networks)


def literal(host: str) -> str | None:
    """The address that a host in a URL is, in the usual form; None for a name.

    Resolvers also know IPv4 addresses as ``0x7f.1`` or ``2130706433``.
    """
    with suppress(ValueError):
        return str(ipaddress.ip_address(host.strip("[]")))
    with suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return None


def _forms(address: Address) -> list[Address]:
    forms = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            forms.append(address.ipv4_mapped)
        if address.sixtofour:
            forms.append(address.sixtofour)
        if address in _NAT64:
            forms.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if any(form.is_unspecified for form in forms):
        forms.extend(_THIS_HOST)
    return forms
