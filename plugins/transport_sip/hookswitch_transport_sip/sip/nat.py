"""Peers whose Contact does not lead to them: behind a NAT, or at the far end of a connection."""

from __future__ import annotations

import ipaddress

from .hop import Detour, Hop, Target
from .uri import Uri

_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "0.0.0.0/32",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


def is_private(host: str) -> bool:
    """Whether an address means something else to everyone (RFC 1918 and its like)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)


def detour(contact: Uri, source: Hop | None, direct: bool) -> Detour | None:
    """Where requests to a peer go instead of its Contact, None if the Contact is good.

    ``source`` is where its last message came from; ``direct`` that no proxy stood in between. Over
    a connection the peer is answered on it as long as it is open, then at its Contact. By UDP the
    source counts where the Contact is private and differs from it; a source that may be a proxy's
    only if it is public, for a proxy in our own network can reach what we can reach.
    """
    if source is None or not contact.is_sip:
        return None
    target = Target(contact.host, contact.port, None, contact.scheme == "sips")
    if contact.host.endswith(".invalid"):
        return Detour(source, None)
    if not target.is_numeric:
        return None
    if source.flow:
        transport = (contact.params.get("transport") or source.transport).upper()
        return Detour(source, target._replace(transport=transport)) if direct else None
    if contact.host == source.host or not is_private(contact.host):
        return None
    return Detour(source, None) if direct or not is_private(source.host) else None
