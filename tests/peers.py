"""Programs at the other end of a WebSocket: each says a tone and keeps what it hears."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from hookswitch.testing.recorder import PATIENCE
from tests.sound import tone


class Peer:
    """Answers each frame it hears with one it says, so it keeps the server's time."""

    def __init__(
        self, socket: Connection, rate: int, wire_format: str, frequency: float | None
    ) -> None:
        self.socket, self.rate = socket, rate
        self.json: list[dict[str, Any]] = []
        self.sizes: set[int] = set()
        self._wire_format = wire_format
        self._tone = None if frequency is None else tone(frequency, 1.0, rate)
        self._said = 0
        self._heard: list[np.ndarray] = []
        self._news = asyncio.Event()
        self.closed = asyncio.Event()

    async def run(self) -> None:
        try:
            await self._say()
            async for message in self.socket:
                await self._take(message)
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            self._news.set()

    async def send(self, **fields: Any) -> None:
        await self.socket.send(json.dumps(fields))

    async def hears(self, seconds: float) -> np.ndarray:
        """What is heard from now on, this long."""
        self._heard.clear()
        async with asyncio.timeout(PATIENCE):
            while sum(map(len, self._heard)) < seconds * self.rate:
                assert not self.closed.is_set(), "the socket is closed"
                self._news.clear()
                await self._news.wait()
        return np.concatenate(self._heard)

    async def receives(self, **fields: Any) -> dict[str, Any]:
        """The first JSON message with these fields, now or to come."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for message in self.json:
                    if fields.items() <= message.items():
                        return message
                assert not self.closed.is_set(), f"closed; there was only {self.json}"
                self._news.clear()
                await self._news.wait()

    async def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            fields = json.loads(message)
            if "audio" not in fields:
                self.json.append(fields)
                return
            pcm = base64.b64decode(fields["audio"])
            assert self._wire_format != "binary"
        else:
            assert self._wire_format == "binary"
            pcm = message
        self.sizes.add(len(pcm))
        self._heard.append(np.frombuffer(pcm, "<i2"))
        await self._say()

    async def _say(self) -> None:
        if self._tone is None:
            return
        frame = self.rate // 50
        start = self._said % len(self._tone)
        pcm = self._tone[start : start + frame].astype("<i2").tobytes()
        self._said += frame
        if self._wire_format == "binary":
            await self.socket.send(pcm)
        elif self._wire_format == "json_base64":
            await self.send(type="audio", audio=base64.b64encode(pcm).decode())
        else:
            await self.send(audio=base64.b64encode(pcm).decode())


@asynccontextmanager
async def talking(
    socket: Connection,
    rate: int = 16000,
    wire_format: str = "binary",
    frequency: float | None = None,
) -> AsyncIterator[Peer]:
    """Let a peer talk over an open socket."""
    peer = Peer(socket, rate, wire_format, frequency)
    running = asyncio.create_task(peer.run())
    try:
        yield peer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def connected(
    url: str,
    rate: int = 16000,
    wire_format: str = "binary",
    frequency: float | None = None,
    **options: Any,
) -> AsyncIterator[Peer]:
    """Connect a peer to the server."""
    async with (
        connect(url, proxy=None, compression=None, **options) as socket,
        talking(socket, rate, wire_format, frequency) as peer,
    ):
        yield peer
