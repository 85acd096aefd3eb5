"""Who hears whom: tones put in at one end, found or missed at the other."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from hookswitch.testing.fake_transport import FakeCall
from hookswitch.testing.memory_bank import tone
from hookswitch.testing.server import RunningSwitch
from tests.sound import level

FRAME = 320
LOUD = -14.0
QUIET = -60.0


async def speaker(server: RunningSwitch, frequency: float, **fields: object) -> FakeCall:
    call = await server.dial(**fields)
    call.says(tone(frequency, rate=call.rate))
    return call


def hears(audio: np.ndarray, *frequencies: float) -> list[bool]:
    levels = [level(audio, frequency, 16000) for frequency in frequencies]
    assert all(db > LOUD or db < QUIET for db in levels), levels
    return [db > LOUD for db in levels]


async def settled(call: FakeCall, seconds: float = 0.2) -> np.ndarray:
    """What is heard once what is on its way has arrived."""
    await call.hears(0.12)
    return await call.hears(seconds)


async def test_everybody_hears_the_others_and_not_himself(running_switch: RunningSwitch) -> None:
    a, b, c = [await speaker(running_switch, f, room_id="r") for f in (400, 700, 1100)]
    heard = await asyncio.gather(settled(a), settled(b), settled(c))
    assert [hears(audio, 400, 700, 1100) for audio in heard] == [
        [False, True, True],
        [True, False, True],
        [True, True, False],
    ]


@pytest.mark.parametrize(
    "entrance",
    [{"mute": True}, {"role": "customer"}],
    ids=["muted", "in a role that is not heard"],
)
async def test_nothing_leaks_of_one_that_must_not_be_heard(
    running_switch: RunningSwitch, entrance: dict[str, object]
) -> None:
    listener = await running_switch.dial()
    await running_switch.ask("POST", "/v1/rooms", {"id": "r"})
    await running_switch.ask("PUT", "/v1/rooms/r/routing", {"matrix": {"agent": []}})
    body = {"leg_id": listener.leg.id, "role": "agent"}
    await running_switch.ask("POST", "/v1/rooms/r/legs", body)
    other = await speaker(running_switch, 700)
    await settled(other)
    body = {"leg_id": other.leg.id, **entrance}
    await running_switch.ask("POST", "/v1/rooms/r/legs", body)
    await settled(listener)
    assert not listener.heard.any()


async def test_nothing_leaks_to_one_that_must_not_hear(running_switch: RunningSwitch) -> None:
    await speaker(running_switch, 700, room_id="r")
    deaf = await speaker(running_switch, 1100)
    await running_switch.ask("POST", "/v1/rooms/r/legs", {"leg_id": deaf.leg.id, "deaf": True})
    await settled(deaf)
    assert not deaf.heard.any()


async def test_entering_keeps_what_the_leg_already_was(running_switch: RunningSwitch) -> None:
    listener = await running_switch.dial(room_id="r")
    muted = await speaker(running_switch, 700)
    await running_switch.ask("POST", f"/v1/legs/{muted.leg.id}/mute")
    await running_switch.ask("POST", "/v1/rooms/r/legs", {"leg_id": muted.leg.id})
    await settled(listener)
    assert not listener.heard.any()
    await running_switch.ask("DELETE", f"/v1/legs/{muted.leg.id}/mute")
    assert hears(await settled(listener), 700) == [True]


async def test_one_is_louder_for_one_listener(running_switch: RunningSwitch) -> None:
    ask = running_switch.ask
    a, b, c = [await speaker(running_switch, f, room_id="r") for f in (400, 700, 1100)]
    before = {call: level(await settled(call), 700, 16000) for call in (a, c)}
    pair = {"listener": a.leg.id, "source": b.leg.id, "db": -9.5}
    shown = await ask("PUT", "/v1/rooms/r/gains", {"gains": [pair]})
    assert shown["gains"] == (await ask("GET", "/v1/rooms/r/gains"))["gains"] == [pair]
    heard_by_a = await settled(a)
    assert level(heard_by_a, 700, 16000) == pytest.approx(before[a] - 9.5, abs=0.1)
    assert hears(heard_by_a, 1100) == [True]
    assert level(await settled(c), 700, 16000) == pytest.approx(before[c], abs=0.1)
    # who leaves takes what was said of it along
    await ask("DELETE", f"/v1/rooms/r/legs/{b.leg.id}")
    await ask("POST", "/v1/rooms/r/legs", {"leg_id": b.leg.id})
    assert (await ask("GET", "/v1/rooms/r/gains"))["gains"] == []
    assert level(await settled(a), 700, 16000) == pytest.approx(before[a], abs=0.1)


async def test_muting_and_deafening_take_effect_and_end(running_switch: RunningSwitch) -> None:
    a, b = [await speaker(running_switch, f, room_id="r") for f in (400, 700)]
    assert hears(await settled(b), 400) == [True]
    for method, what, expected in (
        ("POST", "mute", (False, True)),
        ("DELETE", "mute", (True, True)),
        ("POST", "deaf", (True, False)),
        ("DELETE", "deaf", (True, True)),
    ):
        await running_switch.ask(method, f"/v1/legs/{a.leg.id}/{what}")
        at_b, at_a = await asyncio.gather(settled(b), settled(a))
        assert (*hears(at_b, 400), *hears(at_a, 700)) == expected


async def test_a_leg_that_moves_hears_one_room_or_the_other(running_switch: RunningSwitch) -> None:
    await speaker(running_switch, 400, room_id="a")
    await speaker(running_switch, 700, room_id="b")
    mover = await speaker(running_switch, 1100, room_id="a")
    assert hears(await settled(mover), 400, 700) == [True, False]
    await running_switch.ask("POST", "/v1/rooms/b/legs", {"leg_id": mover.leg.id})
    assert hears(await settled(mover), 400, 700) == [False, True]
    await running_switch.ask("DELETE", f"/v1/rooms/b/legs/{mover.leg.id}")
    assert not (await settled(mover)).any()
    both = [level(frame, f, 16000) for frame in mover.heard.reshape(-1, 320) for f in (400, 700)]
    pairs = np.array(both).reshape(-1, 2)
    assert not (pairs > LOUD).all(axis=1).any()


async def test_the_matrix_decides_who_hears_whom(running_switch: RunningSwitch) -> None:
    customer, agent, boss, plain = [
        await speaker(running_switch, f, room_id="r") for f in (400, 700, 1100, 1600)
    ]
    for call, role in ((customer, "customer"), (agent, "agent"), (boss, "supervisor")):
        await running_switch.ask("PATCH", f"/v1/legs/{call.leg.id}/role", {"role": role})
    matrix = {
        "customer": ["agent"],
        "agent": ["customer", "supervisor"],
        "supervisor": [],
    }
    shown = await running_switch.ask("PUT", "/v1/rooms/r/routing", {"matrix": matrix}, status=200)
    assert shown == {"instance_id": "test-instance", "matrix": matrix}
    assert await running_switch.ask("GET", "/v1/rooms/r/routing", status=200) == shown
    assert await everybody(customer, agent, boss, plain) == [
        [False, True, False, False],  # an unroled source is in no row
        [True, False, True, False],
        [False, False, False, False],  # an empty row hears nothing
        [True, True, True, False],  # without a role, everyone
    ]
    updates = [
        {"listener_role": "customer", "sources": None},
        {"listener_role": "supervisor", "sources": ["customer", "nobody"]},
    ]
    shown = await running_switch.ask(
        "PATCH", "/v1/rooms/r/routing", {"updates": updates}, status=200
    )
    assert shown["matrix"] == {
        "agent": ["customer", "supervisor"],
        "supervisor": ["customer", "nobody"],
    }
    await running_switch.ask("POST", f"/v1/legs/{agent.leg.id}/mute")
    assert await everybody(customer, agent, boss, plain) == [
        [False, False, True, True],  # no row: everyone, but mute applies on top
        [True, False, True, False],
        [True, False, False, False],
        [True, False, True, False],
    ]
    await running_switch.events.wait("room.routing_changed", reason="updated")
    assert running_switch.events.types(room_id="r").count("room.routing_changed") == 2


async def everybody(*calls: FakeCall) -> list[list[bool]]:
    heard = await asyncio.gather(*(settled(call) for call in calls))
    return [hears(audio, 400, 700, 1100, 1600) for audio in heard]


async def test_a_change_of_routing_is_whole_in_one_tick(running_switch: RunningSwitch) -> None:
    """Two sources change places in a listener's row: in no frame are both or neither heard."""
    listener = await running_switch.dial(room_id="r", sample_rate=16000)
    # periods of whole frames, so that each frame's level is the tone's
    a, b = [await speaker(running_switch, f, room_id="r") for f in (500, 1000)]
    for call, role in ((listener, "l"), (a, "a"), (b, "b")):
        await running_switch.ask("PATCH", f"/v1/legs/{call.leg.id}/role", {"role": role})
    await running_switch.ask("PUT", "/v1/rooms/r/routing", {"matrix": {"l": ["a"]}})
    await settled(listener)
    start = len(listener.heard)
    for row in (["b"], ["a"], ["b"], ["a"]):
        await running_switch.ask("PUT", "/v1/rooms/r/routing", {"matrix": {"l": row}})
        await listener.hears(0.06)
    frames = listener.heard[start:].reshape(-1, FRAME)
    spectrum = np.abs(np.fft.rfft(frames, axis=1)) / (FRAME / 2) > 4000
    heard_a, heard_b = spectrum[:, 10], spectrum[:, 20]
    assert (heard_a ^ heard_b).all()
    assert heard_a.any()
    assert heard_b.any()
