"""A server with WebSocket legs and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch_transport_ws import plugin


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for this before ``server`` to have peers given up quickly."""
    monkeypatch.setenv("WS_PING_INTERVAL", "0.1")
    monkeypatch.setenv("WS_PING_TIMEOUT", "0.1")
    monkeypatch.setenv("WS_BACKLOG", "0.5")


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
    async with run_switch(tmp_path, plugin) as server:
        yield server
