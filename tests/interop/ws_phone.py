"""A WebSocket leg of the test's own: says a tone, keeps what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import websockets

from tests.sound import tone

FRAMES_PER_SECOND = 50


class WsPhone:
    """The two directions of the audio of one WebSocket, binary frames of 20 ms."""

    def __init__(self, stream: websockets.ClientConnection, rate: int, say: np.ndarray) -> None:
        self.rate = rate
        self.latest = 0.0
        """How late, in seconds, a frame was said; what this machine is able to do just now."""
        self._stream = stream
        self._say = say
        self._heard: list[bytes] = []
        self._more = asyncio.Condition()

    async def talk(self) -> None:
        """Say it, frame by frame, as fast as time goes."""
        size = self.rate // FRAMES_PER_SECOND
        start = asyncio.get_running_loop().time()
        for number, offset in enumerate(range(0, len(self._say), size)):
            due = start + number / FRAMES_PER_SECOND
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            self.latest = max(self.latest, asyncio.get_running_loop().time() - due)
            await self._stream.send(self._say[offset : offset + size].astype("<i2").tobytes())

    async def hear(self) -> None:
        async for message in self._stream:
            if isinstance(message, bytes):
                assert len(message) == 2 * self.rate // FRAMES_PER_SECOND
                async with self._more:
                    self._heard.append(message)
                    self._more.notify_all()

    async def listen(self, seconds: float) -> np.ndarray:
        """What it hears from now on, for so long."""
        start, count = len(self._heard), int(seconds * FRAMES_PER_SECOND)
        async with asyncio.timeout(seconds + 5), self._more:
            await self._more.wait_for(lambda: len(self._heard) >= start + count)
        return np.frombuffer(b"".join(self._heard[start : start + count]), "<i2")


@asynccontextmanager
async def ws_phone(
    url: str, room: str, frequency: float, *, rate: int = 16000, dbfs: float = -12.0
) -> AsyncIterator[WsPhone]:
    """A leg that joins a room and says a tone for up to a minute."""
    address = url.replace("http://", "ws://") + "/v1/legs/websocket"
    query = f"?sample_rate={rate}&room_id={room}"
    async with websockets.connect(address + query, proxy=None, compression=None) as stream:
        phone = WsPhone(stream, rate, tone(frequency, 60.0, rate, dbfs))
        work = [asyncio.create_task(phone.talk()), asyncio.create_task(phone.hear())]
        try:
            yield phone
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
