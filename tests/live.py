"""A whole server inside the test's event loop, and what the tests ask of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from hookswitch.api.server import http_server, listen
from hookswitch.events.record import Record
from hookswitch.plugin import hookimpl
from hookswitch.plugins.manager import Plugins
from hookswitch.settings import KernelSettings
from hookswitch.switch import Switch

PATIENCE = 10.0
"""Seconds a test waits for anything."""


class EventRecorder:
    """A plugin that keeps every event, and wakes those who wait for one."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    @hookimpl
    def event_emitted(self, record: Record) -> None:
        self.events.append(json.loads(record.body))
        self._news.set()

    async def wait(self, event_type: str, **fields: Any) -> dict[str, Any]:
        """The first event of this type with these fields, now or to come."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for event in self.events:
                    if event["type"] == event_type and fields.items() <= event.items():
                        return event
                self._news.clear()
                await self._news.wait()

    def of(self, leg_id: str) -> list[str]:
        """The types of a leg's events, in order."""
        return [event["type"] for event in self.events if event.get("leg_id") == leg_id]


class LiveServer:
    """What a test sees of a running server."""

    def __init__(self, switch: Switch, recorder: EventRecorder, address: str) -> None:
        self.switch, self.events = switch, recorder
        self.http = httpx.AsyncClient(base_url=f"http://{address}", trust_env=False)
        self.ws = f"ws://{address}"

    @property
    def open_ports(self) -> list[str]:
        """Ports in the mixer, of whatever owner."""
        return [port for host in self.switch.media.hosts for port in host.topology.ports]

    async def leg_ended(self, leg_id: str) -> dict[str, Any]:
        """Wait for the end of a leg; answers its CDR."""
        event = await self.events.wait("leg.disconnected", leg_id=leg_id)
        cdr: dict[str, Any] = event["cdr"]
        return cdr


@asynccontextmanager
async def live_server(
    data_dir: Path, *plugins: object, **settings: Any
) -> AsyncIterator[LiveServer]:
    """Run a server; afterwards nothing may be left of it."""
    before = asyncio.all_tasks()
    recorder = EventRecorder()
    loaded = Plugins()
    for number, plugin in enumerate((*plugins, recorder)):
        loaded.register(plugin, f"plugin-{number}")
    assert all(status.error is None for status in loaded.statuses), loaded.statuses
    settings = {"media_workers": 0, "comfort_noise_enabled": False, **settings}
    switch = Switch(KernelSettings(data_dir=data_dir, **settings), loaded, "test-instance")
    await switch.start()
    with listen("127.0.0.1:0") as listener:
        host, port = listener.getsockname()[:2]
        http = http_server(switch)
        serving = asyncio.create_task(http.serve([listener]))
        server = LiveServer(switch, recorder, f"{host}:{port}")
        try:
            yield server
        finally:
            await server.http.aclose()
            await switch.stop()
            http.should_exit = True
            await serving
    assert server.open_ports == []
    assert len(switch.legs) == 0
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
