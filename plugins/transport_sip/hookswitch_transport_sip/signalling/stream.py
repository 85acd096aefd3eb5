"""One TCP or TLS connection."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Protocol, cast

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.framing import Framer, KeepAlive
from hookswitch_transport_sip.sip.hop import Hop

MAX_UNSENT = 256 * 1024
"""Octets held for a peer that reads too slowly; beyond, the connection is given up."""

_USER_TIMEOUT_MS = 20_000
"""What the peer's system did not acknowledge in that time never arrives."""


class Owner(Protocol):
    """What a connection reports to."""

    def opened(self, connection: Connection) -> bool:
        """It is there; False refuses it."""

    def received(self, data: bytes, connection: Connection) -> None:
        """A whole message."""

    def broken(self, data: bytes, error: ParseError, connection: Connection) -> None:
        """What cannot be a message; the connection closes after this."""

    def lost(self, connection: Connection) -> None:
        """It has ended."""


class Connection(asyncio.Protocol):
    """`flow` is its number; `active` the time of its latest message, either way."""

    def __init__(self, owner: Owner, flow: int, transport: str, *, inbound: bool) -> None:
        self._owner = owner
        self._kind = transport
        self._transport: asyncio.Transport | None = None
        self._framer = Framer()
        self._loop = asyncio.get_running_loop()
        self.hop = Hop("", 0, transport, "", flow)
        self.inbound = inbound
        self.spoken = False
        """Whether it ever brought a whole message."""
        self.opened_for: Hop | None = None
        """What it was opened to reach, if we opened it."""
        self.active = self.alive = self._loop.time()

    def send(self, data: bytes) -> bool:
        """Send a message; False if that is impossible."""
        if self._transport is None or self._transport.is_closing():
            return False
        self.active = self.alive = self._loop.time()
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._transport.abort()
        return True

    def ping(self) -> None:
        """Show that we are there, to the peer and to NATs on the way."""
        if self._transport is not None and not self._transport.is_closing():
            self.alive = self._loop.time()
            self._framer.awaits_pong = True
            self._transport.write(KeepAlive.PING.value)

    def close(self) -> None:
        """End it when all is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._transport is None or self._transport.is_closing()

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername") or ("", 0)
        self.hop = self.hop._replace(host=peer[0], port=peer[1])
        if not self._owner.opened(self):
            self._transport.abort()
            return
        connected = transport.get_extra_info("socket")
        if connected is not None:
            with suppress(OSError):
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)

    def data_received(self, data: bytes) -> None:
        self._framer.receive(data)
        try:
            while not self.is_closing and (item := self._framer.next()) is not None:
                self._take(item)
        except ParseError as error:
            self._owner.broken(self._framer.rest, error, self)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self)

    def _take(self, item: bytes | KeepAlive) -> None:
        if isinstance(item, KeepAlive):
            if item is KeepAlive.PING and self._transport is not None:
                self._transport.write(KeepAlive.PONG.value)
            return
        self.spoken = True
        self.active = self.alive = self._loop.time()
        self._owner.received(item, self)
