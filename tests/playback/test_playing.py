"""Playing to legs and rooms, over the API, with a real player: what is heard, and what is told."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hookswitch.errors import Conflict
from hookswitch.media.host import WorkerHost
from hookswitch.playback.messages import ToneSource
from hookswitch.testing.memory_bank import tone as voice
from hookswitch.testing.server import RunningSwitch, run_switch
from tests.sound import level, longest_gap_ms, tone
from tests.waves import write_wav

RATE = 16000
STARTED_AND_FINISHED = ["playback.started", "playback.finished"]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
    async with run_switch(tmp_path / "data", media_workers=1, media_dir=tmp_path) as running:
        yield running


@pytest.fixture
def prompt(tmp_path: Path) -> str:
    """A second of 1 kHz at -12 dBFS."""
    return write_wav(tmp_path / "prompt.wav", tone(1000, 1.0, RATE), RATE)


def sounds(frequency: float, above: float = -13.0) -> Callable[[np.ndarray], bool]:
    """That the last tenth of a second holds a frequency."""
    size = RATE // 10
    return lambda heard: len(heard) >= size and level(heard[-size:], frequency, RATE) > above


def syllables(number: int, samples: int) -> np.ndarray:
    """Five a second: what does not move is taken for noise by whom it was there before."""
    return voice(300, -12.0 - 4.0 * (number % 10), RATE)(number, samples)


async def play(server: RunningSwitch, path: str, **fields: Any) -> str:
    if "url" in fields:
        fields.setdefault("mime_type", "audio/wav")
    answer = await server.ask("POST", f"{path}/play", fields, status=200)
    assert answer["status"] == "playing"
    playback: str = answer["playback_id"]
    return playback


async def test_a_prompt_is_heard_once_and_its_end_is_told(
    server: RunningSwitch, prompt: str
) -> None:
    call, other = await server.dial(), await server.dial()
    path = f"/v1/legs/{call.leg.id}"
    playback = await play(server, path, url=prompt)
    await server.events.wait("playback.started", leg_id=call.leg.id, playback_id=playback)
    ended = await server.events.wait("playback.finished", playback_id=playback)
    assert (ended["reason"], ended["played_ms"]) == ("completed", 1000)
    heard = call.heard
    loud = np.flatnonzero(np.abs(heard) > 100)
    assert len(heard[loud[0] : loud[-1]]) == pytest.approx(RATE, abs=20)
    middle = heard[loud[0] + 800 : loud[-1] - 800]
    assert level(middle, 1000, RATE) == pytest.approx(-12, abs=0.1)
    assert longest_gap_ms(middle, RATE) < 2
    assert not np.any(other.heard)
    await server.problem(404, "DELETE", f"{path}/play/{playback}")


async def test_a_prompt_is_repeated_without_a_gap(server: RunningSwitch, prompt: str) -> None:
    call = await server.dial()
    playback = await play(server, f"/v1/legs/{call.leg.id}", url=prompt, repeat=3)
    ended = await server.events.wait("playback.finished", playback_id=playback)
    assert ended["played_ms"] == 3000
    loud = np.flatnonzero(np.abs(call.heard) > 100)
    assert longest_gap_ms(call.heard[loud[0] : loud[-1]], RATE) < 2


async def test_prompts_played_at_once_are_heard_together(
    server: RunningSwitch, prompt: str, tmp_path: Path
) -> None:
    call = await server.dial()
    other = write_wav(tmp_path / "other.wav", tone(1600, 1.0, 8000), 8000)
    path = f"/v1/legs/{call.leg.id}"
    await play(server, path, url=prompt, repeat=-1)
    await play(server, path, url=other, repeat=-1, volume=-2)
    await call.until(sounds(1600, -20))
    heard = (await call.hears(0.5))[-4000:]
    assert level(heard, 1000, RATE) == pytest.approx(-12, abs=0.2)
    assert level(heard, 1600, RATE) == pytest.approx(-18, abs=0.2)


async def test_the_volume_changes_by_3_db_a_step_and_never_clicks(
    server: RunningSwitch, prompt: str
) -> None:
    call = await server.dial()
    path = f"/v1/legs/{call.leg.id}"
    playback = await play(server, path, url=prompt, repeat=-1)
    await call.until(sounds(1000))
    mark = len(call.heard)
    for volume in (-8, 2, 0):
        answer = await server.ask("PATCH", f"{path}/play/{playback}", {"volume": volume})
        assert answer["status"] == "ok"
        heard = (await call.hears(0.3))[-1600:]
        assert level(heard, 1000, RATE) == pytest.approx(-12 + 3 * volume, abs=0.1)
    steepest = 32767 * 10 ** (-6 / 20) * 2 * np.pi * 1000 / RATE
    assert np.abs(np.diff(call.heard[mark:])).max() < steepest * 1.1
    for volume in (9, -9, "loud"):
        problem = await server.problem(400, "PATCH", f"{path}/play/{playback}", {"volume": volume})
        assert problem.startswith("volume")


async def test_stopping_is_told_and_leaves_silence(server: RunningSwitch) -> None:
    call = await server.dial()
    path = f"/v1/legs/{call.leg.id}"
    playback = await play(server, path, tone="gb_dial")
    await call.until(sounds(350, -30))
    assert (await server.ask("DELETE", f"{path}/play/{playback}"))["status"] == "stopped"
    ended = await server.events.wait("playback.finished", playback_id=playback)
    assert ended["reason"] == "stopped"
    assert 0 < ended["played_ms"] < 3000
    await call.hears(0.1)
    assert not (await call.hears(0.2)).any()


@pytest.mark.parametrize("cause", ["dtmf", "speech"])
async def test_the_caller_interrupts_a_prompt(
    server: RunningSwitch, prompt: str, cause: str
) -> None:
    call = await server.dial()
    path = f"/v1/legs/{call.leg.id}"
    stops = await play(server, path, url=prompt, repeat=-1, stop_on=["dtmf", "speech"])
    await call.until(sounds(1000))
    if cause == "dtmf":
        call.presses("5")
    else:
        call.says(voice(300, rate=RATE))
    ended = await server.events.wait("playback.finished", playback_id=stops)
    assert ended["reason"] == "stopped"
    assert not [e for e in server.events.events if e["type"].startswith("speaking")]
    await call.hears(0.1)
    assert level(await call.hears(0.2), 1000, RATE) < -60


async def test_a_room_hears_a_prompt_whatever_its_routing(
    server: RunningSwitch, prompt: str
) -> None:
    a = await server.dial(room_id="r")
    await server.ask("PUT", "/v1/rooms/r/routing", {"matrix": {"guest": []}})
    b = await server.dial()
    body = {"leg_id": b.leg.id, "role": "guest"}
    await server.ask("POST", "/v1/rooms/r/legs", body)
    outside = await server.dial()
    playback = await play(server, "/v1/rooms/r", url=prompt)
    await server.events.wait("playback.started", room_id="r", playback_id=playback)
    await server.events.wait("playback.finished", room_id="r", playback_id=playback)
    for call in (a, b):
        loud = np.flatnonzero(np.abs(call.heard) > 100)
        middle = call.heard[loud[0] + 800 : loud[-1] - 800]
        assert level(middle, 1000, RATE) == pytest.approx(-12, abs=0.2)
    assert not np.any(outside.heard)


async def test_who_comes_into_a_room_may_interrupt_its_prompt(
    server: RunningSwitch, prompt: str
) -> None:
    await server.dial(room_id="r")
    playback = await play(server, "/v1/rooms/r", url=prompt, repeat=-1, stop_on=["speech"])
    late = await server.dial(room_id="r")
    late.says(syllables)
    ended = await server.events.wait("playback.finished", playback_id=playback)
    assert ended["reason"] == "stopped"


async def test_a_tone_in_a_room_ends_when_the_last_has_left(server: RunningSwitch) -> None:
    first, last = await server.dial(room_id="r"), await server.dial(room_id="r")
    playback = await play(server, "/v1/rooms/r", tone="us_ringback")
    await first.until(sounds(440, -30))
    await server.ask("DELETE", f"/v1/rooms/r/legs/{first.leg.id}")
    await last.hears(0.1)
    assert not [e for e in server.events.events if e["type"] == "playback.finished"]
    await last.hangs_up()
    ended = await server.events.wait("playback.finished", room_id="r", playback_id=playback)
    assert ended["reason"] == "stopped"
    await server.problem(404, "DELETE", f"/v1/rooms/r/play/{playback}")


async def test_a_prompt_goes_along_into_a_room(server: RunningSwitch, prompt: str) -> None:
    call = await server.dial()
    await play(server, f"/v1/legs/{call.leg.id}", url=prompt, repeat=-1)
    await call.until(sounds(1000))
    await server.ask("POST", "/v1/rooms/r/legs", {"leg_id": call.leg.id})
    await call.hears(0.1)
    assert level(await call.hears(0.2), 1000, RATE) == pytest.approx(-12, abs=0.2)


async def test_a_leg_that_ends_ends_what_it_hears_first(server: RunningSwitch, prompt: str) -> None:
    call = await server.dial()
    playback = await play(server, f"/v1/legs/{call.leg.id}", url=prompt, repeat=-1)
    await server.events.wait("playback.started", playback_id=playback)
    await call.hangs_up()
    await server.events.wait("leg.disconnected")
    types = [event["type"] for event in server.events.events]
    assert types.index("playback.finished") < types.index("leg.disconnected")
    assert server.open_ports == []


async def test_nothing_is_told_of_a_prompt_whose_leg_went_before_it_began(
    server: RunningSwitch,
) -> None:
    call, other = await server.dial(), await server.dial()
    playbacks = server.switch.playbacks
    place = server.switch.leg_place(call.leg.id)
    begin = asyncio.Event()

    async def start() -> None:
        begin.set()
        await playbacks.start(place, ToneSource("dial"), 1, 0, ())

    starting = asyncio.create_task(start())
    await begin.wait()
    await playbacks.gone(call.leg.id)  # while the port is being opened
    with pytest.raises(Conflict):
        await starting
    await play(server, f"/v1/legs/{other.leg.id}", tone="dial")
    await server.events.wait("playback.started", leg_id=other.leg.id)
    await call.hangs_up()
    await server.events.wait("leg.disconnected", leg_id=call.leg.id)
    told = [e["type"] for e in server.events.events if e.get("leg_id") == call.leg.id]
    assert not [kind for kind in told if kind.startswith("playback")]
    assert len([port for port in server.open_ports if port.startswith("playback-")]) == 1


async def test_a_killed_player_goes_on_where_it_was(server: RunningSwitch, prompt: str) -> None:
    call = await server.dial()
    playback = await play(server, f"/v1/legs/{call.leg.id}", url=prompt, repeat=4)
    await call.until(sounds(1000))
    worker = server.switch.playbacks._player._worker
    assert worker is not None
    assert worker._process is not None
    worker._process.kill()
    ended = await server.events.wait("playback.finished", playback_id=playback)
    assert (ended["reason"], ended["played_ms"]) == ("completed", 4000)
    assert server.events.types(playback_id=playback) == STARTED_AND_FINISHED
    loud = np.flatnonzero(np.abs(call.heard) > 100)
    sounding = call.heard[loud[0] : loud[-1]]
    assert len(sounding) == pytest.approx(4 * RATE, abs=2 * RATE)


async def test_a_killed_media_worker_is_nothing_a_playback_tells(
    server: RunningSwitch, prompt: str
) -> None:
    call = await server.dial()
    playback = await play(server, f"/v1/legs/{call.leg.id}", url=prompt, repeat=4)
    await call.until(sounds(1000))
    (host,) = server.switch.media.hosts
    assert isinstance(host, WorkerHost)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    ended = await server.events.wait("playback.finished", playback_id=playback)
    assert (ended["reason"], ended["played_ms"]) == ("completed", 4000)
    assert server.events.types(playback_id=playback) == STARTED_AND_FINISHED


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "url"),
        ({"url": "http://a/b.wav", "tone": "dial", "mime_type": "audio/wav"}, "url"),
        ({"url": "http://a/b.wav"}, "mime_type: required"),
        ({"url": "http://a/b.wav", "mime_type": "nonsense"}, "mime_type: 'nonsense' is no MIME"),
        ({"url": "http://a/b.wav", "mime_type": "audio/wav;="}, "mime_type"),
        ({"url": "ftp://a/b.wav", "mime_type": "audio/wav"}, "url"),
        ({"url": "http:///b.wav", "mime_type": "audio/wav"}, "url"),
        ({"tone": "us_hum"}, "tone"),
        ({"tone": "dial", "volume": 9}, "volume"),
        ({"tone": "dial", "repeat": -2}, "repeat"),
        ({"tone": "dial", "stop_on": ["hiccup"]}, "stop_on"),
        ({"tone": 5}, "tone"),
    ],
)
async def test_what_cannot_be_played_is_refused_by_name(
    running_switch: RunningSwitch, fields: dict[str, Any], field: str
) -> None:
    call = await running_switch.dial()
    problem = await running_switch.problem(400, "POST", f"/v1/legs/{call.leg.id}/play", fields)
    assert problem.removeprefix("body: exactly one of ").startswith(field)


async def test_a_room_is_played_no_nonsense_either(running_switch: RunningSwitch) -> None:
    await running_switch.dial(room_id="r")
    fields = {"url": "http://a/b.wav", "mime_type": "nonsense"}
    problem = await running_switch.problem(400, "POST", "/v1/rooms/r/play", fields)
    assert problem.startswith("mime_type: ")


@pytest.mark.parametrize("mime", [" ", "audio/L16;rate=16000", 'audio/L16; rate="8000"', "x/y"])
async def test_what_is_a_mime_type_is_accepted(server: RunningSwitch, mime: str) -> None:
    call = await server.dial()
    await play(server, f"/v1/legs/{call.leg.id}", url="file:none.wav", mime_type=mime)


async def test_nobody_is_there_to_hear(running_switch: RunningSwitch) -> None:
    dial = {"tone": "dial"}
    await running_switch.problem(404, "POST", "/v1/legs/nobody/play", dial)
    await running_switch.problem(404, "POST", "/v1/rooms/nowhere/play", dial)
    await running_switch.ask("POST", "/v1/rooms", {"id": "empty"})
    await running_switch.problem(409, "POST", "/v1/rooms/empty/play", dial)
    ringing = running_switch.fake.receive()
    await running_switch.problem(409, "POST", f"/v1/legs/{ringing.leg.id}/play", dial)
    await running_switch.problem(404, "DELETE", f"/v1/legs/{ringing.leg.id}/play/none")


async def test_a_file_that_is_not_there_is_an_event(server: RunningSwitch) -> None:
    call = await server.dial()
    playback = await play(server, f"/v1/legs/{call.leg.id}", url="file:///nowhere/at.wav")
    failed = await server.events.wait("playback.error", playback_id=playback)
    assert failed["error"]
    async with asyncio.timeout(5):
        while f"playback-{playback}" in server.open_ports:
            await call.hears(0.02)


async def test_commands_of_the_stream_play_too(server: RunningSwitch, prompt: str) -> None:
    call = await server.dial()
    async with server.vsi() as stream:
        leg = {"leg_id": call.leg.id}
        body = {"url": prompt, "mime_type": "audio/wav", "repeat": -1}
        playback = (await stream.command("leg_play_start", **leg, **body))["playback_id"]
        where = {**leg, "playback_id": playback}
        assert (await stream.command("leg_play_volume", **where, volume=-1))["status"] == "ok"
        assert (await stream.command("leg_play_stop", **where))["status"] == "stopped"
