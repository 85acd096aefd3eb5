"""SIP over TCP, with SIPp: in both roles, one connection for all calls or one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import processes
from .client import Api, Event, Events
from .server import Server, serving
from .sipp import sipp


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), SIP_TCP_ENABLED="true") as running:
        yield running


def test_tcp_has_the_port_of_udp(server: Server) -> None:
    assert server.port_of("tcp") == server.sip_port


@pytest.mark.parametrize("transport", ["t1", "tn"])
async def test_a_caller(
    server: Server, api: Api, events: Events, tmp_path: Path, transport: str
) -> None:
    async with sipp(
        "caller_hangs_up.xml", tmp_path, target=server.sip_port, transport=transport
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        assert (await events.ended(leg))["cdr"]["reason"] == "remote_bye"
        await caller.succeeded()


@pytest.mark.parametrize("transport", ["t1", "tn"])
async def test_a_caller_is_hung_up_on_over_its_connection(
    server: Server, api: Api, events: Events, tmp_path: Path, transport: str
) -> None:
    async with sipp(
        "caller_waits_for_bye.xml", tmp_path, target=server.sip_port, transport=transport
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await caller.succeeded()


async def test_a_caller_is_turned_away(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    fields = {"status": "486"}
    async with sipp(
        "caller_is_refused.xml", tmp_path, target=server.sip_port, transport="t1", fields=fields
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.delete(f"/legs/{leg}", 202, reason="busy")
        await events.ended(leg)
        await caller.succeeded()


@pytest.mark.parametrize("transport", ["t1", "tn"])
async def test_a_callee(api: Api, events: Events, tmp_path: Path, transport: str) -> None:
    async with sipp("callee_answers.xml", tmp_path, transport=transport) as callee:
        leg = await api.call(f"{callee.uri};transport=tcp")
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_a_callee_that_hangs_up(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_hangs_up.xml", tmp_path, transport="t1") as callee:
        leg = await api.call(f"{callee.uri};transport=tcp")
        assert (await events.ended(leg))["cdr"]["reason"] == "remote_bye"
        await callee.succeeded()


async def test_a_call_to_nobody_fails_at_once(api: Api, events: Events) -> None:
    port = processes.free_port()
    leg = await api.call(f"sip:nobody@127.0.0.1:{port};transport=tcp")
    assert (await events.ended(leg, within=2.0))["cdr"]["reason"] == "connect_failed"
    leg = await api.call(f"sip:nobody@127.0.0.1:{port}")
    assert (await events.ended(leg, within=2.0))["cdr"]["reason"] == "connect_failed"


LONG = {f"X-Long-{n}": "x" * 100 for n in range(12)}


async def test_a_large_request_goes_by_tcp(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_answers.xml", tmp_path, transport="t1") as callee:
        leg = await api.call(callee.uri, headers=LONG)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()
    ladder = await api.get(f"/legs/{leg}/sip")
    assert ladder["messages"][0]["transport"] == "tcp"
    assert len(ladder["messages"][0]["text"]) > 1300


async def test_a_large_request_goes_by_udp_where_nobody_takes_tcp(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        leg = await api.call(callee.uri, headers=LONG)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()
    ladder = await api.get(f"/legs/{leg}/sip")
    invites = [m["transport"] for m in ladder["messages"] if m["first_line"].startswith("INVITE")]
    assert invites == ["udp"], "nothing has left over TCP"


@pytest.mark.parametrize("transport", ["t1", "tn"])
async def test_many_calls_leave_nothing(
    server: Server, api: Api, events: Events, tmp_path: Path, transport: str
) -> None:
    answers: list[asyncio.Task[None]] = []

    def answer(event: Event) -> None:
        if event["type"] == "leg.ringing":
            work = api.post(f"/legs/{event['leg_id']}/answer", 202)
            answers.append(asyncio.create_task(work))

    events.watch(answer)
    options = {"target": server.sip_port, "calls": 60, "transport": transport}
    async with sipp("caller_hangs_up.xml", tmp_path, "-r", "30", **options) as callers:  # type: ignore[arg-type]
        assert (await callers.outcome()).successful == 60
    await asyncio.gather(*answers)
    await processes.until(lambda: processes.tcp_connections(server.sip_port) == 0, 5.0)
    opened = await api.metric("hookswitch_sip_connections_total")
    assert opened == await api.metric("hookswitch_sip_connections_lost_total")
