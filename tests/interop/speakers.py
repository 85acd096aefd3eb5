"""Whoever has an RTP socket and says something every 20 ms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

PERIOD_S = 0.02


class Speaker(asyncio.DatagramProtocol):
    """One socket, and what to say next."""

    def __init__(self) -> None:
        self._transport: Any = None

    @property
    def port(self) -> int:
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def speak(self) -> None:
        """Send the next packet, once it is known whereto."""
        raise NotImplementedError

    def send(self, packet: bytes, target: tuple[str, int]) -> None:
        self._transport.sendto(packet, target)

    def close(self) -> None:
        self._transport.close()


S = TypeVar("S", bound=Speaker)


@asynccontextmanager
async def opened(make: Callable[[], S], host: str = "127.0.0.1") -> AsyncIterator[S]:
    """A speaker with a socket of its own, who is silent so far."""
    loop = asyncio.get_running_loop()
    _, speaker = await loop.create_datagram_endpoint(make, local_addr=(host, 0))
    try:
        yield speaker
    finally:
        speaker.close()


@asynccontextmanager
async def speaking(speakers: Sequence[Speaker]) -> AsyncIterator[None]:
    """They speak meanwhile."""
    task = asyncio.create_task(_talk(speakers))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def all_speaking(makes: Sequence[Callable[[], S]]) -> AsyncIterator[list[S]]:
    """Speakers that speak all the time."""
    async with AsyncExitStack() as stack:
        speakers = [await stack.enter_async_context(opened(make)) for make in makes]
        await stack.enter_async_context(speaking(speakers))
        yield speakers


async def _talk(speakers: Sequence[Speaker]) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for speaker in speakers:
            speaker.speak()
        due += PERIOD_S
        await asyncio.sleep(due - loop.time())
