"""All TCP and TLS connections: opened, reused, kept alive, closed when nobody needs them."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.hop import Hop

from .stream import MAX_UNSENT, Connection
from .tls import TlsContexts

log = logging.getLogger(__name__)

_BACKLOG = 512
"""Connections the system holds for us until we accept them."""

_PAUSE = 0.1
"""Seconds after which accepting is tried again when descriptors have run out."""

_GOODBYE = 1.0
"""Seconds connections are given to end by themselves at the end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and numbers.

    ``first_message`` is how long a stranger may hold a connection without having said anything;
    ``ping`` how long a connection we opened is silent before it shows life (RFC 5626 section
    4.4.1); ``sweep`` how often idle ones are looked for.
    """

    connect_timeout: float = 5.0
    idle_timeout: float = 600.0
    most_connections: int = 2000
    first_message: float = 15.0
    ping: float = 95.0
    sweep: float = 5.0


class User(Protocol):
    """Whom connections serve."""

    def received(self, data: bytes, hop: Hop) -> None:
        """A message came over a connection."""

    def sent(self, data: bytes, hop: Hop) -> None:
        """A message for a hop has been handed to its connection."""

    def broken(self, data: bytes, error: ParseError, hop: Hop) -> None:
        """Something that is no message came over a connection."""

    def failed(self, hop: Hop) -> None:
        """What was sent to a hop could not be sent."""

    def lost(self, hop: Hop) -> None:
        """A connection ended."""

    def relies_on(self, hop: Hop) -> bool:
        """Whether a connection is needed although it is idle."""


class Connections:
    """Finds the connection for each message, or opens one."""

    def __init__(self, user: User, limits: Limits, local_ips: list[str], tls: TlsContexts | None):
        self._user, self._limits, self._tls = user, limits, tls
        self._local_ips = {":" in ip: ip for ip in reversed(local_ips)}
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._bound: list[socket.socket] = []
        self._handshakes: set[socket.socket] = set()
        self._flows: dict[int, Connection] = {}
        self._opened: dict[Hop, Connection] = {}
        self._connecting: dict[Hop, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_flow = 0
        self._closed = asyncio.Event()
        self._closing = False
        self.counters: Counter[str] = Counter()
        self._sweeper = self._loop.call_later(limits.sweep, self._sweep)

    def __len__(self) -> int:
        return len(self._flows)

    async def listen(self, bound: socket.socket, transport: str) -> None:
        """Accept connections; ``transport`` is TCP or TLS."""
        if transport == "TLS":
            bound.listen(_BACKLOG)
            self._bound.append(bound)
            self._spawn(self._accept(bound))
            return
        server = await self._loop.create_server(
            lambda: self._new(transport, inbound=True), sock=bound, backlog=_BACKLOG
        )
        self._servers.append(server)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send over the connection to a hop, once there is one; `User.failed` if there is none."""
        connection = self._flows.get(hop.flow) if hop.flow else self._opened.get(hop)
        if connection is not None and connection.send(data):
            self._user.sent(data, hop)
        elif hop.flow or self._closing:
            self._loop.call_soon(self._user.failed, hop)
        elif (waiting := self._connecting.get(hop)) is not None:
            waiting.append(data)
            if sum(map(len, waiting)) > MAX_UNSENT:
                waiting.pop()
                self.counters["messages_not_sent"] += 1
        else:
            self._connecting[hop] = [data]
            self._spawn(self._open(hop))

    async def close(self) -> None:
        """Close everything; what was written is sent if that is possible at once."""
        self._closing = True
        self._sweeper.cancel()
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        for bound in self._bound:
            bound.close()
        for connection in list(self._flows.values()):
            connection.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for accepted in self._handshakes:
            accepted.close()
        await self._until_all_closed(_GOODBYE)
        for connection in list(self._flows.values()):
            connection.abort()
        await self._until_all_closed(_GOODBYE)

    async def _until_all_closed(self, seconds: float) -> None:
        if self._flows:
            self._closed.clear()
            try:
                await asyncio.wait_for(self._closed.wait(), seconds)
            except TimeoutError:
                log.debug("%d connections do not end", len(self._flows))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- accepting over TLS: a server of asyncio would neither count handshakes nor end them

    async def _accept(self, bound: socket.socket) -> None:
        while True:
            try:
                accepted, _ = await self._loop.sock_accept(bound)
            except OSError as error:
                log.warning("cannot accept connections: %s", error.strerror)
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._flows) + len(self._handshakes) >= self._limits.most_connections:
                self.counters["connections_refused"] += 1
                accepted.close()
            else:
                self._handshakes.add(accepted)
                self._spawn(self._shake_hands(accepted))

    async def _shake_hands(self, accepted: socket.socket) -> None:
        assert self._tls is not None
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._new("TLS", inbound=True),
                accepted,
                ssl=self._tls.server,
                ssl_handshake_timeout=self._limits.connect_timeout,
                ssl_shutdown_timeout=_GOODBYE,
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            log.debug("no TLS connection: %s", error)
            self.counters["handshakes_failed"] += 1
            accepted.close()
        self._handshakes.discard(accepted)

    # -- opening

    def _new(self, transport: str, *, inbound: bool) -> Connection:
        self._next_flow += 1
        return Connection(self, self._next_flow, transport, inbound=inbound)

    async def _open(self, hop: Hop) -> None:
        try:
            connection = await self._connect(hop)
        except (OSError, TimeoutError, ssl.SSLError, ValueError) as error:
            log.info("cannot connect to %.300s: %s", str(hop), str(error) or type(error).__name__)
            self.counters["connections_failed"] += 1
            del self._connecting[hop]
            self._user.failed(hop)
            return
        except BaseException:
            self._connecting.pop(hop, None)
            raise
        waiting = self._connecting.pop(hop)
        self._opened[hop] = connection
        connection.opened_for = hop
        if connection.is_closing:
            self._user.failed(hop)
            return
        for data in waiting:
            if connection.send(data):
                self._user.sent(data, hop)

    async def _connect(self, hop: Hop) -> Connection:
        context = None
        if hop.transport == "TLS":
            if self._tls is None:
                raise ValueError("TLS is not configured")
            context = self._tls.client
        local_ip = self._local_ips.get(hop.is_ipv6)
        async with asyncio.timeout(self._limits.connect_timeout):
            _, connection = await self._loop.create_connection(
                lambda: self._new(hop.transport, inbound=False),
                hop.host,
                hop.port,
                local_addr=(local_ip, 0) if local_ip else None,
                ssl=context,
                server_hostname=(hop.name or hop.host) if context else None,
                ssl_handshake_timeout=self._limits.connect_timeout if context else None,
                ssl_shutdown_timeout=_GOODBYE if context else None,
            )
        return connection

    # -- what connections tell

    def opened(self, connection: Connection) -> bool:
        if self._closing or (
            connection.inbound and len(self._flows) >= self._limits.most_connections
        ):
            self.counters["connections_refused"] += 1
            return False
        self.counters["connections"] += 1
        self._flows[connection.hop.flow] = connection
        return True

    def received(self, data: bytes, connection: Connection) -> None:
        self._user.received(data, connection.hop)

    def broken(self, data: bytes, error: ParseError, connection: Connection) -> None:
        log.debug("%s: %s", connection.hop, error)
        self._user.broken(data, error, connection.hop)

    def lost(self, connection: Connection) -> None:
        if self._flows.pop(connection.hop.flow, None) is None:
            return
        self.counters["connections_lost"] += 1
        hop = connection.opened_for
        if hop is not None and self._opened.get(hop) is connection:
            del self._opened[hop]
        if not self._flows:
            self._closed.set()
        if not self._closing:
            self._user.lost(connection.hop)
            if hop is not None:
                self._user.lost(hop)

    # -- idle ones

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._flows.values()):
            self._look_at(connection, now)
        if self._tls is not None:
            self._tls.refresh()
        self._sweeper = self._loop.call_later(self._limits.sweep, self._sweep)

    def _look_at(self, connection: Connection, now: float) -> None:
        idle = now - connection.active
        if connection.inbound and not connection.spoken:
            if idle > self._limits.first_message:
                connection.abort()
        elif idle > self._limits.idle_timeout and not self._user.relies_on(connection.hop):
            connection.close()
        elif not connection.inbound and now - connection.alive > self._limits.ping:
            connection.ping()
