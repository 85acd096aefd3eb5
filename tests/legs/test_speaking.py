"""Events of speaking: wanted or not, started, stopped, silenced by mute."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookswitch.testing.memory_bank import silence, tone
from hookswitch.testing.server import RunningSwitch, run_switch

VOICE = tone(300, rate=16000)


async def test_speech_begins_and_ends(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial(speech_detection=True, room_id="r")
    call.says(VOICE)
    started = await running_switch.events.wait("speaking.started")
    assert (started["leg_id"], started["room_id"]) == (call.leg.id, "r")
    call.says(silence)
    stopped = await running_switch.events.wait("speaking.stopped")
    assert (stopped["leg_id"], stopped["room_id"]) == (call.leg.id, "r")


async def test_who_is_muted_does_not_speak(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial(speech_detection=True)
    call.says(VOICE)
    await running_switch.events.wait("speaking.started")
    await running_switch.ask("POST", f"/v1/legs/{call.leg.id}/mute")
    await running_switch.events.wait("speaking.stopped")
    await call.hears(0.2)
    await running_switch.ask("PATCH", f"/v1/legs/{call.leg.id}/role", {"role": "agent"})
    await running_switch.events.wait("leg.role_changed")
    speaking = [e for e in running_switch.events.types() if e.startswith("speaking")]
    assert speaking == ["speaking.started", "speaking.stopped"]


@pytest.mark.parametrize(
    ("default", "wanted", "told"),
    [
        (False, None, False),
        (True, None, True),
        (True, False, False),
        (False, True, True),
    ],
)
async def test_who_is_watched(
    tmp_path: Path, default: bool, wanted: bool | None, told: bool
) -> None:
    async with run_switch(tmp_path, speech_detection_enabled=default) as server:
        call = await server.dial(speech_detection=wanted)
        call.says(VOICE)
        await call.hears(0.3)
        await server.ask("POST", f"/v1/legs/{call.leg.id}/mute")
        await server.events.wait("leg.muted")
        assert ("speaking.started" in server.events.types()) is told


async def test_answering_decides_whether_speech_is_told(running_switch: RunningSwitch) -> None:
    call = running_switch.fake.receive("sip_inbound")
    path = f"/v1/legs/{call.leg.id}/answer"
    for wrong in ("yes", 1):
        body = {"speech_detection": wrong}
        assert "speech_detection" in await running_switch.problem(400, "POST", path, body)
    await running_switch.ask("POST", path, {"speech_detection": True}, status=202)
    call.says(VOICE)
    await running_switch.events.wait("speaking.started")
