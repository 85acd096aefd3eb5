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


def flaws(audio: np.ndarray, rate: int, own: float, other: float) -> list[str]:
    """What is wrong, unless it is the other's tone without a gap, and nothing of its own."""
    tenths = audio.reshape(-1, rate // 10)
    loud, echo = (np.median([level(each, f, rate) for each in tenths]) for f in (other, own))
    found = [] if abs(loud - SENT) < 1 else [f"the other is at {loud:.1f} dBFS"]
    if echo > SENT - 30:
        found.append(f"its own tone at {echo:.1f} dBFS")
    if (gap := longest_gap_ms(audio, rate)) > 20:
        found.append(f"a gap of {gap} ms")
    return found


async def hear_each_other(alice: Baresip, bob: Baresip) -> list[list[str]]:
    """What is wrong with two seconds of what each of them comes to hear."""

    async def listen(phone: Baresip, own: float, other: float) -> list[str]:
        def is_right(audio: np.ndarray) -> bool:
            return not flaws(audio, phone.rate, own, other)

        return flaws(await phone.listen_until(is_right, 2.0, pieces=5), phone.rate, own, other)

    return await asyncio.gather(listen(alice, ALICE, BOB), listen(bob, BOB, ALICE))


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
        assert await hear_each_other(alice, bob) == [[], []]
        await alice.hang_up()
        await bob.hang_up()
        for leg in await api.get("/legs"):
            await events.ended(leg["id"])
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
        assert await hear_each_other(alice, bob) == [[], []]
        (worker,) = server.media_workers
        os.kill(worker, signal.SIGKILL)
        await processes.until(lambda: server.media_workers not in ([], [worker]), 10)
        assert await hear_each_other(alice, bob) == [[], []]
        await alice.hang_up()
        await bob.hang_up()
        for leg in await api.get("/legs"):
            await events.ended(leg["id"])
