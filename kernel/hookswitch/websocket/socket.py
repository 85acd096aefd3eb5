"""A WebSocket as audio over it needs one, whoever opened it and whichever library serves it."""

from __future__ import annotations

from typing import Protocol

Message = str | bytes
"""A text or a binary message."""

_ORDERLY = frozenset({1000, 1001, 1005, 1012})
"""Close codes of a peer that meant to leave: normal, going away, none given, restarting."""

NO_CLOSE_FRAME = 1006

SEND_BUFFER = 32 * 1024
"""Bytes the system may hold unsent for a peer: more would be stale audio that nobody counts, and
would hide that the peer does not read."""


class SocketClosed(Exception):
    """The socket is closed; ``reason`` is a CDR's: hangup, connection_reset or ws_error."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @classmethod
    def from_code(cls, code: int) -> SocketClosed:
        """From the code of the peer's close frame, or NO_CLOSE_FRAME."""
        if code in _ORDERLY:
            return cls("hangup")
        return cls("connection_reset" if code == NO_CLOSE_FRAME else "ws_error")


class Socket(Protocol):
    """An open WebSocket. One task receives, one sends."""

    @property
    def last_seen(self) -> float:
        """When the peer last showed that it lives (a message, a pong); as `time.monotonic`."""

    async def receive(self) -> Message:
        """The next message. Raises SocketClosed."""

    async def send(self, message: Message) -> None:
        """Send a message; waits while the peer does not read. Raises SocketClosed."""

    async def ping(self) -> None:
        """Send a ping frame; the pong shows in `last_seen`. Raises SocketClosed."""

    async def close(self, code: int, why: str) -> None:
        """Close with a close frame; a peer that does not answer is left after a while."""

    def abort(self) -> None:
        """Drop the connection, unsent messages included."""
