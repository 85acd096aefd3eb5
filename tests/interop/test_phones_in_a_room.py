"""Two phones and a program talk in one room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.sound import level, longest_gap_ms, residue, tone

from .baresip import RATE, Baresip, baresip, call_in
from .client import Api, Events
from .server import Server
from .ws_phone import WsPhone, ws_phone

ALICE, BOB, ROBOT = 425.0, 1030.0, 1735.0
"""Hz; none is a harmonic of another, nor a product of two others' distortion."""

SENT = -12.0
"""dBFS of each tone."""

SPOILT = 4
"""Of the hundred tenths of a second, how many may have a click in them."""

TOO_LATE = 0.015
"""Seconds; who speaks later than that is not heard without a gap, whatever the server does."""


def flaws(audio: np.ndarray, rate: int, own: float, others: tuple[float, float]) -> list[str]:
    """What is wrong, unless it is the others' tones as they were sent, and nothing else."""
    found = []
    tenths = audio.reshape(-1, rate // 10)
    for frequency in others:
        off = [abs(level(tenth, frequency, rate) - SENT) > 1.0 for tenth in tenths]
        if sum(off) > SPOILT:
            found.append(f"{frequency} Hz is not as loud as sent in tenths {np.flatnonzero(off)}")
    if (echo := level(audio, own, rate)) > SENT - 40:
        found.append(f"its own tone at {echo:.1f} dBFS")
    if (gap := longest_gap_ms(audio, rate)) > 20:
        found.append(f"a gap of {gap} ms")
    # G.711 coded twice leaves about -48
    noisy = residue(audio, others, rate) > -44
    if sum(noisy) > SPOILT:
        found.append(f"something else is heard in tenths {np.flatnonzero(noisy)}")
    return found


async def listen(alice: Baresip, bob: Baresip, robot: WsPhone) -> dict[str, list[str]]:
    """What is wrong with what each of them hears for ten seconds."""
    by_alice, by_bob, by_robot = await asyncio.gather(
        alice.listen(10), bob.listen(10), robot.listen(10)
    )
    return {
        "alice": flaws(by_alice, RATE, ALICE, (BOB, ROBOT)),
        "bob": flaws(by_bob, RATE, BOB, (ALICE, ROBOT)),
        "robot": flaws(by_robot, robot.rate, ROBOT, (ALICE, BOB)),
    }


async def test_each_hears_the_two_others(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        baresip(tmp_path / "alice", ALICE) as alice,
        baresip(tmp_path / "bob", BOB) as bob,
    ):
        await call_in(alice, server.sip_port, api, events, "trio")
        await call_in(bob, server.sip_port, api, events, "trio")
        async with ws_phone(server.url, "trio", ROBOT) as robot:
            program = await events.wait("leg.connected", leg_type="websocket_in")
            await events.wait("leg.joined_room", leg_id=program["leg_id"], room_id="trio")
            await asyncio.gather(alice.listen(0.5), bob.listen(0.5), robot.listen(0.5))
            for _ in range(3):
                robot.latest = 0.0
                found = await listen(alice, bob, robot)
                if robot.latest < TOO_LATE:
                    break  # else the machine was too busy to speak in time: once more
        await alice.hang_up()
        await bob.hang_up()
        for leg in await api.get("/legs"):
            await events.ended(leg["id"])
    assert found == {"alice": [], "bob": [], "robot": []}


GOOD = tone(BOB, 10, RATE, SENT) + tone(ROBOT, 10, RATE, SENT)


@pytest.mark.parametrize(
    ("audio", "flaw"),
    [
        (np.where(np.arange(len(GOOD)) // 200 == 77, 0, GOOD), "a gap of 25"),
        (GOOD + tone(ALICE, 10, RATE, SENT - 38), "its own tone at -50"),
        (tone(BOB, 10, RATE, SENT), "1735.0 Hz is not as loud"),
        (GOOD * 0.85, "1030.0 Hz is not as loud"),
        (GOOD * 1.15, "1735.0 Hz is not as loud"),
        (np.resize(np.delete(GOOD, slice(300, 340)), len(GOOD)), None),
        (np.delete(np.resize(GOOD, 81_000), np.arange(300, 80_000, 2000)), "something else"),
        (GOOD + np.random.default_rng(0).normal(0, 400, len(GOOD)), "something else"),
    ],
    ids=["gap", "echo", "missing", "quiet", "loud", "one click", "clicks", "noise"],
)
def test_flaws_are_heard(audio: np.ndarray, flaw: str | None) -> None:
    assert flaws(GOOD, RATE, ALICE, (BOB, ROBOT)) == []
    found = flaws(audio[: len(GOOD)], RATE, ALICE, (BOB, ROBOT))
    assert any(flaw in text for text in found) if flaw else not found
