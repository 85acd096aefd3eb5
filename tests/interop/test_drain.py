"""SIGTERM: no new calls, running ones may end, what is left is hung up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .client import api_of, events_of
from .server import Server
from .sipp import sipp


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path, DRAIN_TIMEOUT="2")
    try:
        running.start()
        yield running
    finally:
        running.close()


async def test_drain_hangs_up_what_is_left(server: Server, tmp_path: Path) -> None:
    async with (
        events_of(server.url) as events,
        api_of(server.url) as api,
        sipp("caller_waits_for_bye.xml", tmp_path, target=server.sip_port) as caller,
    ):
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        server.terminate()
        told = time.monotonic()
        async with sipp(
            "caller_is_refused.xml", tmp_path, target=server.sip_port, fields={"status": "503"}
        ) as late:
            await late.succeeded()
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(server.url + "/readyz")).status_code == 503
            assert (await client.get(server.url + "/healthz")).status_code == 200
        assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
        end = await events.ended(leg)
        assert 1.8 < time.monotonic() - told < 5
        assert end["cdr"]["reason"] == "api_hangup"
        await caller.succeeded()
    await asyncio.to_thread(server.ended)


async def test_drain_ends_with_the_last_call(server: Server, tmp_path: Path) -> None:
    async with (
        events_of(server.url) as events,
        api_of(server.url) as api,
        sipp("caller_waits_for_bye.xml", tmp_path, target=server.sip_port) as caller,
    ):
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        server.terminate()
        told = time.monotonic()
        await api.delete(f"/legs/{leg}", 202)
        await caller.succeeded()
    await asyncio.to_thread(server.ended)
    assert time.monotonic() - told < 1.9
