"""A running server, an application that watches it, and nothing left behind by any test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from .application import tidy_api
from .client import Api, Events, events_of
from .server import Server, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "interop" in item.path.parts:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest_asyncio.fixture
async def events(server: Server) -> AsyncIterator[Events]:
    async with events_of(server.url) as stream:
        yield stream


@pytest_asyncio.fixture
async def api(server: Server, events: Events) -> AsyncIterator[Api]:
    async with tidy_api(server, events) as client:
        yield client
