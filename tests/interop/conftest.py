"""A running server, an application that watches it, and nothing left behind by any test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from .client import Api, Events, api_of, events_of
from .server import Server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "interop" in item.path.parts:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    try:
        running.start()
        yield running
        running.stop()
    finally:
        running.close()


@pytest_asyncio.fixture
async def events(server: Server) -> AsyncIterator[Events]:
    async with events_of(server.url) as stream:
        yield stream


@pytest_asyncio.fixture
async def api(server: Server, events: Events) -> AsyncIterator[Api]:
    """The API; after the test every leg must have ended, and no error been logged."""
    async with api_of(server.url) as client:
        yield client
        left = await left_over(client, events)
        for room in await client.get("/rooms"):
            await client.delete(f"/rooms/{room['id']}", 200)
    assert left == []
    assert server.errors == []


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
