"""Early media and reliable provisional responses (RFC 3262) with SIPp, in both roles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from .client import Api, Events, api_of, events_of
from .rtp_peer import rtp_peers
from .server import Server, serving
from .sipp import session, sipp


async def ringing(events: Events) -> str:
    return str((await events.wait("leg.ringing", leg_type="sip_inbound"))["leg_id"])


async def test_a_caller_insists_on_reliable_responses(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_wants_reliable.xml", tmp_path, target=server.sip_port) as caller:
        leg = await ringing(events)
        await api.post(f"/legs/{leg}/ring", 202)
        await caller.saw("PRACK sip:")
        await api.post(f"/legs/{leg}/early-media", 202)
        await events.wait("leg.early_media", leg_id=leg)
        await api.post(f"/legs/{leg}/answer", 202)  # which waits for the right PRACK
        await events.ended(leg)
        await caller.succeeded()


async def test_a_caller_that_acknowledges_nothing_is_told_again(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_acknowledges_nothing.xml", tmp_path, target=server.sip_port) as caller:
        leg = await ringing(events)
        await api.post(f"/legs/{leg}/early-media", 202)
        await caller.saw("SIP/2.0 183", times=3)
        end = await events.ended(leg)
        outcome = await caller.outcome()
    assert end["cdr"]["reason"] == "caller_cancel"
    assert (outcome.successful, outcome.unexpected) == (1, "")


async def test_a_caller_offers_another_session_in_its_prack(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_offers_in_prack.xml", tmp_path, target=server.sip_port) as caller:
        leg = await ringing(events)
        await api.post(f"/legs/{leg}/early-media", 202)
        await caller.saw("a=recvonly")
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.hold", leg_id=leg)  # it does not want to hear us
        await events.ended(leg)
        await caller.succeeded()


async def test_a_caller_answers_our_offer_early(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_gets_early_offer.xml", tmp_path, target=server.sip_port) as caller:
        leg = await ringing(events)
        await api.post(f"/legs/{leg}/early-media", 202)
        await events.wait("leg.early_media", leg_id=leg)
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await events.ended(leg)
        await caller.succeeded()


@pytest.mark.parametrize(
    ("what", "answer", "error"),
    [
        ("nothing", "Content-Length: 0", "the PRACK brought no answer to our offer"),
        ("a refusal of the audio", session(0), "refuses the audio"),
    ],
)
async def test_a_caller_that_does_not_answer_our_offer_is_turned_away(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    what: str,
    answer: str,
    error: str,
) -> None:
    fields = {"what": what, "answer": answer}
    async with sipp(
        "caller_answers_no_early_offer.xml", tmp_path, target=server.sip_port, fields=fields
    ) as caller:
        leg = await ringing(events)
        await api.post(f"/legs/{leg}/early-media", 202)
        failed = await events.wait("leg.command_failed", leg_id=leg, command="early_media")
        assert error in failed["error"]
        end = await events.ended(leg)
        assert end["cdr"]["reason"] == "not_acceptable"
        await caller.succeeded()
    assert not events.of(leg, "leg.early_media", "leg.connected")


async def test_early_media_needs_an_offer_or_a_caller_that_can_answer_one(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_makes_no_offer.xml", tmp_path, target=server.sip_port) as caller:
        leg = await ringing(events)
        await api.post(f"/legs/{leg}/early-media", 202)
        failed = await events.wait("leg.command_failed", leg_id=leg, command="early_media")
        assert "no offer" in failed["error"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await events.ended(leg)
        await caller.succeeded()
    changes = [e["type"] for e in events.of(leg, "leg.hold", "leg.unhold")]
    assert changes == ["leg.hold", "leg.unhold"]  # by its answers in ACK


async def test_a_callee_gives_reliable_early_media(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_rings_reliably.xml", tmp_path) as callee:
        leg = await api.call(callee.uri, room_id="early")
        await events.wait("leg.early_media", leg_id=leg)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_a_callee_makes_the_offer(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_makes_the_offer.xml", tmp_path) as callee:
        leg = await api.call(callee.uri, late_offer=True)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_media_follows_the_branches_of_a_fork(
    api: Api, events: Events, tmp_path: Path
) -> None:
    """Both early sessions are heard in turn; after the answer only the one that answered is."""
    loop = asyncio.get_running_loop()
    async with rtp_peers(np.array([440.0, 1000.0])) as (one, two):
        fields = {"sdp-one": session(one.port), "sdp-two": session(two.port)}
        async with sipp("callee_forks.xml", tmp_path, fields=fields) as callee:
            leg = await api.call(callee.uri)
            await events.wait("leg.early_media", leg_id=leg)
            await events.wait("leg.connected", leg_id=leg)
            connected = loop.time()
            await one.hears_after(connected + 0.2)
            await api.delete(f"/legs/{leg}", 202)
            await events.ended(leg)
            await callee.succeeded()
        assert two.heard, "the second branch was heard while it was the last to speak"
        assert not [p for p in two.heard if p.at > connected + 0.2]


@pytest.fixture(scope="module")
def insisting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("insisting"), SIP_100REL="required") as running:
        yield running


async def test_a_server_that_insists(insisting: Server, tmp_path: Path) -> None:
    async with api_of(insisting.url) as api, events_of(insisting.url) as events:
        async with sipp(
            "caller_cannot_ring_reliably.xml", tmp_path, target=insisting.sip_port
        ) as caller:
            await caller.succeeded()
        assert events.all == []
        async with sipp("callee_rings_reliably.xml", tmp_path) as callee:
            leg = await api.call(callee.uri)
            await callee.saw("Require: 100rel", times=2)  # in our INVITE, in its 183
            await events.wait("leg.connected", leg_id=leg)
            await api.delete(f"/legs/{leg}", 202)
            await events.ended(leg)
            await callee.succeeded()
