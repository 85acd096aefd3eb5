"""Real HTTP receivers, a bus on a file, and a check that nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hookswitch.events.backoff import BackOff
from hookswitch.events.bus import EventBus
from hookswitch.events.log import EventLog
from hookswitch.events.posting import HttpPoster
from hookswitch.events.webhooks import Webhooks

QUICK = BackOff(first=0.01, longest=0.04)


def _descriptors() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(name + " " + os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue  # the descriptor of the listing itself
    return found


@pytest_asyncio.fixture(autouse=True)
async def nothing_leaks() -> AsyncIterator[None]:
    tasks, descriptors = asyncio.all_tasks(), _descriptors()
    yield
    for _ in range(5):  # transports close in the loop's next rounds
        await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() - tasks - {asyncio.current_task()} == set()
    assert [t.name for t in threading.enumerate() if t.name == "event-store"] == []
    assert _descriptors() - descriptors == set()


Answer = tuple[int, dict[str, str]]
Behaviour = Callable[[dict[str, Any]], Awaitable[Answer] | Answer]


class HttpReceiver:
    """A webhook receiver on loopback. ``behave`` decides the answer to each event."""

    def __init__(self) -> None:
        self.behave: Behaviour = lambda event: (200, {})
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.accepted: list[dict[str, Any]] = []
        self.now = self.most = 0
        self.changed = asyncio.Event()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            await self._server.wait_closed()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for something to be true, looked at after every request."""
        async with asyncio.timeout(20):
            while not done():
                self.changed.clear()
                await self.changed.wait()

    def cursors(self, **fields: Any) -> list[int]:
        return [e["cursor"] for e in self.accepted if fields.items() <= e.items()]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        event = json.loads(body)
        self.seen.append((headers, body))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            answer = self.behave(event)
            status, extra = answer if isinstance(answer, tuple) else await answer
        finally:
            self.now -= 1
        if 200 <= status < 300:
            self.accepted.append(event)
        lines = [f"HTTP/1.1 {status} X", *(f"{k}: {v}" for k, v in extra.items())]
        if "content-length" not in extra:
            lines.append("content-length: 0")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        self.changed.set()
        return True


async def eventually(done: Callable[[], bool]) -> None:
    """Wait for something nothing announces, such as a counter."""
    async with asyncio.timeout(20):
        while True:
            if done():
                return
            await asyncio.sleep(0.002)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    server = HttpReceiver()
    await server.open()
    yield server
    await server.close()


@pytest_asyncio.fixture
async def other() -> AsyncIterator[HttpReceiver]:
    server = HttpReceiver()
    await server.open()
    yield server
    await server.close()


@asynccontextmanager
async def running(path: Path | str, **options: Any) -> AsyncIterator[EventBus]:
    """A bus with quick retries."""
    clock = options.pop("clock", time.time)
    kept = {k: options.pop(k) for k in ("replay_events", "memory_limit") if k in options}
    log = EventLog(path, retry_every=0.02, **kept)
    poster = options.pop("poster", None) or HttpPoster(timeout=options.pop("timeout", 5.0))
    webhooks = Webhooks(log, poster=poster, **{"backoff": QUICK, **options})
    bus = EventBus(log, instance_id="test", webhooks=webhooks, clock=clock)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events.db"
