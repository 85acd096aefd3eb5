"""Detections as applications see them: requests, answers, events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from hookswitch.events.model import Event
from hookswitch.mixer.commands import ClosePort
from hookswitch.testing.fake_transport import AHEAD, FakeCall
from hookswitch.testing.memory_bank import Voice
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch_amd.plugin import AmdPlugin

from .sounds import silence, tone, voice

QUICK = {"initial_silence_timeout": 600, "greeting_duration": 500, "after_greeting_silence": 300}


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
    async with run_switch(tmp_path, AmdPlugin()) as running:
        yield running


def says(*parts: np.ndarray) -> Voice:
    """A voice of a call at 8 kHz that says this and is silent then."""
    sound = np.concatenate(parts).astype(np.float32)

    def frame(number: int, samples: int) -> np.ndarray:
        said = sound[number * samples : (number + 1) * samples]
        return np.pad(said, (0, samples - len(said)))

    return frame


def from_now(*parts: np.ndarray) -> Voice:
    """The same from the next frame on, whenever in the call that is."""
    said, first = says(*parts), list[int]()

    def frame(number: int, samples: int) -> np.ndarray:
        first.append(number)
        return said(number - first[0], samples)

    return frame


async def opened_again(server: RunningSwitch, call: FakeCall) -> None:
    """Have the ear opened again as it is specified, as when a media worker died: it is not told."""
    (host,) = server.switch.media.hosts
    (ear,) = set(server.open_ports) - {call.leg.id}
    back = [
        *host.topology.commands_of(ear),
        *host.topology.relations_of(server.open_ports),
    ]
    await host.apply([ClosePort(ear)])
    await host.apply(back)


async def only_the_call_is_open(server: RunningSwitch, call: FakeCall) -> None:
    await call.until(lambda heard: server.open_ports == [call.leg.id])


async def arrived(server: RunningSwitch, leg_type: str = "sip_inbound") -> FakeCall:
    """A call that is connected."""
    call = server.fake.receive(leg_type, rate=8000)
    await call.answers()
    return call


async def test_it_is_started_on_a_connected_leg(server: RunningSwitch) -> None:
    call = await arrived(server)
    answer = await server.ask("POST", f"/v1/legs/{call.leg.id}/amd", QUICK, status=200)
    assert answer == {"instance_id": server.switch.instance_id, "status": "started"}
    assert len(server.open_ports) == 2
    event = await server.events.wait("amd.result", leg_id=call.leg.id)
    assert event["result"] == "no_speech"
    assert event["initial_silence_ms"] == event["total_analysis_ms"] == 600
    assert event["greeting_duration_ms"] == 0
    await server.ask("DELETE", f"/v1/legs/{call.leg.id}")
    await call.leg.ended.wait()
    assert server.events.types(leg_id=call.leg.id).count("amd.result") == 1


async def test_it_starts_by_itself_when_the_call_is_answered(server: RunningSwitch) -> None:
    call = await server.dial(amd=QUICK, room_id="lobby", sample_rate=8000)
    call.says(says(silence(100), voice(1500)))
    event = await server.events.wait("amd.result", leg_id=call.leg.id)
    assert event["result"] == "machine"
    types = server.events.types(leg_id=call.leg.id)
    assert types.index("leg.connected") < types.index("amd.result")


async def test_a_call_that_is_not_answered_is_not_listened_to(server: RunningSwitch) -> None:
    leg = await server.ask("POST", "/v1/legs", {"type": "fake", "to": "rings", "amd": {}})
    assert server.open_ports == []
    await server.ask("DELETE", f"/v1/legs/{leg['id']}")
    await server.events.wait("leg.disconnected", leg_id=leg["id"])


async def test_the_beep_is_told(server: RunningSwitch) -> None:
    call = await server.dial(amd={**QUICK, "beep_timeout": 5000}, sample_rate=8000)
    call.says(says(silence(300), voice(900), silence(250), tone(300, 1000), silence(300)))
    await server.events.wait("amd.result", leg_id=call.leg.id, result="machine")
    event = await server.events.wait("amd.beep", leg_id=call.leg.id)
    assert 0 < event["beep_ms"] < 2000
    assert event.keys() == {
        *("type", "timestamp", "event_id", "cursor", "instance_id", "leg_id", "beep_ms")
    }


async def test_a_beep_soon_after_a_short_greeting_is_told(server: RunningSwitch) -> None:
    call = await server.dial(amd={"beep_timeout": 5000}, sample_rate=8000)
    call.says(says(silence(300), voice(450), silence(600), tone(500, 1000), silence(300)))
    event = await server.events.wait("amd.result", leg_id=call.leg.id)
    assert event["result"] == "machine"
    assert (await server.events.wait("amd.beep", leg_id=call.leg.id))["beep_ms"] == 0


async def test_another_detection_takes_the_place_of_the_first(server: RunningSwitch) -> None:
    call = await arrived(server)
    path = f"/v1/legs/{call.leg.id}/amd"
    await server.ask("POST", path, {})
    await server.ask("POST", path, QUICK)
    event = await server.events.wait("amd.result", leg_id=call.leg.id)
    assert event["total_analysis_ms"] == 600
    assert server.events.types(leg_id=call.leg.id).count("amd.result") == 1


async def test_it_ends_silently_with_its_leg(server: RunningSwitch) -> None:
    call = await arrived(server)
    await server.ask("POST", f"/v1/legs/{call.leg.id}/amd", {})
    await server.ask("DELETE", f"/v1/legs/{call.leg.id}")
    await call.leg.ended.wait()
    assert "amd.result" not in server.events.types(leg_id=call.leg.id)


async def test_a_muted_leg_is_listened_to(server: RunningSwitch) -> None:
    call = await arrived(server)
    await server.ask("POST", f"/v1/legs/{call.leg.id}/mute")
    call.says(says(voice(1500)))
    await server.ask("POST", f"/v1/legs/{call.leg.id}/amd", QUICK)
    await server.events.wait("amd.result", leg_id=call.leg.id, result="machine")


async def test_who_cannot_be_listened_to(server: RunningSwitch) -> None:
    assert "not found" in await server.problem(404, "POST", "/v1/legs/nobody/amd", {})
    fake = await arrived(server, "fake_in")
    assert "SIP" in await server.problem(400, "POST", f"/v1/legs/{fake.leg.id}/amd", {})
    ringing = server.fake.receive("sip_inbound")
    assert "connected" in await server.problem(409, "POST", f"/v1/legs/{ringing.leg.id}/amd", {})
    held = await arrived(server)
    held.leg.held()
    assert "held" in await server.problem(409, "POST", f"/v1/legs/{held.leg.id}/amd", {})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"greeting_duration": -1}, "greeting_duration"),
        ({"beep_timeout": "5"}, "beep_timeout"),
        ({"total_analysis_time": 500}, "total_analysis_time"),
    ],
)
async def test_what_does_not_fit_is_named_wherever_it_is_asked(
    server: RunningSwitch, fields: dict[str, object], named: str
) -> None:
    call = await arrived(server)
    message = await server.problem(400, "POST", f"/v1/legs/{call.leg.id}/amd", fields)
    assert message.startswith(f"{named}: ")
    body = {"type": "fake", "to": "answers", "amd": fields}
    assert (await server.problem(400, "POST", "/v1/legs", body)).startswith(f"amd.{named}: ")
    assert len(server.switch.legs) == 1


async def test_it_is_a_command_of_the_event_stream(server: RunningSwitch) -> None:
    call = await arrived(server)
    async with server.vsi() as stream:
        assert (await stream.command("leg_amd_start", id=call.leg.id))["status"] == "started"


WAITING = {**QUICK, "beep_timeout": 5000}
LATER = 0.6
"""Seconds after the verdict."""


async def test_an_ear_that_is_opened_again_after_the_verdict_waits_for_the_beep(
    server: RunningSwitch,
) -> None:
    call = await server.dial(amd=WAITING, sample_rate=8000)
    call.says(says(silence(100), voice(900)))
    await server.events.wait("amd.result", leg_id=call.leg.id, result="machine")
    loop = asyncio.get_running_loop()
    judged = loop.time()
    await call.hears(LATER)
    await opened_again(server, call)
    await call.hears(1.2 * QUICK["initial_silence_timeout"] / 1000)
    call.says(from_now(tone(400, 1000)))
    begins_ms = (loop.time() - judged) * 1000 + 20 * AHEAD
    event = await server.events.wait("amd.beep", leg_id=call.leg.id)
    assert event["beep_ms"] == pytest.approx(begins_ms, abs=100)
    await only_the_call_is_open(server, call)
    types = server.events.types(leg_id=call.leg.id)
    assert (types.count("amd.result"), types.count("amd.beep")) == (1, 1)


async def test_an_ear_that_is_opened_again_waits_no_longer_than_asked(
    server: RunningSwitch,
) -> None:
    call = await server.dial(amd={**QUICK, "beep_timeout": 1000}, sample_rate=8000)
    call.says(says(silence(100), voice(900)))
    await server.events.wait("amd.result", leg_id=call.leg.id, result="machine")
    await opened_again(server, call)
    reopened = len(call.heard)
    await only_the_call_is_open(server, call)
    assert (len(call.heard) - reopened) / call.rate == pytest.approx(1.0, abs=0.1)
    types = server.events.types(leg_id=call.leg.id)
    assert (types.count("amd.result"), types.count("amd.beep")) == (1, 0)


@pytest.mark.parametrize(
    ("parts", "result"),
    [
        ((silence(900),), "not_sure"),
        ((silence(100), voice(300)), "not_sure"),
        ((silence(100), voice(1500)), "machine"),
    ],
    ids=["nothing", "a word", "a recording"],
)
async def test_an_ear_that_is_opened_again_before_the_verdict_has_missed_something(
    server: RunningSwitch, parts: tuple[np.ndarray, ...], result: str
) -> None:
    call = await arrived(server)
    await server.ask("POST", f"/v1/legs/{call.leg.id}/amd", WAITING)
    await opened_again(server, call)
    call.says(from_now(*parts))
    event = await server.events.wait("amd.result", leg_id=call.leg.id)
    assert event["result"] == result
    if result == "machine":  # and goes on, as any other
        await opened_again(server, call)
        call.says(from_now(silence(200), tone(400, 1000)))
        await server.events.wait("amd.beep", leg_id=call.leg.id)
    await only_the_call_is_open(server, call)
    assert server.events.types(leg_id=call.leg.id).count("amd.result") == 1


async def test_an_ear_that_is_gone_need_not_remember_to_wait(
    server: RunningSwitch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    call = await server.dial(amd=WAITING, sample_rate=8000)
    emit = call.leg.emit

    def closing(event: Event) -> None:
        """Its end comes between the verdict and what is to be remembered of it."""
        for ear in set(server.open_ports) - {call.leg.id}:
            server.switch.spawn(server.switch.media.close_port(ear))
        emit(event)

    monkeypatch.setattr(call.leg, "emit", closing)
    call.says(says(silence(100), voice(900)))
    await server.events.wait("amd.result", leg_id=call.leg.id, result="machine")
    await only_the_call_is_open(server, call)
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(("before", "result"), [(silence(300), "human"), (voice(300), "not_sure")])
async def test_what_was_heard_is_missed_in_another_media_worker(
    tmp_path: Path, before: np.ndarray, result: str
) -> None:
    """Nothing is missed by a leg that goes to a room there before anybody speaks."""
    limits = {**QUICK, "initial_silence_timeout": 3000, "after_greeting_silence": 1000}
    async with run_switch(tmp_path, AmdPlugin(), media_workers=2) as server:
        call = await arrived(server)
        await server.ask("POST", f"/v1/legs/{call.leg.id}/amd", limits)
        call.says(from_now(before))
        await call.hears(0.5)
        await server.ask("POST", "/v1/rooms/r/legs", {"leg_id": call.leg.id})
        alone, together = sorted(server.switch.media.hosts, key=lambda h: len(h.topology.ports))
        assert (len(alone.topology.ports), len(together.topology.ports)) == (0, 2)
        assert "r" in together.topology.rooms
        call.says(from_now(silence(100), voice(300)))
        event = await server.events.wait("amd.result", leg_id=call.leg.id)
        assert event["result"] == result
        await server.ask("DELETE", f"/v1/legs/{call.leg.id}")
        await server.leg_ended(call.leg.id)
