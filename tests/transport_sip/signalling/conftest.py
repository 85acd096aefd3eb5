"""A user agent on real sockets, and raw peers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hookswitch_transport_sip.ladder.witness import LadderWitness
from hookswitch_transport_sip.settings import SipSettings
from hookswitch_transport_sip.signalling.driver import Signalling
from hookswitch_transport_sip.signalling.listening import listen
from hookswitch_transport_sip.sip.config import Config
from hookswitch_transport_sip.sip.endpoint import UserAgent
from hookswitch_transport_sip.sip.events import Event
from hookswitch_transport_sip.sip.hop import Hop

PATIENCE = 5.0


class Station:
    """A running `Signalling` with what it reported."""

    def __init__(self, signalling: Signalling, addresses: tuple[Hop, ...]) -> None:
        self.signalling = signalling
        self.addresses = addresses
        self.events: list[Event] = []
        self._news = asyncio.Event()

    @property
    def agent(self) -> UserAgent:
        return self.signalling.agent

    def port(self, transport: str = "TCP") -> int:
        return next(hop.port for hop in self.addresses if hop.transport == transport)

    def take(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()

    async def event(self, kind: type[Event]) -> Any:
        """The first event of a kind, now or to come."""
        async with asyncio.timeout(PATIENCE):
            while not (found := [e for e in self.events if isinstance(e, kind)]):
                self._news.clear()
                await self._news.wait()
        return found[0]

    async def counted(self, counter: str, times: int = 1) -> None:
        """Wait until something was counted."""
        async with asyncio.timeout(PATIENCE):
            while self.signalling.counters.get(counter, 0) < times:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.005)


@asynccontextmanager
async def station(**settings: Any) -> AsyncIterator[Station]:
    """Run one with these settings; afterwards nothing may be left of it."""
    values = {"sip_port": 0, "sip_tls_port": 0, "sip_tcp_enabled": True, **settings}
    loaded = SipSettings(**values)
    listeners = listen(loaded)
    addresses = tuple(listeners.addresses)
    agent = UserAgent(Config(loaded.announced_ip, addresses[0].port, addresses))
    signalling = Signalling(
        agent, lambda event: running.take(event), loaded, LadderWitness(0, False)
    )
    running = Station(signalling, addresses)
    await signalling.open(listeners)
    try:
        yield running
    finally:
        await signalling.close()
