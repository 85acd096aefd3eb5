"""A web server that serves what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MediaServer:
    """Answers each path by its handler. ``url`` has no slash at its end."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.requests: list[web.Request] = []
        self.url = ""
        self.open = 0
        """Requests being answered."""

    def file(self, path: str, data: bytes, mime: str = "audio/wav", **headers: str) -> str:
        """Serve a file that may be revalidated; answers its URL."""

        async def answer(request: web.Request) -> web.Response:
            tag = headers.get("ETag")
            if tag and request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers=headers)
            modified = headers.get("Last-Modified")
            if modified and request.headers.get("If-Modified-Since") == modified:
                return web.Response(status=304, headers=headers)
            return web.Response(body=data, headers={"Content-Type": mime, **headers})

        self.handlers[path] = answer
        return self.url + path

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request."""
        self.requests.append(request)
        self.open += 1
        try:
            return await self.handlers[request.path](request)
        finally:
            self.open -= 1


@asynccontextmanager
async def media_server() -> AsyncIterator[MediaServer]:
    """Serve on a free port of loopback."""
    server = MediaServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Let the loop turn until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - it turns in another thread or process
            await asyncio.sleep(0.005)
