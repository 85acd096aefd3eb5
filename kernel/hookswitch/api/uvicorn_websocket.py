"""uvicorn's WebSocket connection, opened up where ASGI has no words: pings, pongs, aborting."""

from __future__ import annotations

import asyncio
import logging
import time
from socket import SO_SNDBUF, SOL_SOCKET

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from hookswitch.websocket.socket import SEND_BUFFER

log = logging.getLogger(__name__)

EXTENSION = "hookswitch.line"
"""Key of a connection's `Line` among the extensions of its ASGI scope."""

LINGER = 10.0
"""Seconds a connection may take to close in good order."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Give it to uvicorn as ``ws``."""

    def handle_connect(self, event: Request) -> None:
        self.line = Line(self)
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER)
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self.line  # type: ignore[assignment]  # an object, no dict

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            # An upgrade that was denied is complete too; uvicorn would log an error about it.
            self.handshake_complete = True

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                # uvicorn would end the connection likewise, but with a traceback in the log
                log.info("WebSocket of %s closed: text that is no UTF-8", self.client)
                self.conn.send_close(CloseCode.INVALID_DATA)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_pong(self, event: Frame) -> None:
        self.line.last_pong = time.monotonic()
        super().handle_pong(event)


class Line:
    """What an application may do to its connection besides sending messages."""

    def __init__(self, protocol: WebSocketProtocol) -> None:
        self._protocol = protocol
        self.last_pong = 0.0
        """When the peer last answered a ping; as `time.monotonic`."""

    def ping(self) -> None:
        """Send a ping frame, unless the connection is closing."""
        try:
            self._protocol.conn.send_ping(b"hs")
        except InvalidState:
            return
        self._protocol.transport.write(b"".join(self._protocol.conn.data_to_send()))

    def linger(self) -> None:
        """Give the closing handshake and what is unsent some time, then drop the connection."""
        asyncio.get_running_loop().call_later(LINGER, self.abort)

    def abort(self) -> None:
        """Drop the connection, unsent messages included."""
        self._protocol.transport.abort()
