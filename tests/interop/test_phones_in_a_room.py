"""Two phones and a program talk in one room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.sound import level, longest_gap_ms, residue

from .baresip import RATE, Baresip, baresip, call_in
from .client import Api, Events
from .server import Server
from .ws_phone import WsPhone, ws_phone

ALICE, BOB, ROBOT = 425.0, 1030.0, 1735.0
"""Hz; none is a harmonic of another, nor a product of two others' distortion."""

SENT = -12.0
"""dBFS of each tone."""

TOO_LATE = 0.015
"""Seconds; who speaks later than that is not heard without a gap, whatever the server does."""


def flaws(audio: np.ndarray, rate: int, own: float, others: tuple[float, float]) -> list[str]:
    """What is wrong, unless it is the others' tones as they were sent, and nothing else."""
    found = []
    for frequency in others:
        for second in range(10):
            part = audio[second * rate : (second + 1) * rate]
            if abs(difference := level(part, frequency, rate) - SENT) > 1.0:
                found.append(f"{frequency} Hz in second {second}: {difference:+.1f} dB")
    if (echo := level(audio, own, rate)) > SENT - 40:
        found.append(f"its own tone at {echo:.1f} dBFS")
    if (gap := longest_gap_ms(audio, rate)) > 20:
        found.append(f"a gap of {gap} ms")
    # G.711 coded twice leaves about -48; a click spoils its tenth of a second
    if (rest := np.percentile(residue(audio, others, rate), 95)) > -44:
        found.append(f"something else at {rest:.1f} dBFS")
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
