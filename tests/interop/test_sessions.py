"""UPDATE (RFC 3311), session timers (RFC 4028), caller ids and privacy with SIPp, in both roles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from .application import tidy_api
from .client import Api, Events, events_of
from .server import Server, serving
from .sipp import sipp


async def answered(api: Api, events: Events) -> str:
    leg = str((await events.wait("leg.ringing", leg_type="sip_inbound"))["leg_id"])
    await api.post(f"/legs/{leg}/answer", 202)
    await events.wait("leg.connected", leg_id=leg)
    return leg


async def test_a_caller_holds_by_update_and_asks_what_makes_no_sense(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_updates.xml", tmp_path, target=server.sip_port) as caller:
        leg = await answered(api, events)
        await events.ended(leg)
        await caller.succeeded()
    changes = [e["type"] for e in events.of(leg, "leg.hold", "leg.unhold")]
    assert changes == ["leg.hold", "leg.unhold"]


async def test_a_caller_changes_the_session_before_the_answer(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_updates_early.xml", tmp_path, target=server.sip_port) as caller:
        leg = str((await events.wait("leg.ringing", leg_type="sip_inbound"))["leg_id"])
        await api.post(f"/legs/{leg}/ring", 202)
        await caller.saw("SIP/2.0 500")
        await api.post(f"/legs/{leg}/early-media", 202)
        await caller.saw("a=recvonly")
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.hold", leg_id=leg)
        await events.ended(leg)
        await caller.succeeded()


async def test_a_callee_changes_the_session_before_its_answer_and_after(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_updates.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        await events.ended(leg)
        await callee.succeeded()
    order = ["leg.early_media", "leg.connected", "leg.hold", "leg.unhold"]
    assert [e["type"] for e in events.of(leg, *order)] == order


async def test_a_session_too_short(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_wants_short_session.xml", tmp_path, target=server.sip_port) as caller:
        leg = await answered(api, events)
        await events.ended(leg)
        await caller.succeeded()


async def test_a_callee_wants_a_longer_session(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_wants_long_session.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


@pytest.mark.parametrize(
    ("fields", "shown", "privacy", "identity"),
    [
        (
            {"from": "Alice <+15551234567>", "privacy": "id"},
            "Anonymous <sip:anonymous@anonymous.invalid>",
            "id",
            "Alice <sip:.15551234567@127.0.0.1>",
        ),
        (
            {"from": "sip:alice@example.com", "privacy": "user;id;critical"},
            "Anonymous <sip:anonymous@anonymous.invalid>",
            "critical;id;user",
            "<sip:alice@example.com>",
        ),
    ],
)
async def test_a_caller_stays_unknown(
    api: Api,
    events: Events,
    tmp_path: Path,
    fields: dict[str, str],
    shown: str,
    privacy: str,
    identity: str,
) -> None:
    seen = {"from": _quoted(shown), "privacy": privacy, "identity": _quoted(identity)}
    async with sipp("callee_sees_no_caller.xml", tmp_path, fields=seen) as callee:
        leg = await api.call(callee.uri, **fields)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


@pytest.mark.parametrize(
    ("caller", "shown"),
    [
        ("+15551234567", "<sip:.15551234567@127.0.0.1>"),
        ('"Alice, Inc." <alice>', '"Alice, Inc." <sip:alice@127.0.0.1>'),
        ("<sip:bob@example.com>", "<sip:bob@example.com>"),
        ("tel:+15551234567", "<tel:.15551234567>"),
    ],
)
async def test_a_caller_is_shown(
    api: Api, events: Events, tmp_path: Path, caller: str, shown: str
) -> None:
    fields = {"from": _quoted(shown)}
    async with sipp("callee_sees_the_caller.xml", tmp_path, fields=fields) as callee:
        leg = await api.call(callee.uri, **{"from": caller})
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_callers_that_cannot_be(api: Api) -> None:
    target = {"type": "sip", "to": "sip:bob@127.0.0.1"}
    for name, value in (
        ("from", "Alice <alice"),
        ("from", "sip:"),
        ("privacy", "id none"),
        ("privacy", "none;id"),
        ("privacy", ";"),
    ):
        answer = await api.post("/legs", 400, **target, **{name: value})
        assert name in answer["error"]


def _quoted(text: str) -> str:
    return text.replace("<", "&lt;").replace('"', "&quot;").replace(" ", ".")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Sessions of a few seconds, so that nobody has to wait for a quarter of an hour."""
    settings = {"SIP_SESSION_EXPIRES": "4", "SIP_MIN_SE": "2"}
    with serving(tmp_path_factory.mktemp("quick"), **settings) as running:
        yield running


@pytest_asyncio.fixture
async def quick_events(quick: Server) -> AsyncIterator[Events]:
    async with events_of(quick.url) as events:
        yield events


@pytest_asyncio.fixture
async def quick_api(quick: Server, quick_events: Events) -> AsyncIterator[Api]:
    async with tidy_api(quick, quick_events) as api:
        yield api


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("caller_refreshes.xml", "session_expired"),
        ("caller_is_refreshed.xml", "remote_bye"),
        ("caller_is_refreshed_by_invite.xml", "remote_bye"),
    ],
)
async def test_a_session_of_a_caller(
    quick: Server, quick_api: Api, quick_events: Events, tmp_path: Path, scenario: str, reason: str
) -> None:
    async with sipp(scenario, tmp_path, target=quick.sip_port) as caller:
        leg = await answered(quick_api, quick_events)
        end = await quick_events.ended(leg)
        await caller.succeeded()
    assert end["cdr"]["reason"] == reason


async def test_a_session_of_a_callee(quick_api: Api, quick_events: Events, tmp_path: Path) -> None:
    async with sipp("callee_is_refreshed.xml", tmp_path) as callee:
        leg = await quick_api.call(callee.uri)
        end = await quick_events.ended(leg)
        await callee.succeeded()
    assert end["cdr"]["reason"] == "session_expired"
