"""Trunks to a registrar nobody here wrote: registered, called out through, called in through."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sound import level

from . import processes
from .baresip import RATE, Baresip, baresip
from .client import Api, Events, api_of, events_of
from .kamailio import PASSWORD, Kamailio, kamailio
from .server import Server, serving
from .sipp import sipp

UNAVAILABLE = {"status": "503", "phrase": "Service Unavailable"}
BUSY = {"status": "486", "phrase": "Busy Here"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_OUTBOUND_REGISTRATION_FAILURE_BACKOFF_MAX_MS="500",
        SIP_TRUST_HEADERS_FROM="trunks",
    ) as running:
        yield running


async def trunk_to(api: Api, pbx: Kamailio, **fields: Any) -> str:
    """A trunk that registers there as ``switch``."""
    body = {"registrar_uri": pbx.uri, "aor": pbx.user("switch"), "password": PASSWORD, **fields}
    answer = await api.post("/sip/trunks", 202, type="sip_register", sip_register=body)
    assert answer["status"] == "registering"
    return str(answer["id"])


async def gone(api: Api, events: Events, trunk: str) -> None:
    """Take a trunk away; it must unregister."""
    await api.delete(f"/sip/trunks/{trunk}", 202)
    await events.wait("sip.outbound_registration_expired", trunk_id=trunk, reason="unregistered")
    await api.get(f"/sip/trunks/{trunk}", 404)


@asynccontextmanager
async def phone_of(pbx: Kamailio, folder: Path, hertz: float) -> AsyncIterator[Baresip]:
    """A phone registered there."""
    account = f"<{pbx.user(folder.name)}>;regint=60"
    async with baresip(folder, hertz, registers=account) as phone:
        yield phone


async def test_calls_go_out_and_come_in_through_a_registration(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        kamailio(tmp_path / "pbx") as pbx,
        phone_of(pbx, tmp_path / "bob", 440.0) as bob,
    ):
        trunk = await trunk_to(api, pbx)
        active = await events.wait("sip.outbound_registration_active", trunk_id=trunk)
        assert active["source_address"] == f"127.0.0.1:{pbx.port}"
        shown = await api.get(f"/sip/trunks/{trunk}")
        assert shown["status"] == "active"
        assert PASSWORD not in str(shown)
        assert "password" not in str(await api.get("/sip/trunks"))
        # out, by the trunk's id and a bare number
        leg = await api.call("bob", trunk=trunk, room_id="talk")
        assert (await events.wait("leg.ringing", leg_id=leg))["trunk_id"] == trunk
        await bob.wait("CALL_INCOMING")
        await bob.accept()
        await events.wait("leg.connected", leg_id=leg)
        # in, to the same phone's other line
        await bob.dial(pbx.user("switch"))
        ringing = await events.wait("leg.ringing", leg_type="sip_inbound")
        assert ringing["trunk_id"] == trunk
        inbound = ringing["leg_id"]
        assert (await api.get(f"/legs/{inbound}"))["trunk_id"] == trunk
        await api.post(f"/legs/{inbound}/answer", 202)
        await events.wait("leg.connected", leg_id=inbound)
        await api.post("/rooms/talk/legs", 200, leg_id=inbound)
        heard = await bob.listen(1)
        assert level(heard, 440.0, RATE) > -20, "itself, over both legs"
        for call in (inbound, leg):
            await api.delete(f"/legs/{call}", 202)
            await events.ended(call)
        await gone(api, events, trunk)


async def test_a_call_from_the_trunks_user_goes_through_the_trunk(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        kamailio(tmp_path / "pbx") as pbx,
        phone_of(pbx, tmp_path / "bob", 440.0) as bob,
    ):
        trunk = await trunk_to(api, pbx)
        await events.wait("sip.outbound_registration_active", trunk_id=trunk)
        leg = await api.call(pbx.user("bob"), **{"from": "switch"})
        await bob.wait("CALL_INCOMING")
        assert "switch@127.0.0.1" in str(bob.events[-1]["peeruri"])
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        # whom the PBX does not know
        leg = await api.call("nobody", trunk=trunk)
        assert (await events.ended(leg))["cdr"]["reason"] == "not_found"
        await gone(api, events, trunk)


async def test_all_goes_by_the_outbound_proxy(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """The registrar's own name leads nowhere."""
    async with (
        kamailio(tmp_path / "pbx") as pbx,
        phone_of(pbx, tmp_path / "bob", 440.0) as bob,
    ):
        trunk = await trunk_to(
            api,
            pbx,
            registrar_uri="sip:pbx.invalid",
            aor="sip:switch@pbx.invalid",
            outbound_proxy=pbx.uri,
            contact_user="line-7",
        )
        active = await events.wait("sip.outbound_registration_active", trunk_id=trunk)
        assert active["contact"].startswith("sip:line-7@")
        leg = await api.call("sip:bob@pbx.invalid", **{"from": "sip:switch@pbx.invalid"})
        await bob.wait("CALL_INCOMING")
        await bob.accept()
        await events.wait("leg.connected", leg_id=leg)
        await bob.hang_up()
        await events.ended(leg)
        await bob.dial(pbx.user("switch"))
        ringing = await events.wait("leg.ringing", leg_type="sip_inbound")
        assert ringing["trunk_id"] == trunk
        await api.delete(f"/legs/{ringing['leg_id']}", 202)
        await events.ended(ringing["leg_id"])
        await gone(api, events, trunk)


async def test_it_is_refreshed_with_nonces_that_grow_old(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with kamailio(tmp_path / "pbx", nonce_seconds=1) as pbx:
        trunk = await trunk_to(api, pbx, expires_seconds=3)
        active = await events.wait("sip.outbound_registration_active", trunk_id=trunk)
        assert active["granted_expires_seconds"] == 3
        for _ in range(2):
            active = await events.wait(
                "sip.outbound_registration_active", trunk_id=trunk, after=active
            )
        await gone(api, events, trunk)
    told = [e["type"] for e in events.all if e.get("trunk_id") == trunk]
    assert "sip.outbound_registration_failed" not in told


async def test_too_short_for_the_registrar(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with kamailio(tmp_path / "pbx", min_expires=120) as pbx:
        trunk = await trunk_to(api, pbx, expires_seconds=60)
        active = await events.wait("sip.outbound_registration_active", trunk_id=trunk)
        assert active["granted_expires_seconds"] == 120
        await gone(api, events, trunk)


async def test_a_wrong_password(server: Server, api: Api, events: Events, tmp_path: Path) -> None:
    async with kamailio(tmp_path / "pbx") as pbx:
        trunk = await trunk_to(api, pbx, password="guessed")
        failed = await events.wait("sip.outbound_registration_failed", trunk_id=trunk)
        assert failed["status_code"] == 401
        shown = await api.get(f"/sip/trunks/{trunk}")
        assert (shown["status"], shown["last_error"]) == ("failed", "401 Unauthorized")
        await api.delete(f"/sip/trunks/{trunk}", 202)
        await api.get(f"/sip/trunks/{trunk}", 404)


async def test_a_registrar_that_goes_and_comes_back(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("registrar_breaks.xml", tmp_path) as registrar:
        body: dict[str, Any] = {"registrar_uri": f"sip:127.0.0.1:{registrar.port}"}
        body |= {
            "aor": f"sip:switch@127.0.0.1:{registrar.port}",
            "expires_seconds": 2,
            "password": PASSWORD,
        }
        answer = await api.post("/sip/trunks", 202, type="sip_register", sip_register=body)
        trunk = answer["id"]
        await events.wait("sip.outbound_registration_active", trunk_id=trunk)
        failed = await events.wait("sip.outbound_registration_failed", trunk_id=trunk)
        assert failed["status_code"] == 503
        lapsed = await events.wait("sip.outbound_registration_expired", trunk_id=trunk)
        assert lapsed["reason"] == "refresh_failed"
        assert (await registrar.outcome()).successful == 1
    async with kamailio(tmp_path / "pbx", port=registrar.port):
        await events.wait("sip.outbound_registration_active", trunk_id=trunk, after=lapsed)
        await gone(api, events, trunk)


async def peer(api: Api, *addresses: str, **fields: Any) -> str:
    """A trunk to these addresses."""
    body = {"addresses": addresses, **fields}
    answer = await api.post("/sip/trunks", 202, type="peer", peer=body)
    return str(answer["id"])


def nowhere() -> str:
    """An address nobody answers at."""
    return f"sip:127.0.0.1:{processes.free_port()}"


async def steps(api: Api, leg: str) -> list[tuple[str, str]]:
    """The ladder without provisional responses: the other side, and what goes to or fro."""
    messages = (await api.get(f"/legs/{leg}/sip"))["messages"]
    assert messages == sorted(messages, key=lambda m: m["timestamp"])
    short = [(m["remote"], m["first_line"].partition("@")[0][:11]) for m in messages]
    return [step for step in short if not step[1].startswith("SIP/2.0 1")]


async def test_a_call_finds_the_address_that_works(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        sipp(
            "callee_refuses.xml", tmp_path, fields={"status": "503", "phrase": "Broken"}
        ) as broken,
        baresip(tmp_path / "bob", 440.0) as bob,
    ):
        dead = nowhere()
        trunk = await peer(
            api, dead, f"sip:127.0.0.1:{broken.port}", bob.uri, options_interval_seconds=0
        )
        leg = await api.call("bob", trunk=trunk)
        await bob.wait("CALL_INCOMING")
        await broken.succeeded()
        await bob.accept()
        await events.wait("leg.connected", leg_id=leg)
        running = await steps(api, leg)
        await bob.hang_up()
        await events.ended(leg)
        ended = await steps(api, leg)
        its, bobs = f"127.0.0.1:{broken.port}", bob.uri.partition("@")[2]
        assert running == [
            (dead.removeprefix("sip:"), "INVITE sip:"),
            (its, "INVITE sip:"),
            (its, "SIP/2.0 503"),
            (its, "ACK sip:bob"),
            (bobs, "INVITE sip:"),
            (bobs, "SIP/2.0 200"),
            (bobs, "ACK sip:bob"),
        ]
        assert ended == [*running, (bobs, "BYE sip:hoo"), (bobs, "SIP/2.0 200")]
        # and in: whoever calls from there is the trunk
        await bob.dial(f"sip:service@127.0.0.1:{server.sip_port}")
        ringing = await events.wait("leg.ringing", leg_type="sip_inbound")
        assert ringing["trunk_id"] == trunk
        await api.delete(f"/legs/{ringing['leg_id']}", 202)
        await events.ended(ringing["leg_id"])
        # what failed once is not waited for again
        shown = await api.get(f"/sip/trunks/{trunk}")
        assert [a["status"] for a in shown["peer"]["addresses"]] == ["down", "down", "unknown"]
        leg = await api.call("bob", trunk=trunk)
        await bob.wait("CALL_INCOMING", 2, within=4.0)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await api.delete(f"/sip/trunks/{trunk}", 202)


async def test_who_refuses_a_call_is_not_passed_over(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        sipp("callee_refuses.xml", tmp_path, fields=BUSY) as busy,
        baresip(tmp_path / "bob", 440.0) as bob,
    ):
        addresses = [f"sip:127.0.0.1:{busy.port}", bob.uri]
        trunk = await peer(api, *addresses, options_interval_seconds=0)
        leg = await api.call("bob", trunk=trunk)
        assert (await events.ended(leg))["cdr"]["reason"] == "busy"
        assert not [e for e in bob.events if e["type"] == "CALL_INCOMING"]
        await api.delete(f"/sip/trunks/{trunk}", 202)


async def test_an_address_that_is_down_is_skipped(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    dead = nowhere()
    async with kamailio(tmp_path / "pbx") as pbx, phone_of(pbx, tmp_path / "bob", 440.0) as bob:
        trunk = await peer(api, dead, pbx.uri, options_interval_seconds=0.2)
        up = await events.wait("sip.trunk_up", trunk_id=trunk)
        assert up["address"] == pbx.uri
        down = await events.wait("sip.trunk_down", trunk_id=trunk)
        assert (down["address"], down["available"]) == (dead, 1)
        shown = await api.get(f"/sip/trunks/{trunk}")
        assert [a["status"] for a in shown["peer"]["addresses"]] == ["down", "up"]
        leg = await api.call("bob", trunk=trunk)
        await bob.wait("CALL_INCOMING", within=4.0)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await api.delete(f"/sip/trunks/{trunk}", 202)


async def test_a_trunk_may_choose_its_application(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    trunk = await peer(api, "sip:127.0.0.1:9", options_interval_seconds=0)
    fields = {"status": "486"}
    async with sipp(
        "caller_of_shop.xml", tmp_path, target=server.sip_port, fields=fields
    ) as caller:
        ringing = await events.wait("leg.ringing")
        assert (ringing["trunk_id"], ringing["app_id"]) == (trunk, "shop")
        await api.delete(f"/legs/{ringing['leg_id']}", 202, reason="busy")
        await events.ended(ringing["leg_id"])
        await caller.succeeded()
    await api.delete(f"/sip/trunks/{trunk}", 202)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "type"),
        ({"type": "ip_ip"}, "type"),
        ({"type": "sip_register"}, "sip_register"),
        ({"type": "peer", "peer": {"addresses": []}}, "peer.addresses"),
        ({"type": "peer", "peer": {"addresses": ["tel:1"]}}, "peer.addresses"),
        ({"type": "sip_register", "sip_register": {"aor": "sip:h"}}, "sip_register.aor"),
        ({"type": "sip_register", "sip_register": {"aor": "sip:a@h"}}, "sip_register.password"),
    ],
)
async def test_a_trunk_that_makes_no_sense(
    server: Server, api: Api, body: dict[str, Any], field: str
) -> None:
    answer = await api.post("/sip/trunks", 400, **body)
    assert field in answer["error"]
    await api.post("/legs", 400, type="sip", to="bob", trunk="none")


async def test_trunks_survive_a_restart(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        async with kamailio(tmp_path / "pbx") as pbx:
            server.start()
            async with api_of(server.url) as api, events_of(server.url) as events:
                trunk = await trunk_to(api, pbx)
                active = await events.wait("sip.outbound_registration_active", trunk_id=trunk)
            server.kill()
            server.start()
            async with api_of(server.url) as api, events_of(server.url, "?after=0") as events:
                await events.wait("sip.outbound_registration_active", trunk_id=trunk, after=active)
                shown = await api.get(f"/sip/trunks/{trunk}")
                assert shown["sip_register"]["aor"] == pbx.user("switch")
            server.stop()  # and unregisters
            kept = tmp_path / "data" / "sip.sqlite3"
            assert kept.stat().st_mode & 0o777 == 0o600
            with sqlite3.connect(kept) as db:
                assert db.execute("SELECT count(*) FROM trunks").fetchone() == (1,)
            db.close()
    finally:
        server.close()
