"""Legs that are dialled: a WebSocket client as the kernel's sessions want their sockets."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from hookswitch.websocket.socket import NO_CLOSE_FRAME, SEND_BUFFER, Message, SocketClosed

from .requests import CreateWebSocketLeg

MAX_MESSAGE = 1 << 20
"""Longest message in bytes that is accepted from a peer."""

CLOSE_WITHIN = 2.0
"""Seconds a peer may take to answer a close frame."""

_REASONS = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    502: "service_unavailable",
    503: "service_unavailable",
    504: "service_unavailable",
}
"""HTTP status of a refused upgrade -> CDR reason."""


class DialFailed(Exception):
    """The peer was not reached; ``reason`` is a CDR's."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


async def dial(request: CreateWebSocketLeg) -> ClientSocket:
    """Connect; how long that may take is up to the caller. Raises DialFailed."""
    try:
        connection = await connect(
            request.url,
            additional_headers=request.headers,
            user_agent_header="hookswitch",
            compression=None,  # audio does not shrink, it only costs time
            open_timeout=None,
            ping_interval=None,
            close_timeout=CLOSE_WITHIN,
            max_size=MAX_MESSAGE,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        raise DialFailed(_REASONS.get(status, "ws_dial_failed"), f"HTTP {status}") from None
    except (OSError, WebSocketException, ValueError, EOFError) as error:
        raise DialFailed("ws_dial_failed", f"{type(error).__name__}: {error}") from None
    sock = connection.transport.get_extra_info("socket")
    sock.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER)
    return ClientSocket(connection)


class ClientSocket:
    """Implements `hookswitch.websocket.socket.Socket`."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.last_seen = time.monotonic()

    async def receive(self) -> Message:
        try:
            message: Message = await self._connection.recv()
        except ConnectionClosed as closed:
            raise SocketClosed.from_code(_close_code(closed)) from None
        self.last_seen = time.monotonic()
        return message

    async def send(self, message: Message) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as closed:
            raise SocketClosed.from_code(_close_code(closed)) from None

    async def ping(self) -> None:
        try:
            pong = await self._connection.ping()
        except ConnectionClosed as closed:
            raise SocketClosed.from_code(_close_code(closed)) from None
        assert isinstance(pong, asyncio.Future)
        pong.add_done_callback(self._ponged)

    async def close(self, code: int, why: str) -> None:
        try:
            async with asyncio.timeout(2 * CLOSE_WITHIN):
                await self._connection.close(code, why)
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        with suppress(RuntimeError):
            self._connection.transport.abort()

    def _ponged(self, pong: asyncio.Future[Any]) -> None:
        if not pong.cancelled() and pong.exception() is None:
            self.last_seen = time.monotonic()


def _close_code(closed: ConnectionClosed) -> int:
    """The peer's close code, or ours when we closed because of what it sent."""
    frame = closed.rcvd or closed.sent
    return NO_CLOSE_FRAME if frame is None else frame.code
