"""Single calls to SIPp: answered, refused, challenged, left ringing, held."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .application import tidy_api
from .client import Api, Events, events_of
from .server import serving
from .sipp import sipp


async def test_a_call_is_answered_and_hung_up_by_us(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        leg = await api.call(callee.uri, **{"from": "alice"})
        ringing = await events.wait("leg.ringing", leg_id=leg)
        assert ringing["uri"] == callee.uri
        assert ringing["from"].startswith("sip:alice@")
        await events.wait("leg.connected", leg_id=leg)
        assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
        await api.delete(f"/legs/{leg}", 202)
        assert (await events.ended(leg))["cdr"]["reason"] == "api_hangup"
        await callee.succeeded()


async def test_the_callee_hangs_up(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_hangs_up.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        end = await events.ended(leg)
        await callee.succeeded()
    assert end["cdr"]["reason"] == "remote_bye"
    assert 0.15 < end["cdr"]["duration_answered"] < 2


@pytest.mark.parametrize(
    ("status", "phrase", "reason"),
    [
        (302, "Moved Temporarily", "sip_302"),
        (403, "Forbidden", "forbidden"),
        (404, "Not Found", "not_found"),
        (408, "Request Timeout", "timeout"),
        (480, "Temporarily Unavailable", "unavailable"),
        (486, "Busy Here", "busy"),
        (488, "Not Acceptable Here", "not_acceptable"),
        (500, "Server Internal Error", "server_error"),
        (503, "Service Unavailable", "service_unavailable"),
        (580, "Precondition Failure", "sip_580"),
        (600, "Busy Everywhere", "busy"),
        (603, "Decline", "declined"),
    ],
)
async def test_the_callee_refuses(
    api: Api, events: Events, tmp_path: Path, status: int, phrase: str, reason: str
) -> None:
    fields = {"status": str(status), "phrase": phrase}
    async with sipp("callee_refuses.xml", tmp_path, fields=fields) as callee:
        leg = await api.call(callee.uri)
        end = await events.ended(leg)
        await callee.succeeded()
    assert end["cdr"]["reason"] == reason
    assert end["cdr"]["duration_answered"] == 0
    assert [e["type"] for e in events.of(leg)] == ["leg.ringing", "leg.disconnected"]


async def test_nobody_answers_in_time(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_rings_on.xml", tmp_path) as callee:
        leg = await api.call(callee.uri, ring_timeout=1)
        end = await events.ended(leg)
        await callee.succeeded()
    assert end["cdr"]["reason"] == "ring_timeout"
    assert 0.9 < end["cdr"]["duration_total"] < 3


async def test_we_give_up(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_rings_on.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        await callee.saw("SIP/2.0 180 Ringing")
        await api.delete(f"/legs/{leg}", 202)
        assert (await events.ended(leg))["cdr"]["reason"] == "api_hangup"
        await callee.succeeded()


async def test_early_media(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_gives_early_media.xml", tmp_path) as callee:
        leg = await api.call(callee.uri, room_id="early")
        await events.wait("leg.early_media", leg_id=leg)
        await events.wait("leg.joined_room", leg_id=leg, room_id="early")
        assert (await api.get(f"/legs/{leg}"))["state"] == "early_media"
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_nobody_has_to_speak_before_the_answer(tmp_path: Path) -> None:
    with serving(tmp_path, RTP_TIMEOUT="0.5") as server:
        async with (
            events_of(server.url) as events,
            tidy_api(server, events) as api,
            sipp("callee_gives_early_media.xml", tmp_path) as callee,  # for 0.7 s
        ):
            leg = await api.call(callee.uri)
            await events.wait("leg.early_media", leg_id=leg)
            await events.wait("leg.connected", leg_id=leg)
            cdr = (await events.ended(leg))["cdr"]
            await callee.succeeded()
    assert cdr["reason"] == "rtp_timeout"
    assert cdr["duration_answered"] >= 0.4


@pytest.mark.parametrize("qop", ["", ', qop="auth"'])
async def test_a_password_is_asked_for(api: Api, events: Events, tmp_path: Path, qop: str) -> None:
    async with sipp("callee_wants_password.xml", tmp_path, fields={"qop": qop}) as callee:
        leg = await api.call(callee.uri, auth={"username": "alice", "password": "wonderland"})
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_the_wrong_password(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_wants_password.xml", tmp_path, fields={"qop": ""}) as callee:
        leg = await api.call(callee.uri, auth={"username": "alice", "password": "queen"})
        assert (await events.ended(leg))["cdr"]["reason"] == "forbidden"
        await callee.succeeded()


async def test_no_password_to_give(api: Api, events: Events, tmp_path: Path) -> None:
    fields = {"status": "407", "phrase": "Proxy Authentication Required"}
    async with sipp("callee_refuses.xml", tmp_path, fields=fields) as callee:
        leg = await api.call(callee.uri)
        assert (await events.ended(leg))["cdr"]["reason"] == "unauthorized"
        await callee.succeeded()


async def test_a_call_has_a_longest_duration(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_answers.xml", tmp_path) as callee:
        leg = await api.call(callee.uri, max_duration=1)
        await events.wait("leg.connected", leg_id=leg)
        connected = time.monotonic()
        end = await events.ended(leg)
        assert 0.8 < time.monotonic() - connected < 2.5
        await callee.succeeded()
    assert end["cdr"]["reason"] == "max_duration"


async def test_the_callee_holds_and_resumes(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_holds.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        end = await events.ended(leg)
        await callee.succeeded()
    changes = [e["type"] for e in events.of(leg, "leg.hold", "leg.unhold")]
    assert changes == ["leg.hold", "leg.unhold"] * 2
    assert end["cdr"]["reason"] == "remote_bye"
