"""Codecs by name, changed in mid-call, by offer or by the peer's choice; refusals."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import Api, Events
from .server import Server, serving
from .sipp import sipp
from .voice_peer import VoicePeer, voice_peers

ALICE, BOB = 425.0, 1030.0

MAPS = {
    "PCMU": (0, "PCMU/8000"),
    "PCMA": (8, "PCMA/8000"),
    "G722": (9, "G722/8000"),
    "opus": (109, "opus/48000/2"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), SIP_CODECS="opus,PCMU,PCMA") as running:
        yield running


def sdp(port: int, *codecs: str, version: int = 1, proto: str = "RTP/AVP", more: str = "") -> str:
    types = " ".join(str(MAPS[each][0]) for each in codecs)
    maps = "\n".join(f"a=rtpmap:{MAPS[each][0]} {MAPS[each][1]}" for each in codecs)
    lines = f"""\
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 {version} IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio {port} {proto} {types}
{maps}"""
    return f"{lines}\n{more}" if more else lines


async def join(api: Api, events: Events, leg: str, **answer: str) -> None:
    await api.post(f"/legs/{leg}/answer", 202, **answer)
    await events.wait("leg.connected", leg_id=leg)
    await api.post("/rooms/pair/legs", 200, leg_id=leg)


async def hear_each_other(alice: VoicePeer, bob: VoicePeer) -> None:
    await alice.hears(BOB)
    await bob.hears(ALICE)


async def end(api: Api, events: Events) -> None:
    for leg in await api.get("/legs"):
        await api.delete(f"/legs/{leg['id']}", 202)
        await events.ended(leg["id"])


@pytest.mark.parametrize(
    ("first", "second"), [("PCMU", "opus"), ("opus", "PCMA"), ("PCMU", "PCMA")]
)
async def test_another_codec_by_another_offer(
    server: Server, api: Api, events: Events, tmp_path: Path, first: str, second: str
) -> None:
    """Where the rates differ the port is opened anew: in its room, and the call lives."""
    async with voice_peers((ALICE, first, MAPS[first][0]), (BOB, "PCMU", 0)) as (alice, bob):
        changing = {
            "sdp-first": sdp(alice.port, first),
            "sdp-second": sdp(alice.port, second, version=2),
            "answer": f"m=audio [0-9]+ RTP/AVP {MAPS[second][0]}",
        }
        staying = {"sdp": sdp(bob.port, "PCMU")}
        target = server.sip_port
        async with sipp("caller_waits_for_bye.xml", tmp_path, target=target, fields=staying) as two:
            other = await events.wait("leg.ringing")
            await join(api, events, other["leg_id"])
            async with sipp(
                "caller_changes_codec.xml", tmp_path, target=target, fields=changing
            ) as one:
                ringing = await events.wait("leg.ringing", after=other)
                assert [c["name"] for c in ringing["offered_codecs"]] == [first]
                await join(api, events, ringing["leg_id"])
                await hear_each_other(alice, bob)
                await one.saw("CSeq: 2 ACK")
                alice.change(second, MAPS[second][0])
                await hear_each_other(alice, bob)
                await end(api, events)
                await one.succeeded()
                await two.succeeded()


async def test_any_installed_codec_may_be_named(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """G722 is not among SIP_CODECS, but the caller has it and the application wants it."""
    async with voice_peers((ALICE, "G722", 9), (BOB, "PCMU", 0)) as (alice, bob):
        target = server.sip_port
        wide = {"sdp": sdp(alice.port, "PCMU", "G722", "opus")}
        narrow = {"sdp": sdp(bob.port, "PCMU", "opus")}
        async with (
            sipp("caller_waits_for_bye.xml", tmp_path, target=target, fields=wide) as one,
        ):
            ringing = await events.wait("leg.ringing")
            assert ringing["offered_codecs"] == [
                {"name": "PCMU", "payload_type": 0, "clock_rate": 8000, "priority": 0},
                {"name": "G722", "payload_type": 9, "clock_rate": 8000, "priority": 1},
                {"name": "opus", "payload_type": 109, "clock_rate": 48000, "priority": 2},
            ]
            leg = ringing["leg_id"]
            refusal = await api.post(f"/legs/{leg}/answer", 400, codec="PCMA")
            assert "codec" in refusal["error"]
            await api.post(f"/legs/{leg}/early-media", 202, codec="g722")
            await events.wait("leg.early_media", leg_id=leg)
            refusal = await api.post(f"/legs/{leg}/answer", 400, codec="PCMU")
            assert "G722" in refusal["error"], "early media has settled it"
            async with sipp(
                "caller_waits_for_bye.xml", tmp_path, target=target, fields=narrow
            ) as two:
                other = await events.wait("leg.ringing", after=ringing)
                await join(api, events, other["leg_id"], codec="PCMU")
                await join(api, events, leg)
                await hear_each_other(alice, bob)
                assert alice.foreign == bob.foreign == 0
                await end(api, events)
                await two.succeeded()
            await one.outcome()


@pytest.mark.parametrize("second", ["PCMA", "opus"])
async def test_a_peer_that_changes_by_itself_is_followed(
    server: Server, api: Api, events: Events, tmp_path: Path, second: str
) -> None:
    """It answered with two codecs, so it may send either at any time (RFC 3264 section 6.1)."""
    offered = {"PCMA": 8, "opus": 96}[second]
    async with voice_peers((ALICE, "PCMU", 0), (BOB, "PCMU", 0)) as (alice, bob):
        text = re.sub(r"\b109\b", str(offered), sdp(alice.port, "PCMU", second))
        narrow = {"sdp": sdp(bob.port, "PCMU")}
        async with sipp("callee_answers.xml", tmp_path, fields={"sdp": text}) as one:
            leg = await api.call(one.uri, room_id="pair", codecs=["PCMU", second])
            await events.wait("leg.connected", leg_id=leg)
            async with sipp(
                "caller_waits_for_bye.xml", tmp_path, target=server.sip_port, fields=narrow
            ) as two:
                ringing = await events.wait("leg.ringing", lambda e: "from" in e and "to" in e)
                await join(api, events, ringing["leg_id"])
                await hear_each_other(alice, bob)
                alice.change(second, offered)
                await hear_each_other(alice, bob)
                await end(api, events)
                await one.succeeded()
                await two.succeeded()


KEY = base64.b64encode(bytes(range(30))).decode()


@pytest.mark.parametrize(
    "crypto",
    [
        "",
        f"a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:{KEY}",
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4;inline:{KEY}|2:4",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP",
    ],
    ids=["none", "suite", "several", "short", "unencrypted"],
)
async def test_what_cannot_be_protected_is_refused(
    server: Server, api: Api, events: Events, tmp_path: Path, crypto: str
) -> None:
    offer = sdp(6000, "PCMU", proto="RTP/SAVP", more=crypto)
    fields = {"status": "488", "sdp": offer}
    async with sipp(
        "caller_is_refused.xml", tmp_path, target=server.sip_port, fields=fields
    ) as caller:
        await caller.succeeded()
    assert not events.all


async def test_a_call_that_must_be_protected_is_given_up_otherwise(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """The callee answers as if nothing had been said of SRTP."""
    async with sipp("callee_answers.xml", tmp_path, fields={"sdp": sdp(6000, "PCMU")}) as callee:
        leg = await api.call(callee.uri, codecs=["PCMU"], srtp="required")
        assert (await events.ended(leg))["cdr"]["reason"] == "not_acceptable"
        await callee.succeeded()


async def test_fields_are_checked(api: Api) -> None:
    for fields, word in (({"srtp": "maybe"}, "srtp"), ({"codecs": ["G729"]}, "codecs")):
        answer = await api.post("/legs", 400, type="sip", to="sip:a@127.0.0.1", **fields)
        assert word in answer["error"]
