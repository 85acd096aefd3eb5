"""A client of the event stream."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .recorder import PATIENCE


class VsiError(Exception):
    """A command was answered with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class VsiClient:
    """One connection. ``messages`` holds all that came, commands' results included."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.closed = asyncio.Event()
        self._news = asyncio.Event()
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            async for message in self.socket:
                self.messages.append(json.loads(message))
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            self._news.set()

    async def send(self, message: Any) -> None:
        """Send anything: text as it is, the rest as JSON."""
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    async def command(self, command: str, **payload: Any) -> Any:
        """Run a command; answers its data. Raises VsiError."""
        request_id = f"r{next(self._numbers)}"
        await self.send({"type": command, "request_id": request_id, "payload": payload})
        reply = await self.message(lambda message: message.get("request_id") == request_id)
        if reply["type"] == "error":
            raise VsiError(reply["data"]["code"], reply["data"]["message"])
        assert reply["type"] == f"{command}.result"
        return reply["data"]

    async def event(self, event_type: str, **fields: Any) -> dict[str, Any]:
        """The first message of this type with these fields, now or to come."""
        wanted = {"type": event_type, **fields}
        return await self.message(lambda message: wanted.items() <= message.items())

    async def message(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message that fits, now or to come."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for message in self.messages:
                    if wanted(message):
                        return message
                assert not self.closed.is_set(), f"closed; there was only {self.messages}"
                self._news.clear()
                await self._news.wait()

    async def ended(self) -> None:
        """Wait until the server closes the connection."""
        async with asyncio.timeout(PATIENCE):
            await self.closed.wait()


@asynccontextmanager
async def open_vsi(url: str, query: Mapping[str, str], **options: Any) -> AsyncIterator[VsiClient]:
    """Connect to an event stream and read it."""
    address = f"{url}?{urlencode(query)}" if query else url
    async with connect(address, proxy=None, compression=None, **options) as socket:
        client = VsiClient(socket)
        reading = asyncio.create_task(client.run())
        try:
            await client.message(lambda message: True)
            yield client
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
