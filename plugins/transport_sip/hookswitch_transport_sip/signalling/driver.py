"""Sockets and the clock around the SIP core: messages in, messages out, timers, names."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Protocol

from hookswitch_transport_sip.settings import SipSettings
from hookswitch_transport_sip.sip.core import LookUp
from hookswitch_transport_sip.sip.endpoint import UserAgent
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.events import Event
from hookswitch_transport_sip.sip.framing import is_keep_alive
from hookswitch_transport_sip.sip.hop import Hop, Target
from hookswitch_transport_sip.sip.locating import locate

from .connections import Connections, Limits
from .listening import Listeners
from .resolver import Resolver
from .tls import tls_contexts
from .udp import UdpSocket

log = logging.getLogger(__name__)

OnEvent = Callable[[Event], None]


class Witness(Protocol):
    """Who sees every message."""

    def saw(self, data: bytes, hop: Hop, *, sent: bool) -> None:
        """A message came from a hop or has left for it."""


class Signalling:
    """Drives a `UserAgent` on all its sockets.

    After anything was done with the user agent or one of its calls, `settle` must follow; `now` is
    the time to give them.
    """

    def __init__(
        self, agent: UserAgent, on_event: OnEvent, settings: SipSettings, witness: Witness
    ) -> None:
        self._agent, self._on_event, self._witness = agent, on_event, witness
        self._loop = asyncio.get_running_loop()
        self._resolver = Resolver(settings.sip_dns_servers)
        limits = Limits(
            settings.sip_connect_timeout, settings.sip_idle_timeout, settings.sip_max_connections
        )
        local_ips = [way.listen for way in settings.ways]
        self._connections = Connections(self, limits, local_ips, tls_contexts(settings))
        self._udp: dict[bool, UdpSocket] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._settling = False
        self._look_ups: set[asyncio.Task[None]] = set()

    @property
    def agent(self) -> UserAgent:
        return self._agent

    @property
    def counters(self) -> Mapping[str, int]:
        """What the core counted, and what became of connections."""
        return {**self._agent.counters, **self._connections.counters}

    def now(self) -> float:
        """Seconds on the loop's clock, which is the core's."""
        return self._loop.time()

    async def open(self, listeners: Listeners) -> None:
        """Begin to receive."""
        for transport, bound in listeners.sockets:
            if transport == "UDP":
                receiver = UdpSocket(bound, self.received_datagram, self.settle, self.lost)
                self._udp[":" in bound.getsockname()[0]] = receiver
            else:
                await self._connections.listen(bound, transport)

    async def close(self) -> None:
        """Close all sockets; transactions still open are forgotten."""
        if self._timer is not None:
            self._timer.cancel()
        look_ups = list(self._look_ups)
        for look_up in look_ups:
            look_up.cancel()
        await asyncio.gather(*look_ups, return_exceptions=True)
        await self._resolver.close()
        await self._connections.close()
        for receiver in self._udp.values():
            receiver.close()
        self._udp.clear()

    async def locate(self, target: Target) -> list[Hop]:
        """The hops of a target now, in order, none if it has none."""
        questions = locate(target, self._agent.config.local, random.Random())
        return await self._resolver.locate(questions)

    def settle(self) -> None:
        """Send what is to be sent, look up names, handle what happened, set the timer."""
        if self._settling:
            return  # the loop below sees to it
        self._settling = True
        try:
            while self._settle_once():
                pass
        finally:
            self._settling = False
        self._arm()

    def _settle_once(self) -> bool:
        """One round; tells whether there was anything to do."""
        agent, busy = self._agent, False
        for data, hop in agent.to_send():
            busy = True
            self._send(data, hop)
        for look_up in agent.look_ups():
            busy = True
            task = self._loop.create_task(self._look_up(look_up))
            self._look_ups.add(task)
            task.add_done_callback(self._look_ups.discard)
        for event in agent.events():
            busy = True
            self._handle(event)
        return busy

    # -- what sockets and connections tell

    def received_datagram(self, data: bytes, hop: Hop) -> None:
        """A datagram; `settle` follows."""
        if not is_keep_alive(data):
            self._witness.saw(data, hop, sent=False)
        self._agent.receive_datagram(data, hop.address, ("", 0), self.now())

    def received(self, data: bytes, hop: Hop) -> None:
        self._witness.saw(data, hop, sent=False)
        self._agent.receive_message(data, hop, self.now())
        self.settle()

    def sent(self, data: bytes, hop: Hop) -> None:
        self._witness.saw(data, hop, sent=True)

    def broken(self, data: bytes, error: ParseError, hop: Hop) -> None:
        self._agent.receive_garbage(data, hop, error, self.now())
        self.settle()

    def failed(self, hop: Hop) -> None:
        self._agent.transport_failed(hop, self.now())
        self.settle()

    def lost(self, hop: Hop) -> None:
        self._agent.hop_lost(hop, self.now())
        self.settle()

    def relies_on(self, hop: Hop) -> bool:
        return self._agent.relies_on(hop)

    # -- within

    def _handle(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:
            log.exception("handling %s", type(event).__name__)

    def _send(self, data: bytes, hop: Hop) -> None:
        if hop.reliable:
            self._connections.send(data, hop)
            return
        receiver = self._udp.get(hop.is_ipv6)
        if receiver is not None and receiver.send(data, hop):
            self.sent(data, hop)
        else:
            self._loop.call_soon(self.failed, hop)

    async def _look_up(self, look_up: LookUp) -> None:
        try:
            hops = await self._resolver.locate(look_up.questions)
        except Exception:
            log.exception("looking up %s", look_up.target.host)
            hops = []
        self._agent.found(look_up, hops, self.now())
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
