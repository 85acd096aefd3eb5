"""A network between a phone's media and the server that loses, delays, reorders and repeats."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Weather:
    """Shares of packets ``lost`` and ``repeated``, and the longest delay; each packet has its own,
    so that they overtake each other."""

    lost: float = 0.0
    repeated: float = 0.0
    delay_s: float = 0.0


GOOD, BAD = Weather(), Weather(lost=0.05, repeated=0.05, delay_s=0.2)


class _Way(asyncio.DatagramProtocol):
    """A socket of the relay: what arrives here leaves by the other one."""

    def __init__(self, weather: Weather, seed: int, spared: int) -> None:
        self._weather, self._dice, self._spared = weather, random.Random(seed), spared
        self._transport: Any = None
        self.other: _Way
        self.peer: Address | None = None
        """Who is at this side: who was heard last."""
        self.taken: list[int] = []
        self.passed: list[int] = []
        """Sequence numbers as they arrived here, and as they left by the other side."""
        self.waiting = 0
        """How many are under way."""

    @property
    def address(self) -> Address:
        host, port = self._transport.get_extra_info("sockname")
        return str(host), int(port)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.peer = addr
        self.taken.append(int.from_bytes(data[2:4], "big"))
        if len(self.taken) <= self._spared:
            self._pass(data)
            return
        weather, dice = self._weather, self._dice
        copies = 1 + (dice.random() < weather.repeated)
        if dice.random() < weather.lost:
            copies = 0
        for _ in range(copies):
            self.waiting += 1
            delay = dice.uniform(0, weather.delay_s)
            asyncio.get_running_loop().call_later(delay, self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        self.waiting -= 1
        self._pass(data)

    def _pass(self, data: bytes) -> None:
        if self.other.peer is not None and not self._transport.is_closing():
            self.other._transport.sendto(data, self.other.peer)
            self.passed.append(int.from_bytes(data[2:4], "big"))

    def close(self) -> None:
        self._transport.close()


class Relay:
    """Its two sides: the ``phone``'s and the ``server``'s."""

    def __init__(self, phone: _Way, server: _Way) -> None:
        self.phone, self.server = phone, server
        phone.other, server.other = server, phone


@asynccontextmanager
async def relay(phone: Address, weather: Weather, spared: int) -> AsyncIterator[Relay]:
    """A relay for a phone's media; the first packets of either side are ``spared``."""
    loop = asyncio.get_running_loop()
    ways = []
    for seed in (1, 2):
        _, way = await loop.create_datagram_endpoint(
            lambda seed=seed: _Way(weather, seed, spared),  # type: ignore[misc]
            local_addr=("127.0.0.1", 0),
        )
        ways.append(way)
    ways[0].peer = phone
    try:
        yield Relay(*ways)
    finally:
        for way in ways:
            way.close()
