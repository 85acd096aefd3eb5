"""Detections as applications see them: requests, answers, events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from hookswitch.testing.fake_transport import FakeCall
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
