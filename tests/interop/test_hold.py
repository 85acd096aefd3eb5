"""Hold by us and by the peer: with SIPp to the letter, with baresip by ear."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from tests.sound import level, tone
from tests.waves import read_wav, write_wav

from .baresip import RATE, Baresip, baresip, call_in
from .client import Api, Events, api_of, events_of
from .rtp_peer import RtpPeer, rtp_peers
from .server import Server
from .sipp import session, sipp

ALICE, BOB = 1030.0, 1735.0

DIRECTIONS = ("recvonly", "sendrecv", "sendonly", "inactive")

DIAL_DBFS, BUSY_DBFS = -16.15, -27.14
"""How loud each of the two frequencies of gb_dial and us_busy is."""


async def test_a_callee_is_held_while_it_holds_too(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_is_held.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        connected = await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}/hold", 409)  # it is not held
        assert (await api.post(f"/legs/{leg}/hold", 202))["status"] == "holding"
        held = await events.wait("leg.hold", after=connected, leg_id=leg)
        assert (await api.get(f"/legs/{leg}"))["state"] == "held"
        await api.post(f"/legs/{leg}/hold", 409)
        await api.delete(f"/legs/{leg}/hold", 202)
        resumed = await events.wait("leg.unhold", after=held, leg_id=leg)
        by_peer = await events.wait("leg.hold", after=resumed, leg_id=leg)
        await api.post(f"/legs/{leg}/hold", 202)
        both = await events.wait("leg.hold", after=by_peer, leg_id=leg)
        peer_back = await events.wait("leg.unhold", after=both, leg_id=leg)
        assert (await api.get(f"/legs/{leg}"))["held"]  # we still hold it
        await api.delete(f"/legs/{leg}/hold", 202)
        await events.wait("leg.unhold", after=peer_back, leg_id=leg)
        assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


async def test_a_callee_refuses_to_be_held(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_refuses_hold.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        await events.wait("leg.connected", leg_id=leg)
        await api.post(f"/legs/{leg}/hold", 202)
        failed = await events.wait("leg.command_failed", leg_id=leg, command="hold")
        assert "488" in failed["error"]
        assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
        await api.post(f"/legs/{leg}/hold", 202)
        await events.wait("leg.hold", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()


@pytest.mark.parametrize(
    ("scenario", "reason", "error"),
    [
        ("callee_forgets.xml", "timeout", "481"),
        ("callee_hangs_up_when_held.xml", "remote_bye", "the call ended"),
    ],
)
async def test_a_hold_that_the_call_does_not_survive_has_failed(
    api: Api, events: Events, tmp_path: Path, scenario: str, reason: str, error: str
) -> None:
    async with sipp(scenario, tmp_path) as callee:
        leg = await api.call(callee.uri)
        await events.wait("leg.connected", leg_id=leg)
        await api.post(f"/legs/{leg}/hold", 202)
        end = await events.ended(leg)
        await callee.succeeded()
    assert end["cdr"]["reason"] == reason
    (failed,) = events.of(leg, "leg.command_failed")
    assert failed["cursor"] < end["cursor"]
    assert (failed["command"], error in failed["error"]) == ("hold", True)


async def test_other_legs_cannot_be_held(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_rings.xml", tmp_path, target=server.sip_port):
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/hold", 409)  # not connected yet
        await api.post(f"/legs/{leg}/transfer", 409, target="sip:bob@127.0.0.1")
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)


@asynccontextmanager
async def held_and_other(
    api: Api, events: Events, tmp_path: Path
) -> AsyncIterator[tuple[RtpPeer, RtpPeer, str]]:
    """Who can be held once, and another, in the room "hold"; and the first one's leg.

    They hear each other. Both calls are ended, and must have gone as their scenarios have it.
    """
    async with rtp_peers(np.array([ALICE, BOB])) as (one, two):
        told = {"sdp": session(one.port), "sdp-recvonly": session(one.port, "recvonly")}
        async with (
            sipp("callee_is_held_once.xml", tmp_path, fields=told) as held,
            sipp("callee_answers.xml", tmp_path, fields={"sdp": session(two.port)}) as other,
        ):
            legs = [await api.call(callee.uri, room_id="hold") for callee in (held, other)]
            for leg in legs:
                await events.wait("leg.joined_room", leg_id=leg)
            await one.hears(BOB)
            await two.hears(ALICE)
            yield one, two, legs[0]
            for leg in legs:
                await api.delete(f"/legs/{leg}", 202)
                await events.ended(leg)
            await held.succeeded()
            await other.succeeded()


async def test_who_is_held_hears_silence_until_it_is_taken_back(
    api: Api, events: Events, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    async with held_and_other(api, events, tmp_path) as (one, two, leg):
        await api.post(f"/legs/{leg}/hold", 202)
        hold = await events.wait("leg.hold", leg_id=leg)
        began = loop.time()
        await one.hears_after(began + 0.6)  # packets, but no sound in them
        ended = loop.time()
        for peer, frequency in ((one, BOB), (two, ALICE)):
            heard = peer.audio(began + 0.3, ended)
            assert len(heard) > 0.2 * RATE
            assert level(heard, frequency, RATE) < -60
        await api.delete(f"/legs/{leg}/hold", 202)
        await events.wait("leg.unhold", after=hold, leg_id=leg)
        await one.hears(BOB, since=loop.time())
        await two.hears(ALICE, since=loop.time())


async def test_who_is_held_hears_what_is_played_to_it_and_nothing_of_its_room(
    api: Api, events: Events, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    async with held_and_other(api, events, tmp_path) as (one, two, leg):
        await api.post(f"/legs/{leg}/hold", 202)
        hold = await events.wait("leg.hold", leg_id=leg)
        to_leg = (await api.post(f"/legs/{leg}/play", 200, tone="gb_dial"))["playback_id"]
        await one.hears(350.0, since=loop.time(), dbfs=DIAL_DBFS)
        began = loop.time()
        to_room = (await api.post("/rooms/hold/play", 200, tone="us_busy"))["playback_id"]
        await two.hears(620.0, since=began, dbfs=BUSY_DBFS)
        await one.hears_after(loop.time() + 0.3)
        heard = one.audio(began, loop.time())
        assert level(heard, 440.0, RATE) > DIAL_DBFS - 1.5
        assert max(level(heard, f, RATE) for f in (620.0, BOB)) < -60
        await api.delete(f"/legs/{leg}/play/{to_leg}", 200)
        await api.delete(f"/rooms/hold/play/{to_room}", 200)
        await api.delete(f"/legs/{leg}/hold", 202)
        await events.wait("leg.unhold", after=hold, leg_id=leg)


async def test_who_holds_us_is_sent_no_prompt_which_takes_its_time_all_the_same(
    tmp_path: Path,
) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", tone(1000, 0.6, RATE), RATE)
    server = Server(tmp_path, MEDIA_DIR=str(tmp_path))
    try:
        server.start()
        async with (
            api_of(server.url) as api,
            events_of(server.url) as events,
            rtp_peers(np.array([ALICE])) as (peer,),
        ):
            told = {f"sdp-{each}": session(peer.port, each) for each in DIRECTIONS}
            told["sdp"] = session(peer.port)
            async with sipp("callee_is_held.xml", tmp_path, fields=told) as callee:
                leg = await api.call(callee.uri)
                connected = await events.wait("leg.connected", leg_id=leg)
                await api.post(f"/legs/{leg}/hold", 202)
                held = await events.wait("leg.hold", after=connected, leg_id=leg)
                await api.delete(f"/legs/{leg}/hold", 202)
                resumed = await events.wait("leg.unhold", after=held, leg_id=leg)
                by_peer = await events.wait("leg.hold", after=resumed, leg_id=leg)
                count = len(peer.heard)
                body = {"url": prompt, "mime_type": "audio/wav"}
                playback = (await api.post(f"/legs/{leg}/play", 200, **body))["playback_id"]
                ended = await events.wait("playback.finished", playback_id=playback)
                assert (ended["reason"], ended["played_ms"]) == ("completed", 600)
                late = peer.heard[count:]  # sent before, arrived since
                assert len(late) < 5
                await api.post(f"/legs/{leg}/hold", 202)
                both = await events.wait("leg.hold", after=by_peer, leg_id=leg)
                back = await events.wait("leg.unhold", after=both, leg_id=leg)
                # It takes sound again, and we still hold it: the prompt is heard.
                began = asyncio.get_running_loop().time()
                await api.post(f"/legs/{leg}/play", 200, **body)
                await peer.hears(1000.0, since=began)
                await api.delete(f"/legs/{leg}/hold", 202)
                await events.wait("leg.unhold", after=back, leg_id=leg)
                await api.delete(f"/legs/{leg}", 202)
                await events.ended(leg)
                await callee.succeeded()
        server.stop()
    finally:
        server.close()


@pytest.mark.parametrize("killed", [False, True], ids=["", "worker-killed"])
async def test_who_holds_us_is_not_recorded_as_hearing_what_it_is_not_sent(
    tmp_path: Path, killed: bool
) -> None:
    server = Server(tmp_path, RECORDING_DIR=str(tmp_path / "recordings"))
    server.expected.append(r"worker media-0 died \(status -9\)")
    try:
        server.start()
        async with (
            api_of(server.url) as api,
            events_of(server.url) as events,
            rtp_peers(np.array([ALICE])) as (peer,),
        ):
            told = {f"sdp-{each}": session(peer.port, each) for each in DIRECTIONS}
            told |= {"sdp": session(peer.port), "pause": "1500"}
            async with sipp("callee_holds.xml", tmp_path, fields=told) as callee:
                leg = await api.call(callee.uri)
                await events.wait("leg.connected", leg_id=leg)
                await api.post(f"/legs/{leg}/play", 200, tone="gb_dial")
                await peer.hears(350.0, dbfs=DIAL_DBFS)
                file = (await api.post(f"/legs/{leg}/record", 200))["file"]
                await events.wait("leg.hold", leg_id=leg)
                if killed:
                    (worker,) = server.media_workers
                    os.kill(worker, signal.SIGKILL)
                assert not (await api.get(f"/legs/{leg}"))["deaf"]
                assert await events.ended(leg)
                await events.wait("recording.finished", leg_id=leg)
                await callee.succeeded()
        audio, rate = read_wav(file)
        size = rate // 10
        tenths = audio[: len(audio) // size * size].reshape(-1, size, 2)
        heard = [level(tenth[:, 1], 350.0, rate) > DIAL_DBFS - 3 for tenth in tenths]
        silent = [not tenth[:, 1].any() for tenth in tenths]
        spans = [(kind, len(list(run))) for kind, run in groupby(zip(heard, silent, strict=True))]
        long = [(kind, tenths) for kind, tenths in spans if tenths > 1]
        sounding, nothing = (True, False), (False, True)
        assert [kind for kind, _ in long] == [sounding, nothing, sounding, nothing, sounding]
        assert all(tenths >= 12 for kind, tenths in long if kind == nothing)
        if not killed:  # else there is a gap
            start = long[0][1] * size
            said = audio[start + 5 * size : start + 10 * size, 0]
            assert level(said, ALICE, rate) == pytest.approx(-12, abs=1)  # held by sendonly only
        server.stop()
    finally:
        server.close()


async def test_silence_is_no_reason_to_hang_up_on_hold(tmp_path: Path) -> None:
    server = Server(tmp_path, RTP_TIMEOUT="1")
    try:
        server.start()
        async with (
            api_of(server.url) as api,
            events_of(server.url) as events,
            sipp("callee_is_held_once.xml", tmp_path) as callee,  # which says nothing at all
        ):
            leg = await api.call(callee.uri)
            await events.wait("leg.connected", leg_id=leg)
            await api.post(f"/legs/{leg}/hold", 202)
            held = await events.wait("leg.hold", leg_id=leg)
            with pytest.raises(AssertionError, match=r"no leg\.disconnected"):
                await events.ended(leg, within=2.5)
            await api.delete(f"/legs/{leg}/hold", 202)
            await events.wait("leg.unhold", after=held, leg_id=leg)
            assert (await events.ended(leg))["cdr"]["reason"] == "rtp_timeout"
            await callee.succeeded()
        server.stop()
    finally:
        server.close()


async def said_by(phone: Baresip, to: Baresip) -> float:
    """How loud one phone is heard by another, once what was under way has passed."""
    frequency = {"alice": ALICE, "bob": BOB}[phone.uri.partition("@")[0].removeprefix("sip:")]
    await to.listen(0.4)
    return level(await to.listen(0.4), frequency, RATE)


async def test_phones_hold_and_are_held(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """This baresip records nothing after a re-INVITE, so Bob, who gets none, does the hearing."""
    async with (
        baresip(tmp_path / "alice", ALICE) as alice,
        baresip(tmp_path / "bob", BOB) as bob,
    ):
        leg = await call_in(alice, server.sip_port, api, events, "hold")
        other = await call_in(bob, server.sip_port, api, events, "hold")
        assert await said_by(alice, bob) > -15
        await api.post(f"/legs/{leg}/hold", 202)
        held = await events.wait("leg.hold", leg_id=leg)
        assert await said_by(alice, bob) < -60
        await api.delete(f"/legs/{leg}/hold", 202)
        resumed = await events.wait("leg.unhold", after=held, leg_id=leg)
        assert await said_by(alice, bob) > -15
        await alice.hold()
        by_phone = await events.wait("leg.hold", after=resumed, leg_id=leg)
        await api.post(f"/legs/{leg}/hold", 202)  # and so do we
        both = await events.wait("leg.hold", after=by_phone, leg_id=leg)
        await api.delete(f"/legs/{leg}/hold", 202)
        ours = await events.wait("leg.unhold", after=both, leg_id=leg)
        assert (await api.get(f"/legs/{leg}"))["state"] == "held"
        await alice.resume()
        await events.wait("leg.unhold", after=ours, leg_id=leg)
        assert await said_by(alice, bob) > -15
        for phone, its in ((alice, leg), (bob, other)):
            await phone.hang_up()
            await events.ended(its)
