"""Transfers (RFC 3515, 3891) with SIPp in both roles, and of phones, heard."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.sound import level

from .application import tidy_api
from .baresip import RATE, Baresip, baresip, call_in
from .client import Api, Events, events_of
from .server import Server, serving
from .sipp import Sipp, sipp

CAROL = "sip:carol@127.0.0.1:9"


async def connected(api: Api, events: Events, callee: Sipp, **fields: Any) -> str:
    leg = await api.call(callee.uri, **fields)
    await events.wait("leg.connected", leg_id=leg)
    return leg


def told(events: Events, leg: str) -> list[tuple[str, int | None]]:
    """What was told of a leg's transfers, with status codes."""
    mine = [e for e in events.of(leg) if e["type"].startswith("leg.transfer_")]
    return [(e["type"].removeprefix("leg.transfer_"), e.get("status_code")) for e in mine]


# -- asked for by us


@pytest.mark.parametrize("target", [CAROL, "sips:carol@127.0.0.1", f"{CAROL};transport=tcp"])
async def test_a_callee_is_transferred(
    api: Api, events: Events, tmp_path: Path, target: str
) -> None:
    """By whatever transport: it is the callee who calls there."""
    fields = {"refer-to": f"&lt;{target}&gt;"}
    async with sipp("callee_is_transferred.xml", tmp_path, fields=fields) as callee:
        leg = await connected(api, events, callee)
        answer = await api.post(f"/legs/{leg}/transfer", 202, target=target)
        assert answer["status"] == "transfer_initiated"
        initiated = await events.wait("leg.transfer_initiated", leg_id=leg)
        assert (initiated["kind"], initiated["target"]) == ("blind", target)
        assert (await events.ended(leg))["cdr"]["reason"] == "transfer_completed"
        await callee.succeeded()
    progress = [("progress", 100), ("progress", 180)]
    assert told(events, leg) == [("initiated", None), *progress, ("completed", 200)]


async def test_a_callee_takes_the_place_of_another_leg(
    api: Api, events: Events, tmp_path: Path
) -> None:
    fields = {"refer-to": r"&lt;sip:sipp@127.0.0.1:[0-9]+\?Replaces=[^;]*%3Bto-tag%3D"}
    async with (
        sipp("callee_is_transferred.xml", tmp_path, fields=fields) as callee,
        sipp("callee_answers.xml", tmp_path) as colleague,
    ):
        leg = await connected(api, events, callee)
        other = await connected(api, events, colleague)
        body = {"target": colleague.uri, "replaces_leg_id": other}
        await api.post(f"/legs/{leg}/transfer", 202, **body)
        initiated = await events.wait("leg.transfer_initiated", leg_id=leg)
        assert (initiated["kind"], initiated["replaces_leg_id"]) == ("attended", other)
        for each in (leg, other):
            assert (await events.ended(each))["cdr"]["reason"] == "transfer_completed"
        await callee.succeeded()
        await colleague.succeeded()


async def test_a_transfer_that_fails_leaves_the_call(
    api: Api, events: Events, tmp_path: Path
) -> None:
    fields = {"refer-to": "carol"}
    async with sipp("callee_fails_to_transfer.xml", tmp_path, fields=fields) as callee:
        leg = await connected(api, events, callee)
        await api.post(f"/legs/{leg}/transfer", 202, target=CAROL)
        failed = await events.wait("leg.transfer_failed", leg_id=leg)
        assert (failed["status_code"], failed["reason"]) == (486, "Busy Here")
        assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_a_callee_refuses_to_be_transferred(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_refuses_transfer.xml", tmp_path) as callee:
        leg = await connected(api, events, callee)
        await api.post(f"/legs/{leg}/transfer", 202, target=CAROL)
        failed = await events.wait("leg.transfer_failed", leg_id=leg)
        assert (failed["status_code"], failed["error"]) == (603, "the REFER was refused")
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_the_outcome_is_heard_after_the_call(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_hangs_up_when_transferred.xml", tmp_path) as callee:
        leg = await connected(api, events, callee)
        await api.post(f"/legs/{leg}/transfer", 202, target=CAROL)
        assert (await events.ended(leg))["cdr"]["reason"] == "remote_bye"
        await events.wait("leg.transfer_completed", leg_id=leg)
        await callee.succeeded()


async def test_targets_that_are_none(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        leg = await connected(api, events, callee)
        for target in ("sip:", "bob", "http://example.com", "tel:+15551234567", ""):
            answer = await api.post(f"/legs/{leg}/transfer", 400, target=target)
            assert "target" in answer["error"]
        await api.post(f"/legs/{leg}/transfer", 409, target=CAROL, replaces_leg_id=leg)
        await api.post(f"/legs/{leg}/transfer/accept", 409)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


# -- asked for by the peer, decided by the application


async def requested(api: Api, events: Events, scenario_target: str = CAROL) -> str:
    leg = str((await events.wait("leg.ringing", leg_type="sip_inbound"))["leg_id"])
    await api.post(f"/legs/{leg}/answer", 202)
    request = await events.wait("leg.transfer_requested", leg_id=leg)
    assert (request["kind"], request["target"]) == ("blind", scenario_target)
    return leg


def transferring(final: str, target: str = CAROL, pause: int = 1, linger: int = 1) -> Any:
    return {"refer-to": f"<{target}>", "final": final, "pause": str(pause), "linger": str(linger)}


async def test_the_application_carries_out_a_transfer(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    fields = transferring("200 OK")
    async with sipp("caller_transfers.xml", tmp_path, target=server.sip_port, fields=fields) as it:
        leg = await requested(api, events)
        path = f"/legs/{leg}/transfer"
        assert (await api.post(f"{path}/accept", 202))["status"] == "transfer_accepted"
        await api.post(f"{path}/accept", 409)
        await api.post(f"{path}/progress", 202, status_code=180)
        await it.saw("180 Ringing")
        await api.post(f"{path}/complete", 202, success=True)
        assert (await events.ended(leg))["cdr"]["reason"] == "remote_bye"
        await it.succeeded()
    assert told(events, leg) == [("requested", None), ("progress", 180), ("completed", 200)]


@pytest.mark.parametrize(
    ("decision", "body", "final"),
    [
        ("complete", {"success": False, "status_code": 486}, "486 Busy Here"),
        ("complete", {"success": False, "reason": "Gone home"}, "503 Gone home"),
        ("decline", {}, "603 Decline"),
        ("decline", {"code": 403, "reason": "Not you"}, "403 Not you"),
        (None, {}, "603 Decline"),
    ],
)
async def test_a_transfer_comes_to_nothing(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    decision: str | None,
    body: dict[str, Any],
    final: str,
) -> None:
    async with sipp(
        "caller_transfers_in_vain.xml",
        tmp_path,
        target=server.sip_port,
        fields=transferring(final),
    ) as it:
        leg = await requested(api, events)
        if decision is not None:
            await api.post(f"/legs/{leg}/transfer/{decision}", 202, **body)
        failed = await events.wait("leg.transfer_failed", leg_id=leg)
        assert f"{failed['status_code']} {failed['reason']}" == final
        await events.ended(leg)
        await it.succeeded()


async def test_who_transfers_asks_for_longer_and_then_to_hear_no_more(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp(
        "caller_unsubscribes.xml", tmp_path, target=server.sip_port, fields=transferring("")
    ) as caller:
        leg = await requested(api, events)
        await events.ended(leg)
        await caller.succeeded()
    assert told(events, leg) == [("requested", None), ("failed", 603)]


async def test_transfers_that_cannot_be_asked_for(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_refers_badly.xml", tmp_path, target=server.sip_port) as caller:
        leg = str((await events.wait("leg.ringing", leg_type="sip_inbound"))["leg_id"])
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()
    assert told(events, leg) == []


# -- a call takes the place of another


def dialog_of(callee: Sipp) -> str:
    """A call from us, as a Replaces header that reaches us names it."""
    ack = callee.messages.partition("\nACK ")[2]
    call_id = re.search(r"^Call-ID: *(\S+)", ack, re.MULTILINE)
    ours = re.search(r"^From:.*;tag=(\S+)", ack, re.MULTILINE)
    theirs = re.search(r"^To:.*;tag=(\S+)", ack, re.MULTILINE)
    assert call_id
    assert ours
    assert theirs
    return f"{call_id[1]};to-tag={ours[1]};from-tag={theirs[1]}"


async def test_a_caller_takes_over_a_call(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        old = await connected(api, events, callee, room_id="desk", app_id="shop")
        await events.wait("leg.joined_room", leg_id=old)
        await api.post(f"/legs/{old}/mute", 200)
        await callee.saw("ACK sip:")
        fields = {"replaces": dialog_of(callee)}
        async with sipp(
            "caller_replaces.xml", tmp_path, target=server.sip_port, fields=fields
        ) as caller:
            joined = await events.wait("leg.joined_room", lambda e: e["leg_id"] != old)
            new = joined["leg_id"]
            assert joined["room_id"] == "desk"
            assert (await events.ended(old))["cdr"]["reason"] == "replaced"
            await callee.succeeded()
            shown = await api.get(f"/legs/{new}")
            assert (shown["type"], shown["muted"]) == ("sip_inbound", True)
            assert (shown["app_id"], shown["room_id"]) == ("shop", "desk")
            await api.delete(f"/legs/{new}", 202)
            await events.ended(new)
            await caller.succeeded()


@pytest.mark.parametrize(
    ("replaces", "status"),
    [("nobody;to-tag=1;from-tag=2", 481), ("nobody;to-tag=1", 400), ("{}1", 481),
     ("{};early-only", 486)],
)  # fmt: skip
async def test_a_caller_takes_over_nothing(
    server: Server, api: Api, events: Events, tmp_path: Path, replaces: str, status: int
) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        leg = await connected(api, events, callee)
        await callee.saw("ACK sip:")
        fields = {"replaces": replaces.format(dialog_of(callee)), "status": str(status)}
        async with sipp(
            "caller_replaces_nothing.xml", tmp_path, target=server.sip_port, fields=fields
        ) as caller:
            await caller.succeeded()
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


# -- asked for by the peer, carried out by the server


@pytest.fixture(scope="module")
def dialling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("dialling"), SIP_REFER_AUTO_DIAL="true") as running:
        yield running


@pytest_asyncio.fixture
async def heard(dialling: Server) -> AsyncIterator[Events]:
    async with events_of(dialling.url) as events:
        yield events


@pytest_asyncio.fixture
async def asked(dialling: Server, heard: Events) -> AsyncIterator[Api]:
    async with tidy_api(dialling, heard) as api:
        yield api


async def in_room(api: Api, events: Events) -> str:
    """The caller that is about to transfer, in its room."""
    leg = str((await events.wait("leg.ringing", leg_type="sip_inbound"))["leg_id"])
    await api.post("/rooms/desk/legs", 200, leg_id=leg, role="agent")
    return leg


@pytest.mark.parametrize("scenario", ["caller_transfers.xml", "caller_transfers_and_stays.xml"])
async def test_the_server_dials(
    dialling: Server, asked: Api, heard: Events, tmp_path: Path, scenario: str
) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        fields = transferring("200 OK", callee.uri, pause=300)
        async with sipp(scenario, tmp_path, target=dialling.sip_port, fields=fields) as caller:
            leg = await in_room(asked, heard)
            new = (await heard.wait("leg.connected", leg_type="sip_outbound"))["leg_id"]
            await heard.wait("leg.joined_room", leg_id=new, room_id="desk")
            await heard.wait("leg.left_room", leg_id=leg, room_id="desk")
            assert (await asked.get(f"/legs/{new}"))["role"] == "agent"
            end = await heard.ended(leg)
            await caller.succeeded()
            await asked.delete(f"/legs/{new}", 202)
            await heard.ended(new)
            await callee.succeeded()
    stays = scenario == "caller_transfers_and_stays.xml"
    assert end["cdr"]["reason"] == ("transfer_completed" if stays else "remote_bye")
    assert told(heard, leg)[0] == ("requested", None)
    assert told(heard, leg)[-1] == ("completed", 200)


async def test_the_server_dials_in_vain(
    dialling: Server, asked: Api, heard: Events, tmp_path: Path
) -> None:
    refusing = {"status": "486", "phrase": "Busy Here"}
    async with sipp("callee_refuses.xml", tmp_path, fields=refusing) as callee:
        fields = transferring("486 Busy Here", callee.uri, pause=300)
        async with sipp(
            "caller_transfers_in_vain.xml", tmp_path, target=dialling.sip_port, fields=fields
        ) as caller:
            leg = await in_room(asked, heard)
            assert (await heard.ended(leg))["cdr"]["reason"] == "remote_bye"
            await caller.succeeded()
        await callee.succeeded()
    assert told(heard, leg) == [("requested", None), ("failed", 486)]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("tel:+15550100", "target: must be a sip: URI, such as sip:alice@example.com"),
        ("sips:bob@127.0.0.1", "target: TLS is not configured (SIP_TLS_CERT)"),
        ("sip:bob@127.0.0.1;transport=tls", "target: TLS is not configured (SIP_TLS_CERT)"),
        ("sip:bob@127.0.0.1;transport=tcp", "target: TCP is not switched on (SIP_TCP_ENABLED)"),
        (
            "sip:bob@127.0.0.1;transport=tcp?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2",
            "target: TCP is not switched on (SIP_TCP_ENABLED)",
        ),
    ],
)
async def test_the_server_cannot_dial(
    dialling: Server, asked: Api, heard: Events, tmp_path: Path, target: str, why: str
) -> None:
    """Neither a number nor by a transport that is off; the phone is told, and nobody is called."""
    async with sipp(
        "caller_transfers_in_vain.xml",
        tmp_path,
        target=dialling.sip_port,
        fields=transferring("400 Bad Request", target, pause=300),
    ) as caller:
        leg = await in_room(asked, heard)
        await heard.ended(leg)
        await caller.succeeded()
    assert told(heard, leg) == [("requested", None), ("failed", 400)]
    (failed,) = heard.of(leg, "leg.transfer_failed")
    assert failed["error"] == why
    assert not any(e.get("leg_type") == "sip_outbound" for e in heard.all)


async def test_the_server_dials_to_replace_a_call_elsewhere(
    dialling: Server, asked: Api, heard: Events, tmp_path: Path
) -> None:
    replaces = "abc@elsewhere;to-tag=1;from-tag=2"
    async with sipp("callee_takes_over.xml", tmp_path, fields={"replaces": replaces}) as callee:
        uri = f"{callee.uri}?Replaces=abc%40elsewhere%3Bto-tag%3D1%3Bfrom-tag%3D2"
        fields = transferring("200 OK", uri, pause=300)
        async with sipp(
            "caller_transfers.xml", tmp_path, target=dialling.sip_port, fields=fields
        ) as caller:
            leg = await in_room(asked, heard)
            request = await heard.wait("leg.transfer_requested", leg_id=leg)
            assert (request["kind"], request["target"]) == ("attended", callee.uri)
            assert request["replaces_call_id"] == "abc@elsewhere"
            new = (await heard.wait("leg.connected", leg_type="sip_outbound"))["leg_id"]
            await heard.ended(leg)
            await caller.succeeded()
            await asked.delete(f"/legs/{new}", 202)
            await heard.ended(new)
            await callee.succeeded()


async def test_two_calls_of_one_phone_are_joined(
    dialling: Server, asked: Api, heard: Events, tmp_path: Path
) -> None:
    """The phone has both with us, so the server calls itself to take over the second one."""
    async with sipp("callee_answers.xml", tmp_path) as second:
        other = await connected(asked, heard, second, room_id="hall")
        await second.saw("ACK sip:")
        replaces = quote(dialog_of(second), safe="")
        uri = f"sip:hookswitch@127.0.0.1:{dialling.sip_port}?Replaces={replaces}"
        fields = transferring("200 OK", uri, pause=300)
        async with sipp(
            "caller_transfers_in_vain.xml", tmp_path, target=dialling.sip_port, fields=fields
        ) as first:
            leg = await in_room(asked, heard)
            assert (await heard.ended(other))["cdr"]["reason"] == "replaced"
            await heard.ended(leg)
            await first.succeeded()
        await second.succeeded()
    ends = await asked.get("/legs")
    assert {(each["type"], each["room_id"]) for each in ends} == {
        ("sip_outbound", "desk"),
        ("sip_inbound", "hall"),
    }
    await asked.delete(f"/legs/{ends[0]['id']}", 202)
    for each in ends:
        await heard.ended(each["id"])


async def test_who_transfers_may_leave_at_once(
    dialling: Server, asked: Api, heard: Events, tmp_path: Path
) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        fields = transferring("", callee.uri, pause=300)
        async with sipp(
            "caller_transfers_unheard.xml", tmp_path, target=dialling.sip_port, fields=fields
        ) as caller:
            leg = await in_room(asked, heard)
            assert (await heard.ended(leg))["cdr"]["reason"] == "remote_bye"
            await caller.succeeded()
        new = (await heard.wait("leg.connected", leg_type="sip_outbound"))["leg_id"]
        await heard.wait("leg.joined_room", leg_id=new, room_id="desk")
        await heard.wait("leg.transfer_completed", leg_id=leg)
        await asked.delete(f"/legs/{new}", 202)
        await heard.ended(new)
        await callee.succeeded()


# -- phones

ALICE, BOB, CAROLS = 1030.0, 1735.0, 2210.0


async def hears(phone: Baresip, frequency: float) -> float:
    """How loud a phone hears a tone, once what was under way has passed."""
    await phone.listen(0.5)
    return level(await phone.listen(0.5), frequency, RATE)


async def test_a_phone_transfers_and_the_others_hear_each_other(
    dialling: Server, asked: Api, heard: Events, tmp_path: Path
) -> None:
    async with (
        baresip(tmp_path / "alice", ALICE) as alice,
        baresip(tmp_path / "bob", BOB) as bob,
        baresip(tmp_path / "carol", CAROLS) as carol,
    ):
        leg = await call_in(alice, dialling.sip_port, asked, heard, "desk")
        other = await call_in(bob, dialling.sip_port, asked, heard, "desk")
        await alice.transfer(carol.uri)
        await carol.wait("CALL_INCOMING")
        await carol.accept()
        new = (await heard.wait("leg.connected", leg_type="sip_outbound"))["leg_id"]
        await heard.ended(leg)
        assert await hears(bob, CAROLS) > -15
        assert await hears(bob, ALICE) < -60
        assert await hears(carol, BOB) > -15
        await bob.hang_up()
        await carol.hang_up()
        for each in (other, new):
            await heard.ended(each)


async def test_a_phone_is_transferred_to_another(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        baresip(tmp_path / "alice", ALICE) as alice,
        baresip(tmp_path / "carol", CAROLS) as carol,
    ):
        leg = await call_in(alice, server.sip_port, api, events, "desk")
        await api.post(f"/legs/{leg}/transfer", 202, target=carol.uri)
        await carol.wait("CALL_INCOMING")
        await carol.accept()
        await events.wait("leg.transfer_completed", leg_id=leg)
        assert (await events.ended(leg))["cdr"]["reason"] == "transfer_completed"
        assert await hears(carol, ALICE) > -15
        await carol.hang_up()
