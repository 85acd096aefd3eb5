"""The socket and the clock around the SIP core: datagrams in, datagrams out, timers, names."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .sip.endpoint import UserAgent
from .sip.events import Event
from .sip.hop import Hop

log = logging.getLogger(__name__)

OnEvent = Callable[[Event], None]


class Signalling(asyncio.DatagramProtocol):
    """Drives a `UserAgent` on a UDP socket.

    After anything was done with the user agent or one of its calls, `settle` must follow; `now` is
    the time to give them.
    """

    def __init__(self, agent: UserAgent, on_event: OnEvent) -> None:
        self._agent, self._on_event = agent, on_event
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._local: tuple[str, int] = ("", 0)
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._settling = False
        self._lookups: set[asyncio.Task[None]] = set()

    @property
    def agent(self) -> UserAgent:
        return self._agent

    def now(self) -> float:
        """Seconds on the loop's clock, which is the core's."""
        return self._loop.time()

    def settle(self) -> None:
        """Send what is to be sent, handle what happened, set the timer."""
        if self._settling:
            return  # the loop below sees to it
        self._settling = True
        try:
            busy = True
            while busy:
                busy = False
                for data, hop in self._agent.to_send():
                    busy = True
                    self._send(data, hop)
                for event in self._agent.events():
                    busy = True
                    self._handle(event)
        finally:
            self._settling = False
        self._arm()

    def close(self) -> None:
        """Close the socket; transactions still open are forgotten."""
        if self._timer is not None:
            self._timer.cancel()
        for lookup in self._lookups:
            lookup.cancel()
        if self._transport is not None:
            self._transport.close()

    # -- asyncio's side

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._local = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("< %s:%s %s", addr[0], addr[1], _first_line(data))
        self._agent.receive_datagram(data, (addr[0], addr[1]), self._local, self.now())
        self.settle()

    def error_received(self, exc: Exception) -> None:
        """An ICMP error names no transaction; their timers find out."""
        log.debug("socket: %s", exc)

    # -- within

    def _handle(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:
            log.exception("handling %s", type(event).__name__)

    def _send(self, data: bytes, hop: Hop) -> None:
        if log.isEnabledFor(logging.DEBUG):
            log.debug("> %s:%s %s", hop.host, hop.port, _first_line(data))
        if _is_numeric(hop.host):
            self._send_to(data, hop, hop.address)
            return
        lookup = self._loop.create_task(self._look_up_and_send(data, hop))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)

    def _send_to(self, data: bytes, hop: Hop, address: tuple[str, int]) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        try:
            self._transport.sendto(data, address)
        except (OSError, ValueError) as error:
            log.debug("cannot send to %s:%s: %s", *address, error)
            self._loop.call_soon(self._failed, hop)

    async def _look_up_and_send(self, data: bytes, hop: Hop) -> None:
        try:
            found = await self._loop.getaddrinfo(hop.host, hop.port)
        except OSError:
            self._failed(hop)
            return
        self._send_to(data, hop, (str(found[0][4][0]), hop.port))

    def _failed(self, hop: Hop) -> None:
        self._agent.transport_failed(hop, self.now())
        self.settle()

    def _arm(self) -> None:
        due = self._agent.next_timer()
        if due == self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = None if due is None else self._loop.call_at(due, self._timed_out)

    def _timed_out(self) -> None:
        self._due = self._timer = None
        self._agent.handle_timer(self.now())
        self.settle()


def _is_numeric(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host.strip("[]"))
        return True
    return False


def _first_line(data: bytes) -> str:
    return data[:200].split(b"\r\n", 1)[0].decode("utf-8", "replace")
