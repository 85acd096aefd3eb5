"""baresip with every codec, plain and protected, calling and called; heard by its tone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.sound import level, longest_gap_ms

from . import processes
from .baresip import Baresip, Voice, baresip, call_in
from .client import Api, Events
from .server import Server, serving

ALICE, BOB = 425.0, 1030.0
SENT = -12.0

RATES = {"PCMU/8000": 8000, "PCMA/8000": 8000, "G722/16000/1": 16000, "opus/48000/1": 48000}

CASES = [
    ("PCMU/8000", "", "off"),
    ("PCMA/8000", "srtp", "preferred"),
    ("PCMU/8000", "srtp-mand", "required"),
    ("G722/16000/1", "", "off"),
    ("G722/16000/1", "srtp-mand", "required"),
    ("opus/48000/1", "", "off"),
    ("opus/48000/1", "srtp-mand", "required"),
]
"""Codec, how the phones protect their audio, and how calls to them are to be protected."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder, SIP_CODECS="opus,G722,PCMA,PCMU", SIP_SRTP="preferred") as running:
        yield running


async def call_out(phone: Baresip, api: Api, events: Events, room: str, **fields: object) -> str:
    """Call a phone; it accepts."""
    leg = await api.call(phone.uri, room_id=room, **fields)
    await phone.wait("CALL_INCOMING")
    await phone.accept()
    await events.wait("leg.connected", leg_id=leg)
    await events.wait("leg.joined_room", leg_id=leg)
    return leg


async def settled(phone: Baresip, other: float) -> np.ndarray:
    """Two seconds of what a phone hears, once it hears the other."""
    async with asyncio.timeout(10):
        while True:
            audio = await phone.listen(0.2)
            if abs(level(audio, other, phone.rate) - SENT) < 2:
                return await phone.listen(2.0)


def assert_heard(audio: np.ndarray, phone: Baresip, own: float, other: float) -> None:
    tenths = audio.reshape(-1, phone.rate // 10)
    levels = [level(tenth, other, phone.rate) for tenth in tenths]
    assert np.median(levels) == pytest.approx(SENT, abs=1)
    assert np.median([level(tenth, own, phone.rate) for tenth in tenths]) < SENT - 30
    assert longest_gap_ms(audio, phone.rate) <= 20


@pytest.mark.parametrize(("codec", "mediaenc", "srtp"), CASES)
async def test_both_ways(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    codec: str,
    mediaenc: str,
    srtp: str,
) -> None:
    name = codec.partition("/")[0]
    voice = Voice(codec, RATES[codec], mediaenc)
    async with (
        baresip(tmp_path / "alice", ALICE, voice=voice) as alice,
        baresip(tmp_path / "bob", BOB, voice=voice) as bob,
    ):
        inbound = await call_in(alice, server.sip_port, api, events, "pair")
        await call_out(bob, api, events, "pair", codecs=[name], srtp=srtp)
        by_alice, by_bob = await asyncio.gather(settled(alice, BOB), settled(bob, ALICE))
        await alice.hang_up()
        await bob.hang_up()
        for leg in await api.get("/legs"):
            await events.ended(leg["id"])
    assert_heard(by_alice, alice, ALICE, BOB)
    assert_heard(by_bob, bob, BOB, ALICE)
    (ringing,) = events.of(inbound, "leg.ringing")
    assert ringing["offered_codecs"][0]["name"] == name
    if mediaenc:
        assert all("crypto" not in line for line in server.log.splitlines())


@pytest.mark.parametrize(("codec", "mediaenc"), [("PCMU/8000", "srtp-mand"), ("opus/48000/1", "")])
async def test_the_media_worker_is_killed(
    server: Server, api: Api, events: Events, tmp_path: Path, codec: str, mediaenc: str
) -> None:
    server.expected.append(r"worker media-0 died \(status -9\)")
    voice = Voice(codec, RATES[codec], mediaenc)
    async with (
        baresip(tmp_path / "alice", ALICE, voice=voice) as alice,
        baresip(tmp_path / "bob", BOB, voice=voice) as bob,
    ):
        await call_in(alice, server.sip_port, api, events, "pair")
        await call_in(bob, server.sip_port, api, events, "pair")
        await asyncio.gather(settled(alice, BOB), settled(bob, ALICE))
        (worker,) = server.media_workers
        os.kill(worker, signal.SIGKILL)
        await processes.until(lambda: server.media_workers not in ([], [worker]), 5)
        by_alice, by_bob = await asyncio.gather(settled(alice, BOB), settled(bob, ALICE))
        await alice.hang_up()
        await bob.hang_up()
        for leg in await api.get("/legs"):
            await events.ended(leg["id"])
    assert_heard(by_alice, alice, ALICE, BOB)
    assert_heard(by_bob, bob, BOB, ALICE)
