"""Two phones and a program talk in one room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.sound import level, longest_gap_ms, residue

from .baresip import RATE, baresip, call_in
from .client import Api, Events
from .server import Server
from .ws_phone import ws_phone

ALICE, BOB, ROBOT = 425.0, 1030.0, 1735.0
"""Hz; none is a harmonic of another, nor a product of two others' distortion."""

SENT = -12.0
"""dBFS of each tone."""


def check(audio: np.ndarray, rate: int, own: float, others: tuple[float, float]) -> None:
    """The others' tones as they were sent, nothing of one's own, no gap."""
    for frequency in others:
        for second in range(10):
            part = audio[second * rate : (second + 1) * rate]
            assert abs(level(part, frequency, rate) - SENT) < 1.0, (frequency, second)
    assert level(audio, own, rate) < SENT - 40
    # G.711 coded twice leaves about -48; a click spoils its tenth of a second
    assert np.percentile(residue(audio, others, rate), 95) < -44
    assert longest_gap_ms(audio, rate) <= 20


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
            by_alice, by_bob, by_robot = await asyncio.gather(
                alice.listen(10), bob.listen(10), robot.listen(10)
            )
        await alice.hang_up()
        await bob.hang_up()
        for leg in await api.get("/legs"):
            await events.ended(leg["id"])
    check(by_alice, RATE, ALICE, (BOB, ROBOT))
    check(by_bob, RATE, BOB, (ALICE, ROBOT))
    check(by_robot, robot.rate, ROBOT, (ALICE, BOB))
