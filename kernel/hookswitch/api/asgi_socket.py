"""An inbound WebSocket: accepting it, turning it away, and serving audio over it."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.websockets import WebSocketDisconnect

from hookswitch.websocket.socket import NO_CLOSE_FRAME, Message, SocketClosed

from .answers import error_response, translated
from .uvicorn_websocket import EXTENSION, Line

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

CLOSE_WITHIN = 1.0
"""Seconds the close frame may wait for a peer that does not read."""

LONGEST_REASON = 123
"""Bytes of text a close frame has room for."""

_GONE = (WebSocketDisconnect, RuntimeError, OSError)


async def deny(websocket: WebSocket, problem: Exception, instance_id: str) -> None:
    """Answer the upgrade request with an error instead of accepting it."""
    error = translated(problem)
    response = error_response(error.status, error.message, instance_id)
    with suppress(*_GONE):
        await websocket.send_denial_response(response)


class AsgiSocket:
    """Implements `hookswitch.websocket.socket.Socket`."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._line: Line | None = websocket.scope.get("extensions", {}).get(EXTENSION)
        self._received = 0.0

    @property
    def last_seen(self) -> float:
        if self._line is None:
            return math.inf  # the server in front of us looks after its connections itself
        return max(self._received, self._line.last_pong)

    async def accept(self) -> None:
        """Accept the upgrade. Raises SocketClosed when the peer has gone."""
        try:
            await self._websocket.accept()
        except _GONE:
            raise SocketClosed("connection_reset") from None

    async def receive(self) -> Message:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            # uvicorn gives a code but no reason when the connection broke without a close frame
            code = message.get("code", NO_CLOSE_FRAME) if "reason" in message else NO_CLOSE_FRAME
            raise SocketClosed.from_code(code)
        self._received = time.monotonic()
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        return data if text is None else text

    async def send(self, message: Message) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        try:
            await self._websocket.send({"type": "websocket.send", kind: message})
        except _GONE:
            raise SocketClosed("connection_reset") from None

    async def ping(self) -> None:
        if self._line is not None:
            self._line.ping()

    async def close(self, code: int, why: str) -> None:
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._websocket.close(code, why[:LONGEST_REASON])
        except TimeoutError:
            self.abort()
        except _GONE:
            pass
        else:
            if self._line is not None:
                self._line.linger()

    def abort(self) -> None:
        if self._line is not None:
            self._line.abort()
