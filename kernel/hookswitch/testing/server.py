"""A whole server inside the test's event loop, and what a test asks of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from typing import Any

import httpx
from uvicorn import Config

from hookswitch.api.server import HttpServer, http_server, listen
from hookswitch.plugins.manager import Plugins
from hookswitch.settings import KernelSettings
from hookswitch.switch import Switch

from .fake_transport import FakeCall, FakePlugin, FakeTransport
from .leaks import nothing_leaks
from .recorder import PATIENCE, EventRecorder
from .vsi import VsiClient, open_vsi

INSTANCE = "test-instance"


class _PromptServer(HttpServer):
    """Ends when it is told to, where uvicorn looks ten times a second: tests start hundreds."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.told = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.told.wait()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        async with asyncio.timeout(PATIENCE):
            # noqa, because uvicorn tells nobody when these sets become empty
            while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        for server in self.servers:
            await server.wait_closed()


class RunningSwitch:
    """A server that runs: over HTTP, over its event stream, and from within."""

    def __init__(
        self, switch: Switch, fake: FakeTransport, events: EventRecorder, address: str
    ) -> None:
        self.switch, self.fake, self.events, self.address = switch, fake, events, address
        self.http = httpx.AsyncClient(
            base_url=f"http://{address}", trust_env=False, timeout=PATIENCE
        )

    async def ask(
        self, method: str, path: str, json: Any = None, *, status: int | None = None
    ) -> Any:
        """The JSON answer of a request; ``status`` is checked if given (else any 2xx will do)."""
        response = await self.http.request(method, path, json=json)
        told = f"{method} {path} -> {response.status_code} {response.text}"
        assert response.status_code == status or (status is None and response.is_success), told
        return response.json()

    async def problem(self, status: int, method: str, path: str, json: Any = None) -> str:
        """The message of a request that must be answered with this error."""
        body = await self.ask(method, path, json, status=status)
        assert body.keys() == {"instance_id", "error"}
        assert body["instance_id"] == self.switch.instance_id
        return str(body["error"])

    async def dial(self, **fields: Any) -> FakeCall:
        """A call of the fake transport that is connected, and in its room if it has one."""
        leg = await self.ask("POST", "/v1/legs", {"type": "fake", "to": "answers", **fields})
        await self.events.wait("leg.connected", leg_id=leg["id"])
        if "room_id" in fields:
            await self.events.wait("leg.joined_room", leg_id=leg["id"])
        return self.fake.calls[leg["id"]]

    async def leg_ended(self, leg_id: str) -> dict[str, Any]:
        """Wait for the end of a leg; answers its CDR."""
        event = await self.events.wait("leg.disconnected", leg_id=leg_id)
        cdr: dict[str, Any] = event["cdr"]
        return cdr

    def vsi(self, **query: str) -> Any:
        """Connect to the event stream: ``async with server.vsi(app_id="shop") as stream``."""
        return open_vsi(f"ws://{self.address}/v1/vsi", query)

    @property
    def ws(self) -> str:
        """What addresses of WebSockets begin with."""
        return f"ws://{self.address}"

    @property
    def open_ports(self) -> list[str]:
        """Ports in the mixer, of whatever owner."""
        return [port for host in self.switch.media.hosts for port in host.topology.ports]


@asynccontextmanager
async def run_switch(
    data_dir: Path, *plugins: object, **settings: Any
) -> AsyncIterator[RunningSwitch]:
    """Run a server with the fake transport and these plugins; nothing may be left of it."""
    async with nothing_leaks():
        fake, recorder = FakePlugin(), EventRecorder()
        loaded = Plugins()
        for number, plugin in enumerate((fake, recorder, *plugins)):
            loaded.register(plugin, f"plugin-{number}")
        assert all(status.error is None for status in loaded.statuses), loaded.statuses
        values = {"media_workers": 0, "comfort_noise_enabled": False, **settings}
        switch = Switch(KernelSettings(data_dir=data_dir, **values), loaded, INSTANCE)
        await switch.start()
        with listen("127.0.0.1:0") as listener:
            host, port = listener.getsockname()[:2]
            http = _PromptServer(http_server(switch).config)
            serving = asyncio.create_task(http.serve([listener]))
            server = RunningSwitch(switch, fake.transport, recorder, f"{host}:{port}")
            try:
                yield server
            finally:
                await server.http.aclose()
                await switch.stop()
                http.told.set()
                await serving
        assert server.open_ports == []
        assert len(switch.legs) == 0


__all__ = ["INSTANCE", "RunningSwitch", "VsiClient", "run_switch"]
