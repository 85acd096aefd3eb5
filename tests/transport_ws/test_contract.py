"""What every transport must do, WebSocket legs too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve

from hookswitch.testing.server import RunningSwitch
from hookswitch.testing.transport import FarEnd, TransportContract
from hookswitch_transport_ws import plugin


class TestWebSocketTransport(TransportContract):
    plugin = plugin

    @asynccontextmanager
    async def far_end(self, server: RunningSwitch) -> AsyncIterator[FarEnd]:
        talking: set[ServerConnection] = set()

        async def talk(socket: ServerConnection) -> None:
            talking.add(socket)
            async for _ in socket:
                pass

        async def hang_up() -> None:
            await asyncio.gather(*(socket.close() for socket in talking))

        async with serve(talk, "127.0.0.1", 0) as listener:
            host, port = next(iter(listener.sockets)).getsockname()
            yield FarEnd({"type": "websocket", "url": f"ws://{host}:{port}/"}, hang_up)
