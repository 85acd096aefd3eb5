"""What every transport must do, as tests: subclass `TransportContract`, say how yours is reached.

    class TestMine(TransportContract):
        plugin = my_plugin

        @asynccontextmanager
        async def far_end(self, server):
            async with somebody_who_answers() as somebody:
                yield FarEnd({"type": "mine", "to": somebody.address}, somebody.hang_up)

It needs pytest-asyncio in its automatic mode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from .server import RunningSwitch, run_switch


@dataclass(frozen=True, slots=True)
class FarEnd:
    """Somebody who answers every call; ``request`` is the body of ``POST /legs`` to get there."""

    request: dict[str, Any]
    hang_up: Callable[[], Awaitable[None]]
    """End the call that was answered."""


class TransportContract(ABC):
    """The tests. ``plugin`` is what offers the transport."""

    plugin: ClassVar[object]
    settings: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def far_end(self, server: RunningSwitch) -> AbstractAsyncContextManager[FarEnd]:
        """Somebody to call."""

    async def test_it_is_known_by_its_name(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            transport = server.switch.transports[far.request["type"]]
            assert transport.name == far.request["type"]
            assert transport.leg_types
            assert all(isinstance(value, int | float) for value in transport.metrics().values())

    async def test_a_call_is_answered_and_hung_up_by_us(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            leg = await self._call(server, far)
            transport = server.switch.transports[far.request["type"]]
            assert leg["type"] in transport.leg_types
            shown = await server.ask("GET", f"/v1/legs/{leg['id']}")
            assert shown["state"] == "connected"
            assert server.open_ports == [leg["id"]]
            await server.ask("DELETE", f"/v1/legs/{leg['id']}", status=202)
            ended = await self._ended(server, leg)
            assert ended["cdr"]["reason"] == "api_hangup"
            assert server.events.types(leg_id=leg["id"]) == [
                "leg.ringing",
                "leg.connected",
                "leg.disconnected",
            ]
            assert server.open_ports == []

    async def test_a_call_is_hung_up_by_the_far_end(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            leg = await self._call(server, far)
            await far.hang_up()
            ended = await self._ended(server, leg)
            assert ended["cdr"]["reason"] not in ("", "api_hangup")
            assert ended["cdr"]["duration_answered"] > 0
            assert server.open_ports == []

    async def test_hanging_up_again_changes_nothing(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            leg = await self._call(server, far)
            for _ in range(3):
                await server.http.delete(f"/v1/legs/{leg['id']}")
            await self._ended(server, leg)
            assert server.events.types(leg_id=leg["id"]).count("leg.disconnected") == 1

    async def test_a_call_is_hung_up_before_it_is_answered(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            leg = await server.ask("POST", "/v1/legs", far.request, status=201)
            await server.ask("DELETE", f"/v1/legs/{leg['id']}", status=202)
            await self._ended(server, leg)
            assert server.open_ports == []

    async def test_a_call_joins_the_room_it_was_made_for(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            leg = await self._call(server, far, room_id="r")
            await server.events.wait("leg.joined_room", leg_id=leg["id"], room_id="r")
            await server.ask("DELETE", "/v1/rooms/r")
            ended = await self._ended(server, leg)
            assert ended["cdr"]["reason"] == "room_deleted"

    async def test_a_call_ends_when_its_time_is_up(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            leg = await self._call(server, far, max_duration=1)
            ended = await self._ended(server, leg)
            assert ended["cdr"]["reason"] == "max_duration"

    async def test_what_it_does_not_know_it_ignores(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            await self._call(server, far, invented={"tomorrow": True}, app_id="", ring_timeout=0)

    async def test_what_does_not_fit_is_refused(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            for wrong in ({"ring_timeout": "5"}, {"headers": {"X-A": "1\r\nX-B: 2"}}):
                body = {**far.request, **wrong}
                message = await server.problem(400, "POST", "/v1/legs", body)
                assert message.startswith(next(iter(wrong)))
            assert len(server.switch.legs) == 0

    async def test_a_server_that_drains_calls_nobody(self, tmp_path: Path) -> None:
        async with self._ready(tmp_path) as (server, far):
            leg = await self._call(server, far)
            server.switch.drain()
            await server.problem(503, "POST", "/v1/legs", far.request)
            shown = await server.ask("GET", f"/v1/legs/{leg['id']}")
            assert shown["state"] == "connected"

    async def test_a_server_that_stops_leaves_nothing(self, tmp_path: Path) -> None:
        """`run_switch` sees to that; here with two calls in the air."""
        async with self._ready(tmp_path) as (server, far):
            await self._call(server, far)
            await server.ask("POST", "/v1/legs", far.request, status=201)

    @asynccontextmanager
    async def _ready(self, tmp_path: Path) -> AsyncIterator[tuple[RunningSwitch, FarEnd]]:
        async with (
            run_switch(tmp_path, self.plugin, **self.settings) as server,
            self.far_end(server) as far,
        ):
            yield server, far

    async def _call(self, server: RunningSwitch, far: FarEnd, **fields: Any) -> dict[str, Any]:
        leg: dict[str, Any] = await server.ask("POST", "/v1/legs", {**far.request, **fields})
        await server.events.wait("leg.connected", leg_id=leg["id"])
        return leg

    async def _ended(self, server: RunningSwitch, leg: dict[str, Any]) -> dict[str, Any]:
        event = await server.events.wait("leg.disconnected", leg_id=leg["id"])
        assert server.switch.legs.find(leg["id"]) is None
        return event
