"""One HTTP/1.1 connection to a webhook receiver, and the pool of idle ones.

A general HTTP client spends more time on a small POST than the rest of an event's way through
the server takes; the control process has one core for all its calls. This does what webhooks
need and nothing else: no redirects, no cookies, no proxies, bodies counted and thrown away.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import cast

import httptools

from hookswitch.events.endpoint import Endpoint

LONGEST_ANSWER = 64 * 1024
"""Bytes of a response that are read to keep its connection usable; beyond, it is closed."""

IDLE_SECONDS = 15.0
IDLE_PER_ORIGIN = 16


class Disconnected(ConnectionError):
    """The receiver closed the connection; ``silent`` when it had not answered a byte."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__("connection closed without an answer")
        self.silent = silent


@dataclass(frozen=True, slots=True)
class Answer:
    """A response without its body."""

    status: int
    retry_after: str | None = None


class Connection(asyncio.Protocol):
    """Sends one request at a time; `usable` says whether another may follow."""

    def __init__(self) -> None:
        self.usable = False
        self.used = False
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._status: int | None = None
        self._retry_after: str | None = None
        self._received = 0

    async def exchange(self, request: bytes) -> Answer:
        """Send a request and wait for its answer; raises Disconnected."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.usable = False
        self._reset()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None
            self.used = True
            if not self.usable:
                self.close()

    def close(self) -> None:
        """Drop the connection at once."""
        self.usable = False
        if self._transport:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.close()  # nobody asked
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(ConnectionError(f"not an HTTP response: {error}"))
        if self._received > LONGEST_ANSWER:
            self._end()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        self._end()

    # -- httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._status = status if status >= 200 else None

    def on_message_complete(self) -> None:
        if self._status is not None:
            self.usable = self._parser.should_keep_alive()
            self._end()

    def _end(self, error: Exception | None = None) -> None:
        """Answer with what is known: the status counts even if its body is cut off."""
        if self._answer is None or self._answer.done():
            return
        if error is not None:
            self._answer.set_exception(error)
        elif self._status is None:
            self._answer.set_exception(Disconnected(silent=not self._received))
        else:
            self._answer.set_result(Answer(self._status, self._retry_after))


class Pool:
    """Idle connections by origin."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._idle: dict[tuple[str, int, bool], list[Connection]] = {}
        self._timers: dict[Connection, asyncio.TimerHandle] = {}

    async def exchange(self, to: Endpoint, request: bytes) -> Answer:
        """Send a request on an idle connection, or a new one."""
        while connection := self._take(to):
            try:
                return await self._use(to, connection, request)
            except Disconnected as error:
                # An idle connection may be closed by the receiver just as it is used again.
                if not error.silent:
                    raise
        return await self._use(to, await self._connect(to), request)

    def close(self) -> None:
        """Drop all idle connections."""
        for connection, timer in self._timers.items():
            timer.cancel()
            connection.close()
        self._timers.clear()
        self._idle.clear()

    async def _connect(self, to: Endpoint) -> Connection:
        if to.tls and self._context is None:
            self._context = ssl.create_default_context()
        context = self._context if to.tls else None
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, to.host, to.port, ssl=context)
        return connection

    async def _use(self, to: Endpoint, connection: Connection, request: bytes) -> Answer:
        answer = await connection.exchange(request)
        if connection.usable:
            self._keep(to, connection)
        return answer

    def _keep(self, to: Endpoint, connection: Connection) -> None:
        idle = self._idle.setdefault(to.origin, [])
        if len(idle) >= IDLE_PER_ORIGIN:
            connection.close()
            return
        idle.append(connection)
        later = asyncio.get_running_loop().call_later
        self._timers[connection] = later(IDLE_SECONDS, self._forget, to, connection)

    def _take(self, to: Endpoint) -> Connection | None:
        idle = self._idle.get(to.origin, [])
        while idle:
            connection = idle[-1]
            self._forget(to, connection, close=not connection.usable)
            if connection.usable:
                return connection
        return None

    def _forget(self, to: Endpoint, connection: Connection, close: bool = True) -> None:
        self._timers.pop(connection).cancel()
        idle = self._idle[to.origin]
        idle.remove(connection)
        if not idle:
            del self._idle[to.origin]
        if close:
            connection.close()
