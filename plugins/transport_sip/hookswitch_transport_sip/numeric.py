"""Addresses of descriptions, which may hold a name."""

from __future__ import annotations

import asyncio

from .sip.hop import is_numeric

Address = tuple[str, int]


async def numeric(address: Address | None) -> Address | None:
    """An address with its name looked up. Raises OSError."""
    if address is None or is_numeric(address[0]):
        return address
    try:
        found = await asyncio.get_running_loop().getaddrinfo(*address)
    except UnicodeError:  # its labels are such that the question cannot even be written
        raise OSError(f"{address[0]!r} is no name of a host") from None
    return str(found[0][4][0]), address[1]
