"""Addresses of descriptions, which may hold a name."""

from __future__ import annotations

import asyncio
import ipaddress

Address = tuple[str, int]


def is_numeric(host: str) -> bool:
    """Whether there is no name to be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def numeric(address: Address | None) -> Address | None:
    """An address with its name looked up. Raises OSError."""
    if address is None or is_numeric(address[0]):
        return address
    try:
        found = await asyncio.get_running_loop().getaddrinfo(*address)
    except UnicodeError:  # its labels are such that the question cannot even be written
        raise OSError(f"{address[0]!r} is no name of a host") from None
    return str(found[0][4][0]), address[1]
