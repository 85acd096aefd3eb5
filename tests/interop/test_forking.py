"""Calls to registered phones."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.sound import level

from .baresip import RATE, Baresip, baresip
from .client import Api, Events
from .kamailio import kamailio
from .server import Server, serving

AOR = "sip:alice@example.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_DOMAIN="example.com",
        SIP_INBOUND_REGISTER_DEFAULT="accept",
        SIP_INBOUND_AUTH_CONSULT_TIMEOUT_MS="0",
    ) as running:
        yield running


@asynccontextmanager
async def phone(
    folder: Path, server: Server, events: Events, hertz: float
) -> AsyncIterator[Baresip]:
    """One of Alice's phones, registered."""
    account = f'<{AOR}>;regint=600;outbound="sip:127.0.0.1:{server.sip_port}"'
    async with baresip(folder, hertz, registers=account) as running:
        port = port_of(running)
        await events.wait("sip.registration_active", lambda e: e["socket"].endswith(f":{port}"))
        yield running


async def test_a_phone_behind_a_proxy_is_called_along_its_path(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with kamailio(tmp_path / "edge", edge_of=server.sip_port) as edge:
        account = f'<{AOR}>;regint=600;outbound="{edge.uri}"'
        async with baresip(tmp_path / "alice", 440.0, registers=account) as alice:
            active = await events.wait("sip.registration_active")
            assert active["socket"] == f"127.0.0.1:{edge.port}"
            (binding,) = (await api.get("/sip/registrations"))["bindings"]
            assert binding["path"] == [f"<{edge.uri};lr>"]
            leg = await api.call(AOR, room_id="talk")
            await alice.wait("CALL_INCOMING")
            await alice.accept()
            await events.wait("leg.connected", leg_id=leg)
            await alice.hang_up()
            assert (await events.ended(leg))["cdr"]["reason"] == "remote_bye"
            await unregister(api)


async def unregister(api: Api) -> None:
    await api.delete(f"/sip/registrations/{AOR}", 200)


async def test_a_phone_is_called_by_its_address_of_record(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with phone(tmp_path / "alice", server, events, 440.0) as alice:
        leg = await api.call(AOR, room_id="talk")
        await alice.wait("CALL_INCOMING")
        await alice.accept()
        await events.wait("leg.connected", leg_id=leg)
        other = await api.call(AOR, room_id="talk")
        await alice.wait("CALL_INCOMING", 2)
        await api.delete(f"/legs/{other}", 202)
        await alice.wait("CALL_CLOSED")
        await alice.hang_up()
        end = await events.ended(leg)
        assert end["cdr"]["reason"] == "remote_bye"
        await events.ended(other)
        await unregister(api)


def port_of(phone: Baresip) -> str:
    return phone.uri.rpartition(":")[2]


async def steps(api: Api, leg: str) -> list[tuple[str, str]]:
    """The ladder without provisional responses: the other side's port, and what goes to or fro."""
    found = []
    for message in (await api.get(f"/legs/{leg}/sip"))["messages"]:
        status = message["first_line"].removeprefix("SIP/2.0 ").split()[0]
        method = re.search(r"\r\nCSeq: \d+ (\w+)", message["text"])
        assert method is not None
        if not re.match("1..$", status):
            step = f"{status} {method[1]}" if status.isdigit() else status
            found.append((message["remote"].rpartition(":")[2], step))
    return found


async def test_of_two_phones_one_answers_and_the_other_stops_ringing(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        phone(tmp_path / "desk", server, events, 440.0) as desk,
        phone(tmp_path / "mobile", server, events, 1030.0) as mobile,
        baresip(tmp_path / "bob", 1735.0) as bob,
    ):
        caller = await api.call(bob.uri, room_id="talk")
        await bob.wait("CALL_INCOMING")
        await bob.accept()
        leg = await api.call(AOR, room_id="talk", **{"from": "bob"})
        await asyncio.gather(desk.wait("CALL_INCOMING"), mobile.wait("CALL_INCOMING"))
        await mobile.accept()
        await events.wait("leg.connected", leg_id=leg)
        await desk.wait("CALL_CLOSED")
        running = await steps(api, leg)
        await bob.listen(0.5)
        heard = await bob.listen(1)
        assert level(heard, 1030.0, RATE) == pytest.approx(-12, abs=1)
        assert level(heard, 440.0, RATE) < -50
        await api.delete(f"/legs/{leg}", 202)
        await mobile.wait("CALL_CLOSED")
        assert (await events.ended(leg))["cdr"]["reason"] == "api_hangup"
        await api.delete(f"/legs/{caller}", 202)
        await events.ended(caller)
        await unregister(api)
    ended = await steps(api, leg)
    assert ended[: len(running)] == running
    assert [step for port, step in ended if port == port_of(mobile)] == [
        "INVITE", "200 INVITE", "ACK", "BYE", "200 BYE",
    ]  # fmt: skip
    assert [step for port, step in ended if port == port_of(desk)] == [
        "INVITE", "CANCEL", "200 CANCEL", "487 INVITE", "ACK",
    ]  # fmt: skip
    assert {port for port, step in running if step == "INVITE"} == {port_of(mobile), port_of(desk)}
    assert len(ended) == 10
    types = [e["type"] for e in events.of(leg)]
    assert types.count("leg.ringing") == types.count("leg.connected") == 1


async def test_both_refuse(server: Server, api: Api, events: Events, tmp_path: Path) -> None:
    async with (
        phone(tmp_path / "desk", server, events, 440.0) as desk,
        phone(tmp_path / "mobile", server, events, 1030.0) as mobile,
    ):
        leg = await api.call(AOR)
        await asyncio.gather(desk.wait("CALL_INCOMING"), mobile.wait("CALL_INCOMING"))
        await desk.hang_up()
        await desk.wait("CALL_CLOSED")
        assert (await api.get(f"/legs/{leg}"))["state"] == "ringing"
        await mobile.hang_up()
        assert (await events.ended(leg))["cdr"]["reason"] == "busy"
        await unregister(api)


async def test_nobody_answers_in_time(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        phone(tmp_path / "desk", server, events, 440.0) as desk,
        phone(tmp_path / "mobile", server, events, 1030.0) as mobile,
    ):
        leg = await api.call(AOR, ring_timeout=1)
        assert (await events.ended(leg))["cdr"]["reason"] == "ring_timeout"
        await asyncio.gather(desk.wait("CALL_CLOSED"), mobile.wait("CALL_CLOSED"))
        await unregister(api)
