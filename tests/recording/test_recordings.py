"""Recording legs and rooms, over the API, with a real recorder: what is in the files."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hookswitch.media.host import WorkerHost
from hookswitch.testing.fake_transport import FakeCall
from hookswitch.testing.memory_bank import tone
from hookswitch.testing.server import RunningSwitch, run_switch
from tests.sound import level, longest_gap_ms
from tests.waves import read_wav

RATE = 16000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
    folder = tmp_path / "recordings"
    async with run_switch(tmp_path / "data", media_workers=1, recording_dir=folder) as running:
        yield running


async def speaker(server: RunningSwitch, frequency: float, **fields: Any) -> FakeCall:
    call = await server.dial(**fields)
    call.says(tone(frequency, rate=call.rate))
    return call


def steady(channel: np.ndarray, rate: int = RATE) -> np.ndarray:
    """Without what comes and goes at both ends."""
    return channel[rate // 5 : -rate // 5]


async def test_a_leg_alone_left_what_it_says_right_what_it_hears(
    server: RunningSwitch, tmp_path: Path
) -> None:
    call = await speaker(server, 440)
    path = f"/v1/legs/{call.leg.id}"
    await server.ask("POST", f"{path}/play", {"tone": "gb_dial"})
    await call.until(lambda heard: len(heard) > RATE and level(heard[-3200:], 350, RATE) > -30)
    began = time.monotonic()
    answer = await server.ask("POST", f"{path}/record")
    assert answer["status"] == "recording"
    started = await server.events.wait("recording.started", leg_id=call.leg.id)
    assert started["file"] == answer["file"]
    folder = Path(answer["file"]).parent
    assert [name for name in os.listdir(folder) if not name.startswith(".")] == []
    await call.hears(1.0)
    stopped = await server.ask("DELETE", f"{path}/record")
    assert (stopped["status"], stopped["file"]) == ("stopped", answer["file"])
    await server.events.wait("recording.finished", leg_id=call.leg.id, file=answer["file"])
    audio, rate = read_wav(answer["file"])
    assert (rate, audio.shape[1]) == (RATE, 2)
    assert 0.8 * RATE <= len(audio) <= (time.monotonic() - began + 0.1) * RATE
    left, right = steady(audio[:, 0]), steady(audio[:, 1])
    assert level(left, 440, RATE) == pytest.approx(-12, abs=0.2)
    assert level(left, 350, RATE) < -70
    assert level(right, 350, RATE) > -30
    assert longest_gap_ms(left, RATE) < 2
    await server.problem(404, "DELETE", f"{path}/record")


async def test_a_leg_in_a_room_right_is_the_others(server: RunningSwitch) -> None:
    a, b = await speaker(server, 440, room_id="r"), await speaker(server, 1000, room_id="r")
    path = f"/v1/legs/{a.leg.id}"
    await server.ask("POST", f"{path}/mute")
    await server.ask("POST", f"{path}/record", {"filename": "a.wav"})
    await b.hears(0.8)
    file = (await server.ask("DELETE", f"{path}/record"))["file"]
    assert Path(file).name == "a.wav"
    audio, rate = read_wav(file)
    assert rate == 16000
    assert level(steady(audio[:, 0]), 440, RATE) == pytest.approx(-12, abs=0.2)  # though muted
    assert level(steady(audio[:, 0]), 1000, RATE) < -72
    assert level(steady(audio[:, 1]), 1000, RATE) == pytest.approx(-12, abs=0.2)
    assert level(steady(audio[:, 1]), 440, RATE) < -72
    problem = await server.problem(409, "POST", f"{path}/record", {"filename": "a.wav"})
    assert problem.startswith("filename")


@pytest.mark.parametrize("taken", ["zz.wav", "zz-multi.wav"])
async def test_a_name_that_is_taken_is_refused_by_that_name(
    server: RunningSwitch, tmp_path: Path, taken: str
) -> None:
    call = await server.dial(room_id="r")
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / taken).touch()
    for path in (f"/v1/legs/{call.leg.id}/record", "/v1/rooms/r/record"):
        body = {"filename": "zz", "multi_channel": True}
        problem = await server.problem(409, "POST", path, body)
        assert problem == f"filename: {taken} exists already"


async def test_a_name_of_a_recording_that_goes_on_is_refused_by_that_name(
    server: RunningSwitch,
) -> None:
    call = await server.dial(room_id="r")
    both = {"filename": "zz", "multi_channel": True}
    await server.ask("POST", "/v1/rooms/r/record", both)
    path = f"/v1/legs/{call.leg.id}/record"
    for name, taken in (("zz", "zz.wav"), ("zz-multi", "zz-multi.wav")):
        problem = await server.problem(409, "POST", path, {"filename": name})
        assert problem == f"filename: {taken} exists already"
    await server.ask("DELETE", "/v1/rooms/r/record")


async def test_a_room_is_mixed_and_each_participant_has_a_channel(server: RunningSwitch) -> None:
    a, b = await speaker(server, 440, room_id="r"), await speaker(server, 1000, room_id="r")
    await server.ask("POST", "/v1/rooms/r/record", {"multi_channel": True, "filename": "r"})
    await a.hears(0.8)
    c = await speaker(server, 1600, room_id="r")
    await a.hears(0.8)
    await server.ask("DELETE", f"/v1/rooms/r/legs/{b.leg.id}")
    await a.hears(0.8)
    answer = await server.ask("DELETE", "/v1/rooms/r/record")
    mix, rate = read_wav(answer["file"])
    assert (rate, mix.shape[1]) == (RATE, 1)
    assert level(steady(mix[:, 0])[: RATE // 2], 440, RATE) == pytest.approx(-12, abs=0.2)
    channels, _ = read_wav(answer["multi_channel_file"])
    spans = answer["channels"]
    assert set(spans) == {a.leg.id, b.leg.id, c.leg.id}
    assert sorted(span["channel"] for span in spans.values()) == [0, 1, 2]
    assert len(channels) == len(mix)
    for call, frequency in ((a, 440), (b, 1000), (c, 1600)):
        span = spans[call.leg.id]
        channel = channels[:, span["channel"]]
        start, end = span["start_ms"] * RATE // 1000, span["end_ms"] * RATE // 1000
        assert not channel[: max(start, 0)].any()
        assert not channel[end:].any()
        assert level(steady(channel[start:end]), frequency, RATE) == pytest.approx(-12, abs=0.2)
        for other in {440, 1000, 1600} - {frequency}:
            assert level(steady(channel[start:end]), other, RATE) < -72
    assert spans[c.leg.id]["start_ms"] > 600
    assert spans[b.leg.id]["end_ms"] < len(mix) * 1000 // RATE - 500


async def test_each_event_tells_the_channels_so_far(server: RunningSwitch) -> None:
    a, b = await speaker(server, 440, room_id="r"), await speaker(server, 1000, room_id="r")
    path = "/v1/rooms/r/record"
    await server.ask("POST", path, {"multi_channel": True})
    started = await server.events.wait("recording.started")
    assert started["channels"] == {a.leg.id: {"channel": 0}, b.leg.id: {"channel": 1}}
    assert started["multi_channel_file"].endswith("-multi.wav")
    await server.ask("DELETE", f"/v1/rooms/r/legs/{a.leg.id}")
    c = await speaker(server, 1600)
    await server.ask("POST", "/v1/rooms/r/legs", {"leg_id": c.leg.id})
    await server.switch.recordings.get("r").join("ghost", "no such port")
    await server.ask("POST", f"{path}/pause")
    paused = await server.events.wait("recording.paused")
    assert paused["channels"] == started["channels"] | {c.leg.id: {"channel": 2}}
    await server.ask("POST", "/v1/rooms/r/legs", {"leg_id": a.leg.id})  # has its channel again
    await server.ask("POST", f"{path}/resume")
    resumed = await server.events.wait("recording.resumed")
    assert resumed["channels"] == paused["channels"]
    answer = await server.ask("DELETE", path)
    finished = await server.events.wait("recording.finished")
    assert finished["channels"] == answer["channels"]
    numbers = {name: {"channel": one["channel"]} for name, one in answer["channels"].items()}
    assert numbers == resumed["channels"]
    assert "omitted_legs" not in started
    for event in (paused, resumed, finished):
        assert event["omitted_legs"] == ["ghost"]


async def test_channels_and_mix_are_aligned_to_the_sample(server: RunningSwitch) -> None:
    a = await speaker(server, 440, room_id="r")
    await server.ask("POST", "/v1/rooms/r/record", {"multi_channel": True})
    await a.hears(0.3)
    await speaker(server, 1000, room_id="r")
    await a.hears(0.5)
    answer = await server.ask("DELETE", "/v1/rooms/r/record")
    mix, _ = read_wav(answer["file"])
    channels, _ = read_wav(answer["multi_channel_file"])
    total = channels.astype(int).sum(axis=1)
    # both are there: what the room heard is the sum of the channels, sample by sample
    at = slice(-RATE // 4 - 3200, -3200)
    assert np.abs(total[at] - mix[at, 0].astype(int)).max() <= 3


async def test_a_leg_has_no_second_file(server: RunningSwitch, tmp_path: Path) -> None:
    call = await speaker(server, 440)
    path = f"/v1/legs/{call.leg.id}/record"
    await server.ask("POST", path, {"multi_channel": True, "filename": "leg"})
    await call.hears(0.2)
    answer = await server.ask("DELETE", path)
    assert answer.keys() == {"instance_id", "status", "file"}
    finished = await server.events.wait("recording.finished")
    assert "multi_channel_file" not in finished
    names = [name for name in os.listdir(tmp_path / "recordings") if name[0] != "."]
    assert names == ["leg.wav"]


async def test_a_pause_is_silence_of_its_length(server: RunningSwitch) -> None:
    call = await speaker(server, 440)
    path = f"/v1/legs/{call.leg.id}/record"
    began = time.monotonic()
    await server.ask("POST", path)
    await call.hears(0.4)
    assert (await server.ask("POST", f"{path}/pause"))["status"] == "paused"
    assert (await server.ask("POST", f"{path}/pause"))["status"] == "already_paused"
    await call.hears(0.6)
    assert (await server.ask("POST", f"{path}/resume"))["status"] == "resumed"
    assert (await server.ask("POST", f"{path}/resume"))["status"] == "not_paused"
    await call.hears(0.4)
    answer = await server.ask("DELETE", path)
    await server.events.wait("recording.paused", leg_id=call.leg.id)
    await server.events.wait("recording.resumed", leg_id=call.leg.id)
    audio, _ = read_wav(answer["file"])
    assert longest_gap_ms(audio[:, 0], RATE) == pytest.approx(620, abs=80)
    assert 1.2 * RATE <= len(audio) <= (time.monotonic() - began + 0.1) * RATE


async def test_it_stops_when_its_leg_ends(server: RunningSwitch) -> None:
    call = await speaker(server, 440)
    answer = await server.ask("POST", f"/v1/legs/{call.leg.id}/record")
    await call.hears(0.5)
    await call.hangs_up()
    await server.events.wait("recording.finished", file=answer["file"])
    audio, _ = read_wav(answer["file"])
    assert level(steady(audio[:, 0]), 440, RATE) == pytest.approx(-12, abs=0.3)


async def test_it_stops_when_its_room_is_empty(server: RunningSwitch) -> None:
    call = await speaker(server, 440, room_id="r")
    answer = await server.ask("POST", "/v1/rooms/r/record")
    await call.hears(0.5)
    await server.ask("DELETE", f"/v1/rooms/r/legs/{call.leg.id}")
    await server.events.wait("recording.finished", room_id="r", file=answer["file"])
    assert len(read_wav(answer["file"])[0]) > 0.4 * RATE


async def test_it_stops_when_its_room_is_deleted(server: RunningSwitch) -> None:
    call = await speaker(server, 440, room_id="r")
    answer = await server.ask("POST", "/v1/rooms/r/record")
    await call.hears(0.8)
    await server.ask("DELETE", "/v1/rooms/r")
    await server.events.wait("recording.finished", room_id="r", file=answer["file"])
    assert level(steady(read_wav(answer["file"])[0][:, 0]), 440, RATE) > -13


async def _decoded(file: str) -> bytes:
    """By FFmpeg: 16 kHz, interleaved."""
    decode = ("ffmpeg", "-v", "error", "-i", file, "-f", "s16le", "-ar", "16000", "-")
    process = await asyncio.create_subprocess_exec(*decode, stdout=asyncio.subprocess.PIPE)
    raw, _ = await process.communicate()
    assert process.returncode == 0
    return raw


@pytest.mark.parametrize("extension", ["opus", "flac"])
async def test_other_formats_hold_the_same_sound(server: RunningSwitch, extension: str) -> None:
    call = await speaker(server, 440)
    path = f"/v1/legs/{call.leg.id}/record"
    answer = await server.ask("POST", path, {"format": extension})
    assert answer["file"].endswith(f".{extension}")
    await call.hears(1.0)
    file = (await server.ask("DELETE", path))["file"]
    raw = await _decoded(file)
    audio = np.frombuffer(raw, "<i2").reshape(-1, 2)
    assert level(steady(audio[:, 0]), 440, RATE) == pytest.approx(-12, abs=0.5)


async def test_a_killed_media_worker_takes_no_time_from_the_recording(
    server: RunningSwitch,
) -> None:
    call = await speaker(server, 440)
    path = f"/v1/legs/{call.leg.id}/record"
    await server.ask("POST", path)
    await call.hears(0.5)
    host = server.switch.media.hosts[0]
    assert isinstance(host, WorkerHost)
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    await call.hears(2.0)
    answer = await server.ask("DELETE", path)
    audio, _ = read_wav(answer["file"])
    finished = await server.events.wait("recording.finished", file=answer["file"])
    assert finished["duration_ms"] == len(audio) * 1000 // RATE
    assert level(audio[-RATE // 2 :, 0][: RATE // 4], 440, RATE) > -20  # it is back


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"filename": "a/b"}, "filename"),
        ({"filename": ".hidden"}, "filename"),
        ({"filename": "x" * 241}, "filename"),
        ({"filename": "\u00e4" * 121}, "filename"),
        ({"format": "mp3"}, "format"),
        ({"storage": "tape"}, "storage"),
        ({"multi_channel": "yes"}, "multi_channel"),
    ],
)
async def test_what_cannot_be_recorded_is_refused_by_name(
    running_switch: RunningSwitch, fields: dict[str, Any], field: str
) -> None:
    call = await running_switch.dial()
    problem = await running_switch.problem(400, "POST", f"/v1/legs/{call.leg.id}/record", fields)
    assert problem.startswith(field)


@pytest.mark.parametrize("extension", ["wav", "opus"])
async def test_the_longest_name_has_room_for_all_that_is_made_of_it(
    server: RunningSwitch, tmp_path: Path, extension: str
) -> None:
    call = await speaker(server, 440, room_id="r")
    name, path = "\u00e4" * 120, "/v1/rooms/r/record"
    fields = {"filename": name, "multi_channel": True, "format": extension}
    await server.ask("POST", path, fields)
    await call.hears(0.3)
    folder = tmp_path / "recordings"
    for taken in (f"{name}.{extension}", f"{name}-multi.wav"):
        folder.joinpath(taken).write_bytes(b"another's")
    answer = await server.ask("DELETE", path)
    assert Path(answer["file"]).name == f"{name}-2.{extension}"
    assert Path(answer["multi_channel_file"]).name == f"{name}-multi-2.wav"


async def test_nothing_is_there_to_record(running_switch: RunningSwitch) -> None:
    await running_switch.problem(404, "POST", "/v1/legs/nobody/record")
    await running_switch.ask("POST", "/v1/rooms", {"id": "empty"})
    await running_switch.problem(409, "POST", "/v1/rooms/empty/record")
    ringing = running_switch.fake.receive()
    await running_switch.problem(409, "POST", f"/v1/legs/{ringing.leg.id}/record")
    for verb in ("pause", "resume"):
        await running_switch.problem(404, "POST", f"/v1/legs/{ringing.leg.id}/record/{verb}")


async def test_a_place_is_recorded_once(server: RunningSwitch) -> None:
    call = await speaker(server, 440)
    await server.ask("POST", f"/v1/legs/{call.leg.id}/record")
    await server.problem(409, "POST", f"/v1/legs/{call.leg.id}/record")
