"""Single calls from SIPp: rung, answered, refused, cancelled, held."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .application import tidy_api
from .client import Api, Events, events_of
from .server import Server, serving
from .sipp import sipp


async def test_a_call_is_answered_and_hung_up_by_the_caller(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_hangs_up.xml", tmp_path, target=server.sip_port) as caller:
        ringing = await events.wait("leg.ringing", leg_type="sip_inbound")
        assert ringing["from"] == f"sip:sipp@127.0.0.1:{caller.port}"
        assert ringing["to"] == f"sip:service@127.0.0.1:{server.sip_port}"
        assert ringing["source_address"] == f"127.0.0.1:{caller.port}"
        assert [c["name"] for c in ringing["offered_codecs"]] == ["PCMU"]
        await api.post(f"/legs/{ringing['leg_id']}/answer", 202)
        end = await events.ended(ringing["leg_id"])
        await caller.succeeded()
    assert end["cdr"]["reason"] == "remote_bye"
    assert 0 < end["cdr"]["duration_answered"] <= end["cdr"]["duration_total"]
    types = [e["type"] for e in events.of(ringing["leg_id"])]
    assert types == ["leg.ringing", "leg.connected", "leg.disconnected"]


async def test_ringing_twice(server: Server, api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("caller_rings.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/ring", 202)
        await api.post(f"/legs/{leg}/ring", 202)
        await caller.saw("SIP/2.0 180 Ringing", times=2)
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()


async def test_early_media_then_answer(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_gets_early_media.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/early-media", 202)
        await events.wait("leg.early_media", leg_id=leg)
        assert (await api.get(f"/legs/{leg}"))["state"] == "early_media"
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await events.ended(leg)
        await caller.succeeded()


async def test_silence_counts_from_a_late_ack(tmp_path: Path) -> None:
    with serving(tmp_path, RTP_TIMEOUT="0.2") as server:
        async with (
            events_of(server.url) as events,
            tidy_api(server, events) as api,
            sipp("caller_acknowledges_late.xml", tmp_path, target=server.sip_port) as caller,
        ):
            leg = (await events.wait("leg.ringing"))["leg_id"]
            await api.post(f"/legs/{leg}/answer", 202)  # 0.4 s before it is acknowledged
            await events.wait("leg.connected", leg_id=leg)
            cdr = (await events.ended(leg))["cdr"]
            await caller.succeeded()
    assert cdr["reason"] == "rtp_timeout"
    assert cdr["duration_answered"] >= 0.1


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("busy", 486),
        ("declined", 603),
        ("rejected", 603),
        ("unavailable", 480),
        ("not_found", 404),
        ("forbidden", 403),
        ("server_error", 500),
    ],
)
@pytest.mark.parametrize("state", ["ringing", "early_media"])
async def test_a_caller_is_turned_away(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    state: str,
    reason: str,
    status: int,
) -> None:
    async with sipp(
        "caller_is_refused.xml", tmp_path, target=server.sip_port, fields={"status": str(status)}
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        if state == "early_media":
            await api.post(f"/legs/{leg}/early-media", 202)
            await events.wait("leg.early_media", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202, reason=reason)
        assert (await events.ended(leg))["cdr"]["reason"] == reason
        await caller.succeeded()


@pytest.mark.parametrize(("sdp", "status"), [("bad-address", 400), ("unknown-host", 488)])
async def test_a_call_with_nowhere_to_send_audio_to_does_not_ring(
    server: Server, api: Api, events: Events, tmp_path: Path, sdp: str, status: int
) -> None:
    async with sipp(
        "caller_is_refused.xml",
        tmp_path,
        target=server.sip_port,
        fields={"status": str(status)},
        sdp=f"sdp-{sdp}",
    ) as caller:
        await caller.succeeded()
        assert "SIP/2.0 180" not in caller.messages
    assert not [each for each in events.all if each["type"] == "leg.ringing"]


async def test_a_call_whose_audio_goes_to_a_named_host(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp(
        "caller_hangs_up.xml", tmp_path, target=server.sip_port, sdp="sdp-named-host"
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()


async def test_an_unknown_reason_changes_nothing(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_hangs_up.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        answer = await api.delete(f"/legs/{leg}", 400, reason="bored")
        assert "reason" in answer["error"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()


async def test_the_caller_gives_up(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_cancels.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/ring", 202)
        end = await events.ended(leg)
        await caller.succeeded()
    assert end["cdr"]["reason"] == "caller_cancel"
    assert end["cdr"]["duration_answered"] == 0
    await api.post(f"/legs/{leg}/answer", 404)


@pytest.mark.parametrize(
    ("body", "reason"),
    [({}, "api_hangup"), ({"reason": "busy"}, "api_hangup")],  # no reason once it is answered
)
async def test_the_server_hangs_up(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    body: dict[str, str],
    reason: str,
) -> None:
    async with sipp("caller_waits_for_bye.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202, **body)
        assert (await events.ended(leg))["cdr"]["reason"] == reason
        await caller.succeeded()


async def test_the_caller_holds_and_resumes(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_holds.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()
    changes = [e["type"] for e in events.of(leg, "leg.hold", "leg.unhold")]
    assert changes == ["leg.hold", "leg.unhold"] * 2


async def test_options(server: Server, api: Api, tmp_path: Path) -> None:
    async with sipp("options.xml", tmp_path, target=server.sip_port) as caller:
        await caller.succeeded()


async def test_many_are_turned_away_at_once(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    refusals: list[asyncio.Task[None]] = []

    def refuse(event: dict[str, str]) -> None:
        if event["type"] == "leg.ringing":
            work = api.delete(f"/legs/{event['leg_id']}", 202, reason="busy")
            refusals.append(asyncio.create_task(work))

    events.watch(refuse)
    async with sipp(
        "caller_is_refused.xml",
        tmp_path,
        *("-r", "50"),
        target=server.sip_port,
        calls=100,
        fields={"status": "486"},
    ) as callers:
        assert (await callers.outcome()).successful == 100
    await asyncio.gather(*refusals)
    assert len(refusals) == 100
