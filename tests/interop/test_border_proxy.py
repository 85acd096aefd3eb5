"""A proxy between phones and the server, which changes the transport and stays in the route."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sound import level

from .baresip import RATE, baresip
from .border import border
from .client import Api, Events
from .server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), SIP_TCP_ENABLED="true") as running:
        yield running


async def all_by_tcp(api: Api, leg: str, port: int) -> list[str]:
    """What went over the wire, all of it between the proxy and us, over TCP."""
    messages = (await api.get(f"/legs/{leg}/sip"))["messages"]
    assert {m["transport"] for m in messages} == {"tcp"}
    invite, *_ = messages
    if invite["direction"] == "received":
        assert invite["text"].count("Record-Route") == 2
    else:
        assert invite["remote"] == f"127.0.0.1:{port}"
    return [f"{m['direction']} {m['first_line'].split()[0]}" for m in messages]


async def test_a_phone_behind_the_proxy_calls(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        border(tmp_path / "border", server.sip_port) as port,
        baresip(tmp_path / "alice", 425.0) as alice,
    ):
        await alice.dial(f"sip:inside@127.0.0.1:{port}")
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await alice.wait("CALL_CLOSED")
        assert "sent BYE" in await all_by_tcp(api, leg, port)


async def test_a_phone_behind_the_proxy_is_called_and_heard(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        border(tmp_path / "border", server.sip_port) as port,
        baresip(tmp_path / "alice", 425.0) as alice,
        baresip(tmp_path / "bob", 1030.0) as bob,
    ):
        proxy = f"sip:127.0.0.1:{port};transport=tcp"
        legs = []
        for phone in (alice, bob):
            legs.append(await api.call(phone.uri, outbound_proxy=proxy, room_id="proxied"))
            await phone.wait("CALL_INCOMING")
            await phone.accept()
            await events.wait("leg.joined_room", leg_id=legs[-1])
        await bob.listen(0.5)
        assert abs(level(await bob.listen(1.0), 425.0, RATE) + 12) < 1
        await bob.hang_up()
        assert (await events.ended(legs[1]))["cdr"]["reason"] == "remote_bye"
        await api.delete(f"/legs/{legs[0]}", 202)
        await events.ended(legs[0])
        await alice.wait("CALL_CLOSED")
        assert "received BYE" in await all_by_tcp(api, legs[1], port)
        assert "sent BYE" in await all_by_tcp(api, legs[0], port)
