"""An application: REST calls, and the event stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets

Event = dict[str, Any]


class Api:
    """REST. Every answer but the expected one fails the test."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str, status: int = 200) -> Any:
        return await self._ask("GET", path, None, status)

    async def post(self, path: str, status: int, /, **body: Any) -> Any:
        return await self._ask("POST", path, body or None, status)

    async def delete(self, path: str, status: int, /, **body: Any) -> Any:
        return await self._ask("DELETE", path, body or None, status)

    async def call(self, to: str, /, **body: Any) -> str:
        """Place a SIP call; answers the leg's id."""
        leg = await self.post("/legs", 201, type="sip", to=to, **body)
        assert leg["type"] == "sip_outbound"
        return str(leg["id"])

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        text = (await self._client.get("/metrics")).text
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        values = [float(value) for key, value in rows if key.partition("{")[0] == name]
        assert values, f"no metric {name}"
        return sum(values)

    async def _ask(self, method: str, path: str, body: Any, status: int) -> Any:
        answer = await self._client.request(method, "/v1" + path, json=body)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


class Events:
    """What the event stream told, in order."""

    def __init__(self) -> None:
        self.all: list[Event] = []
        self._more = asyncio.Condition()
        self._watchers: list[Callable[[Event], None]] = []

    def of(self, leg_id: str, *types: str) -> list[Event]:
        """Events of one leg."""
        mine = [e for e in self.all if e.get("leg_id") == leg_id]
        return [e for e in mine if e["type"] in types] if types else mine

    def watch(self, watcher: Callable[[Event], None]) -> None:
        """Have something called with every event to come."""
        self._watchers.append(watcher)

    async def wait(
        self,
        event_type: str,
        where: Callable[[Event], bool] = lambda event: True,
        *,
        after: Event | None = None,
        within: float = 10.0,
        **fields: Any,
    ) -> Event:
        """The first event like this, come already or yet to come."""

        def matching() -> Event | None:
            return next(
                (
                    e
                    for e in self.all
                    if e["type"] == event_type
                    and fields.items() <= e.items()
                    and (after is None or e["cursor"] > after["cursor"])
                    and where(e)
                ),
                None,
            )

        try:
            async with asyncio.timeout(within), self._more:
                await self._more.wait_for(lambda: matching() is not None)
        except TimeoutError:
            told = "\n".join(json.dumps(e) for e in self.all[-20:])
            raise AssertionError(
                f"no {event_type} {fields} within {within} s; last:\n{told}"
            ) from None
        found = matching()
        assert found is not None
        return found

    async def ended(self, leg_id: str, within: float = 10.0) -> Event:
        """The end of a leg."""
        return await self.wait("leg.disconnected", leg_id=leg_id, within=within)

    async def read(self, stream: websockets.ClientConnection) -> None:
        async for message in stream:
            event = json.loads(message)
            if event["type"] in ("connected", "ping"):
                continue
            assert event["type"] != "events_dropped", event
            async with self._more:
                self.all.append(event)
                self._more.notify_all()
            for watcher in self._watchers:
                watcher(event)


@asynccontextmanager
async def api_of(url: str) -> AsyncIterator[Api]:
    """A REST client."""
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:
        yield Api(client)


@asynccontextmanager
async def events_of(url: str, query: str = "") -> AsyncIterator[Events]:
    """A reader of the event stream."""
    address = url.replace("http://", "ws://") + "/v1/vsi" + query
    async with websockets.connect(address, proxy=None) as stream:
        first = json.loads(await stream.recv())
        assert first == {"type": "connected"} | first
        events = Events()
        reading = asyncio.create_task(events.read(stream))
        try:
            yield events
        finally:
            reading.cancel()
            (problem,) = await asyncio.gather(reading, return_exceptions=True)
    if not isinstance(problem, asyncio.CancelledError | websockets.ConnectionClosed | None):
        raise problem
