"""Messages on their way to a peer that may be slow to read them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from .socket import Message


class Outbox:
    """A bounded queue in front of a socket; one task runs `run`."""

    def __init__(self, limit: int) -> None:
        """``limit`` in bytes (characters of text count as one)."""
        self._limit = limit
        self._messages: deque[Message] = deque()
        self._size = 0
        self._news = asyncio.Event()

    @property
    def crowded(self) -> bool:
        """Whether more than half of the room is taken."""
        return 2 * self._size > self._limit

    def put(self, message: Message) -> bool:
        """Queue a message; answers whether there was room."""
        if self._messages and self._size + len(message) > self._limit:
            return False
        self._messages.append(message)
        self._size += len(message)
        self._news.set()
        return True

    async def run(self, send: Callable[[Message], Awaitable[None]]) -> None:
        """Send what is queued, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._messages:
                message = self._messages.popleft()
                self._size -= len(message)
                await send(message)
