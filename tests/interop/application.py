"""An application that watches a server, and sees to it that nothing is left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .client import Api, Events, api_of
from .server import Server


@asynccontextmanager
async def tidy_api(server: Server, events: Events) -> AsyncIterator[Api]:
    """The API; at the end every leg must have ended, and no error been logged."""
    async with api_of(server.url) as client:
        yield client
        left = await left_over(client, events)
        for room in await client.get("/rooms"):
            await client.delete(f"/rooms/{room['id']}", 200)
    assert left == [], left
    assert server.errors == [], server.errors


async def left_over(api: Api, events: Events) -> list[str]:
    """Legs that do not end by themselves; they are hung up, so that other tests go on."""
    left = []
    for leg in await api.get("/legs"):
        try:
            await events.ended(leg["id"], within=2.0)
        except AssertionError:
            left.append(leg["id"])
            await api.delete(f"/legs/{leg['id']}", 202)
            await events.ended(leg["id"])
    return left
