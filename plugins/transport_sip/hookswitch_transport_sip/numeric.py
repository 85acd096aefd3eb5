"""Addresses of descriptions, which may hold a name."""

from __future__ import annotations

import asyncio
import ipaddress

Address = tuple[str, int]


async def numeric(address: Address | None) -> Address | None:
    """An address with its name looked up. Raises OSError."""
    if address is None:
        return None
    try:
        ipaddress.ip_address(address[0])
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(*address)
        return str(found[0][4][0]), address[1]
    return address
