"""Keys of SRTP that have identifiers, and keys that wear out and are replaced in mid-call."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from tests.sound import level, longest_gap_ms

from . import processes
from .client import Api, Events
from .rtp_peer import RATE, RtpPeer
from .secure_phone import SUITES, Sealer, SecurePhone, key_in, secure_phone
from .server import Server, serving
from .speakers import Speaker, opened, speaking

ALICE, BOB = 425.0, 1030.0
SUITE = "AES_CM_128_HMAC_SHA1_80"
LIFE, MARGIN = 1 << 10, 300

LOWERED = f"""\
import sys
from hookswitch.cli import main
from hookswitch_transport_sip import totals
from hookswitch_transport_sip.sdp import crypto
crypto.SHORTEST_LIFE = {LIFE}
totals.UNSEEN = {MARGIN}
sys.exit(main())
"""
"""The shortest lifetime that is taken would be 22 minutes of packets; nor does anybody here send
them as fast as the margin is meant for."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), program=("-c", LOWERED)) as running:
        yield running


async def call_in(phone: SecurePhone, api: Api, events: Events, room: str) -> str:
    after = events.all[-1] if events.all else None
    await phone.dial()
    leg = str((await events.wait("leg.ringing", after=after))["leg_id"])
    await api.post(f"/legs/{leg}/answer", 202)
    await events.wait("leg.connected", leg_id=leg)
    await api.post(f"/rooms/{room}/legs", 200, leg_id=leg)
    return leg


@asynccontextmanager
async def two_who_talk(
    server: Server, api: Api, events: Events, alice: Sealer, bob: Sealer, more_sdp: str = ""
) -> AsyncIterator[tuple[SecurePhone, SecurePhone, str]]:
    """Alice and Bob in a room, who hear each other; and Alice's leg."""
    async with (
        secure_phone(server.sip_port, ALICE, alice, more_sdp) as a,
        secure_phone(server.sip_port, BOB, bob) as b,
    ):
        leg = await call_in(a, api, events, "pair")
        other = await call_in(b, api, events, "pair")
        async with speaking([a.voice, b.voice]):
            await a.voice.hears(BOB)
            await b.voice.hears(ALICE)
            yield a, b, leg
            for phone, each in ((a, leg), (b, other)):
                if not events.of(each, "leg.disconnected"):
                    phone.hang_up()
                    await events.ended(each)


def assert_undisturbed(peer: RtpPeer, frequency: float, since: float) -> None:
    """It has heard a tone all the time, and nothing has gone missing on the way."""
    until = asyncio.get_running_loop().time()
    audio = peer.audio(since, until)
    assert len(audio) / RATE == pytest.approx(until - since, abs=0.1)
    assert longest_gap_ms(audio, RATE) <= 20
    tenths = audio[: len(audio) // 800 * 800].reshape(-1, 800)
    assert np.median([level(tenth, frequency, RATE) for tenth in tenths]) == pytest.approx(
        -12, abs=1
    )


@pytest.mark.parametrize("suite", SUITES)
async def test_a_key_with_an_identifier(
    server: Server, api: Api, events: Events, suite: str
) -> None:
    """Alice's packets carry it, Bob's do not; neither do ours."""
    alice, bob = Sealer(suite, lifetime="2^31", mki="1:4"), Sealer(suite)
    async with two_who_talk(server, api, events, alice, bob) as (a, b, leg):
        since = asyncio.get_running_loop().time()
        await asyncio.sleep(2)  # they talk
        assert_undisturbed(a.voice, BOB, since)
        assert_undisturbed(b.voice, ALICE, since)
        assert a.voice.refused == b.voice.refused == 0
        line = a.answer[a.answer.index("a=crypto") :].splitlines()[0]
        assert line.startswith(f"a=crypto:1 {suite} inline:")
        assert "|" not in line
    assert events.of(leg, "leg.disconnected")[0]["cdr"]["reason"] == "remote_bye"


async def test_text_under_a_key_with_an_identifier(
    server: Server, api: Api, events: Events
) -> None:
    text = Sealer(SUITE, mki="7:2")
    async with opened(Speaker) as writer:
        sdp = f"m=text {writer.port} RTP/SAVP 98\r\na=rtpmap:98 t140/1000\r\n{text.line()}\r\n"
        alice, bob = Sealer(SUITE), Sealer(SUITE)
        async with two_who_talk(server, api, events, alice, bob, sdp) as (a, _, leg):
            assert key_in(a.answer, "text")[0] == "1"
            port = int(a.answer.partition("m=text ")[2].split()[0])
            packet = struct.pack("!BBHII", 0x80, 98, 1, 0, 99) + "grüße".encode()
            writer.send(text.seal(packet), ("127.0.0.1", port))
            assert (await events.wait("rtt.received", leg_id=leg))["text"] == "grüße"


async def test_keys_are_replaced_before_they_wear_out(
    server: Server, api: Api, events: Events
) -> None:
    """The call goes on far beyond the lifetime of the first keys, and nobody hears it."""
    alice, bob = Sealer(SUITE, lifetime="2^10"), Sealer(SUITE)
    async with two_who_talk(server, api, events, alice, bob) as (a, b, leg):
        since, first = asyncio.get_running_loop().time(), alice.key
        await processes.until(lambda: a.voice.sent > LIFE * 1.2, 60)
        assert len(a.server_keys) >= 3, "ours was replaced twice"
        assert alice.key != first
        assert_undisturbed(a.voice, BOB, since)
        assert_undisturbed(b.voice, ALICE, since)
        assert a.voice.refused == 0
        assert not events.of(leg, "leg.disconnected")
    assert events.of(leg, "leg.disconnected")[0]["cdr"]["reason"] == "remote_bye"


@pytest.mark.parametrize("suite", SUITES)
async def test_a_peer_replaces_its_own_key(
    server: Server, api: Api, events: Events, suite: str
) -> None:
    async with two_who_talk(server, api, events, Sealer(suite), Sealer(suite)) as (a, b, _):
        since = asyncio.get_running_loop().time()
        for _ in range(3):
            before = a.voice.sealer
            a.rekey()
            await processes.until(lambda old=before: a.voice.sealer is not old, 5)
            await asyncio.sleep(1)  # they talk
        assert_undisturbed(a.voice, BOB, since)
        assert_undisturbed(b.voice, ALICE, since)
        assert len(a.server_keys) == 1, "ours stays"


@pytest.mark.parametrize("how", ["refuse", "same key"])
async def test_a_call_ends_with_its_key(server: Server, api: Api, events: Events, how: str) -> None:
    """Whose peer does not replace it: neither before, nor later than it may be used."""
    if how == "refuse":
        server.expected.append("the keys of SRTP were not replaced: the peer answered 488")
    alice, bob = Sealer(SUITE, lifetime="2^10"), Sealer(SUITE)
    async with two_who_talk(server, api, events, alice, bob) as (a, b, leg):
        a.on_reinvite = how  # type: ignore[assignment]
        await events.ended(leg, within=40)
        assert LIFE - MARGIN < a.voice.sent < LIFE
        assert b.voice.heard_from(ALICE, asyncio.get_running_loop().time() - 1), "to the end"
    assert events.of(leg, "leg.disconnected")[0]["cdr"]["reason"] == "srtp_key_expired"
