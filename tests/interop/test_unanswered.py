"""Callees that are silent until it is too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from .callee import answer
from .client import Api, Events


class Silent(asyncio.DatagramProtocol):
    """Says nothing until told to."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[str] = asyncio.Queue()
        self._transport: Any = None

    @property
    def uri(self) -> str:
        return f"sip:silent@127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._peer = addr
        self.arrived.put_nowait(data.decode())

    async def next(self, method: str) -> str:
        """The next request that is no INVITE sent again; it must be this one."""
        async with asyncio.timeout(5):
            while True:
                request = await self.arrived.get()
                name = request.partition(" ")[0]
                if name == method:
                    return request
                assert name == "INVITE", request

    def reply(self, request: str, status: str, *, session: bool = False) -> None:
        self._transport.sendto(answer(request, status, self.uri, session=session), self._peer)


@pytest_asyncio.fixture
async def silent() -> AsyncIterator[Silent]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Silent, local_addr=("127.0.0.1", 0)
    )
    yield protocol
    transport.close()


async def given_up(api: Api, events: Events, silent: Silent) -> str:
    """An INVITE that was given up before anything came back."""
    leg = await api.call(silent.uri, ring_timeout=1)
    invite = await silent.next("INVITE")
    assert (await events.ended(leg))["cdr"]["reason"] == "ring_timeout"
    while not silent.arrived.empty():  # nothing may be cancelled that nobody has acknowledged
        assert silent.arrived.get_nowait().startswith("INVITE ")
    return invite


async def test_it_rings_too_late(api: Api, events: Events, silent: Silent) -> None:
    invite = await given_up(api, events, silent)
    silent.reply(invite, "180 Ringing")
    cancel = await silent.next("CANCEL")
    silent.reply(cancel, "200 OK")
    silent.reply(invite, "487 Request Terminated")
    await silent.next("ACK")


async def test_it_answers_too_late(api: Api, events: Events, silent: Silent) -> None:
    invite = await given_up(api, events, silent)
    silent.reply(invite, "200 OK", session=True)
    await silent.next("ACK")
    bye = await silent.next("BYE")
    silent.reply(bye, "200 OK")


async def test_it_refuses_too_late(api: Api, events: Events, silent: Silent) -> None:
    invite = await given_up(api, events, silent)
    silent.reply(invite, "486 Busy Here")
    await silent.next("ACK")


async def test_it_answers_while_it_is_cancelled(api: Api, events: Events, silent: Silent) -> None:
    leg = await api.call(silent.uri)
    invite = await silent.next("INVITE")
    silent.reply(invite, "180 Ringing")
    await api.delete(f"/legs/{leg}", 202)
    cancel = await silent.next("CANCEL")
    silent.reply(invite, "200 OK", session=True)
    silent.reply(cancel, "200 OK")
    await silent.next("ACK")
    silent.reply(await silent.next("BYE"), "200 OK")
    assert (await events.ended(leg))["cdr"]["reason"] == "api_hangup"
    assert "leg.connected" not in [e["type"] for e in events.of(leg)]
