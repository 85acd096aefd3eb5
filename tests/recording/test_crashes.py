"""A recorder that dies, a server that dies, a disk that is full: what was heard is kept."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from hookswitch.recording.messages import Finish, Finished, RecorderPulse
from hookswitch.recording.recorder.sidecar import Place
from hookswitch.recording.recorder.staged import StagedFile
from hookswitch.recording.recorder.wav import WavFormat

from .conftest import Desk, numbers, read, sine

RATE = 16000


async def test_a_recorder_that_is_killed_loses_nothing(desk: Desk) -> None:
    left, right = desk.channel("left", numbers(RATE)), desk.channel("right", numbers(RATE, 5), 1)
    order = desk.record("call", left, right)
    for life in range(3):
        await desk.play(1.1)
        desk.kill()
        for _ in range(25):  # the mixer goes on, and its rings hold a second
            desk.tick()
        desk.start(ongoing=["call"])
        desk.say(order, [desk.fd(left), desk.fd(right)])
        await desk.play(0.3)
        assert not (desk.files / "call.wav").exists(), life
    told = await desk.finish("call")
    assert (told.duration_ms, told.recovered) == (5700, False)
    audio, _ = read(told.file)
    assert np.array_equal(audio[:, 0], np.arange(57 * RATE // 10) % 32767 + 1)
    assert np.array_equal(audio[:, 1], (np.arange(57 * RATE // 10) + 5) % 32767 + 1)


async def test_a_room_goes_on_after_its_recorder_was_killed(desk: Desk) -> None:
    """Paused before, resumed after; somebody had left, somebody else is still there."""
    mix, ann = desk.channel("mix", numbers(RATE)), desk.channel("ann", numbers(RATE), 1)
    order = desk.record("room", mix, many=True)
    desk.add("room", ann)
    await desk.play(1)
    bob = desk.channel("bob", numbers(RATE, desk.heard(mix)), 1)
    desk.add("room", bob)
    await desk.play(1)
    await desk.leave("room", ann)
    desk.pause("room", desk.heard(mix))
    await desk.play(0.5)
    desk.kill()
    for _ in range(20):
        desk.tick()
    desk.start(ongoing=["room"])
    desk.say(order, [desk.fd(mix)])
    desk.add("room", bob)
    desk.pause("room", 2 * RATE)
    await desk.play(0.1)
    desk.resume("room", desk.heard(mix))
    await desk.play(1)
    told = await desk.finish("room")
    expected = np.arange(4 * RATE) % 32767 + 1
    expected[2 * RATE : 3 * RATE] = 0
    assert np.array_equal(read(told.file)[0][:, 0], expected)
    assert told.multi_channel_file is not None
    many, _ = read(told.multi_channel_file)
    assert np.array_equal(many[:, 0], np.where(np.arange(4 * RATE) < 2 * RATE, expected, 0))
    assert np.array_equal(many[:, 1], np.where(np.arange(4 * RATE) < RATE, 0, expected))
    assert (told.channels["ann"].start_ms, told.channels["ann"].end_ms) == (0, 2000)
    assert (told.channels["bob"].start_ms, told.channels["bob"].end_ms) == (1000, 4000)


async def test_a_recorder_that_was_away_too_long_keeps_the_time(desk: Desk) -> None:
    mix = desk.channel("mix", numbers(RATE))
    order = desk.record("call", mix)
    await desk.play(1)
    desk.kill()
    for _ in range(100):
        desk.tick()
    desk.start(ongoing=["call"])
    desk.say(order, [desk.fd(mix)])
    await desk.play(1)
    told = await desk.finish("call")
    audio, _ = read(told.file)
    expected = np.arange(4 * RATE) % 32767 + 1
    assert len(audio) == 4 * RATE
    lost = np.flatnonzero(audio[:, 0] != expected)
    assert not audio[lost].any()
    assert 1.1 * RATE <= len(lost) <= 1.5 * RATE
    assert (await desk.told(RecorderPulse)).lost in (0, len(lost))


async def test_after_a_crash_of_everything_files_are_recovered(desk: Desk) -> None:
    desk.record("stereo", desk.channel("left", numbers(RATE)), desk.channel("right"))
    desk.record("flac", desk.channel("mix", sine(440, RATE)), form="flac")
    mix, ann = desk.channel("mix", numbers(RATE)), desk.channel("ann", numbers(RATE), 1)
    desk.record("room", mix, many=True)
    desk.add("room", ann)
    await desk.play(1.5)
    await desk.leave("room", ann)
    await desk.play(1.5)
    desk.pause("room", desk.heard(mix))
    await desk.play(0.5)
    await desk.written()
    desk.kill()
    assert list(desk.files.glob("[!.]*")) == []
    desk.start()
    told = {name: await desk.finished(name) for name in ("stereo", "flac", "room")}
    assert all(one.recovered and one.error is None for one in told.values())
    assert {one.duration_ms for one in told.values()} == {3500}
    expected = np.arange(7 * RATE // 2) % 32767 + 1
    assert np.array_equal(read(told["stereo"].file)[0][:, 0], expected)
    expected[3 * RATE :] = 0
    assert np.array_equal(read(told["room"].file)[0][:, 0], expected)
    many = told["room"].multi_channel_file
    assert many is not None
    expected[3 * RATE // 2 :] = 0
    assert np.array_equal(read(many)[0][:, 0], expected)
    assert told["room"].channels["ann"].end_ms == 1500
    names = ["flac.flac", "room-channels.wav", "room.wav", "stereo.wav"]
    assert await desk.names() == names


async def test_when_control_hangs_up_the_rings_are_written_and_left_staged(desk: Desk) -> None:
    desk.record("call", desk.channel("mix", numbers(RATE)))
    await desk.play(1)
    for _ in range(25):
        desk.tick()
    await desk.stop()
    assert list(desk.files.glob("[!.]*")) == []
    desk.start()
    told = await desk.finished("call")
    assert (told.recovered, told.duration_ms) == (True, 1500)
    assert np.array_equal(read(told.file)[0][:, 0], np.arange(RATE * 3 // 2) + 1)


async def test_what_another_server_records_is_not_recovered(desk: Desk, tmp_path: Path) -> None:
    desk.record("ours", desk.channel("mix", numbers(RATE)))
    await desk.play(0.5)
    other = Desk(tmp_path / "files")
    other.files = desk.files
    other.start()
    try:
        await other.told(RecorderPulse)
        await other.told(RecorderPulse)
        assert not other.received
        await desk.play(0.5)
        assert (await desk.finish("ours")).duration_ms == 1000
    finally:
        other.close()


async def test_nonsense_beside_recordings_is_left_alone(desk: Desk) -> None:
    await desk.stop()
    for name, text in (("one", "{"), ("two", "{}"), ("three", '{"id": 5}'), ("four", "[]")):
        Place(desk.files, name).sidecar.write_text(text)
    (desk.files / ".five.part").write_text("who knows")
    desk.start()
    desk.record("call", desk.channel("mix", numbers(RATE)))
    await desk.play(0.5)
    assert (await desk.finish("call")).error is None
    assert len(await desk.names(staged=5)) == 6


@pytest.mark.parametrize("step", ["linked", "published", "merged"])
async def test_a_crash_while_publishing_is_made_up_for(desk: Desk, step: str) -> None:
    """What a recorder leaves that dies between two steps."""
    mix, ann = desk.channel("mix", numbers(RATE)), desk.channel("ann", numbers(RATE), 1)
    desk.record("room", mix, many=True)
    desk.add("room", ann)
    await desk.play(1)
    await desk.stop()
    place = Place(desk.files, "room")
    sidecar = json.loads(place.sidecar.read_text())
    sidecar["frames"] = RATE
    place.sidecar.write_text(json.dumps(sidecar))
    staged = StagedFile(place.main, WavFormat(RATE, 1))
    staged.complete(RATE)
    staged.close()
    os.link(place.main, desk.files / "room.wav")
    if step != "linked":
        place.main.unlink()
    if step == "merged":
        made = StagedFile(place.made, WavFormat(RATE, 1))
        made.close()
    desk.start()
    told = await desk.finished("room")
    assert (told.file, told.duration_ms) == (desk.files / "room.wav", 1000)
    assert told.multi_channel_file is not None
    expected = np.arange(RATE) + 1
    assert np.array_equal(read(told.file)[0][:, 0], expected)
    assert np.array_equal(read(told.multi_channel_file)[0][:, 0], expected)
    names = ["room-channels.wav", "room.wav"]
    assert await desk.names() == names


async def test_channels_that_had_no_room_are_made_at_the_next_start(desk: Desk) -> None:
    """The recording is published; of that, a full disk let nothing be noted."""
    mix, ann = desk.channel("mix", numbers(RATE)), desk.channel("ann", numbers(RATE), 1)
    desk.record("room", mix, many=True)
    desk.add("room", ann)
    await desk.play(1)
    await desk.stop()
    Place(desk.files, "room").main.rename(desk.files / "room.wav")
    desk.start()
    told = await desk.finished("room")
    assert (told.duration_ms, told.file) == (1000, desk.files / "room.wav")
    assert told.multi_channel_file is not None
    assert np.array_equal(read(told.multi_channel_file)[0][:, 0], np.arange(RATE) + 1)
    assert await desk.names() == ["room-channels.wav", "room.wav"]


async def test_orders_repeated_for_what_is_over_touch_no_ring(desk: Desk) -> None:
    """A recorder dies when it has made the file, but before it could say so."""
    mix = desk.channel("mix", numbers(RATE))
    order = desk.record("call", mix)
    await desk.play(1)
    await desk.stop()
    place = Place(desk.files, "call")
    sidecar = json.loads(place.sidecar.read_text())
    sidecar["frames"] = RATE
    place.sidecar.write_text(json.dumps(sidecar))
    for _ in range(10):  # the ring is another's now
        desk.tick()
    written = int(desk.arena(mix).heard_out[mix.row])
    desk.start(ongoing=["call"])
    desk.say(order, [desk.fd(mix)])
    desk.say(Finish("call"))
    told = await desk.finished("call")
    assert told.duration_ms == 1000
    assert np.array_equal(read(told.file)[0][:, 0], np.arange(RATE) + 1)
    assert desk.arena(mix).heard_out[mix.row] == written
    assert await desk.names() == ["call.wav"]


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("form", ["wav", "flac"])
async def test_a_recording_that_cannot_grow_ends_and_the_others_go_on(
    desk: Desk, form: str
) -> None:
    """A file may have 100,000 bytes: stereo reaches that when mono is half way."""
    await desk.stop()
    desk.start(preexec_fn=lambda: limit(100_000))
    mix = numbers(RATE)
    desk.record("stereo", desk.channel("l", mix), desk.channel("r", mix), form=form)  # type: ignore[arg-type]
    mono = desk.channel("mix", mix)
    desk.record("mono", mono)
    for _ in range(100):
        desk.tick()
        if desk.ticks % 20 == 0:
            await desk.written(mono)
    told = await desk.finished("stereo")
    assert told.error == "File too large"
    assert told.duration_ms == pytest.approx(100_000 / 64, abs=2)
    if form == "wav":
        audio, _ = read(told.file)
        assert np.array_equal(audio[:, 1], np.arange(len(audio)) % 32767 + 1)
    assert told.file.name == f"stereo.{form}"
    desk.say(Finish("stereo"))  # crossed with what the recorder said
    other = await desk.finish("mono")
    assert (other.error, other.duration_ms) == (None, 2000)
    assert not [one for one in desk.received if isinstance(one, Finished)]


async def test_a_folder_that_cannot_be_written_is_said_to_be(desk: Desk, tmp_path: Path) -> None:
    await desk.stop()
    desk.files = tmp_path / "file" / "recordings"
    (tmp_path / "file").write_text("no folder")
    desk.start()
    desk.record("call", desk.channel("mix", numbers(RATE)))
    told = await desk.finished("call")
    assert told.error is not None
    assert told.duration_ms == 0
    await desk.told(RecorderPulse)
