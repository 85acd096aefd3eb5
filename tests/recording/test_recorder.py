"""What is heard is in the files, sample for sample and in its time."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE
from pathlib import Path

import numpy as np
import pytest

from hookswitch.recording.messages import ChannelEnded, RecorderPulse
from tests.sound import level

from .conftest import Desk, numbers, read, sine

RATE = 16000


@pytest.mark.parametrize("desk", [8000, 16000, 48000], indirect=True, ids=str)
async def test_stereo_keeps_its_sides_apart(desk: Desk) -> None:
    left = desk.channel("left", sine(440, desk.rate))
    right = desk.channel("right", sine(1000, desk.rate), arena=1)
    desk.record("call", left, right)
    await desk.play(3)
    told = await desk.finish("call")
    assert (told.file, told.duration_ms, told.error) == (desk.files / "call.wav", 3000, None)
    audio, rate = read(told.file)
    assert (rate, audio.shape) == (desk.rate, (3 * desk.rate, 2))
    for side, own, other in ((0, 440, 1000), (1, 1000, 440)):
        assert level(audio[:, side], own, rate) == pytest.approx(-6, abs=0.1)
        assert level(audio[:, side], other, rate) < -80
    assert await desk.names() == ["call.wav"]


async def test_every_sample_is_where_it_belongs(desk: Desk) -> None:
    desk.record("call", desk.channel("mix", numbers(RATE)))
    await desk.play(4)
    audio, _ = read((await desk.finish("call")).file)
    assert np.array_equal(audio[:, 0], np.arange(4 * RATE) % 32767 + 1)


async def test_many_recordings_at_once_do_not_touch_each_other(desk: Desk) -> None:
    channels = [desk.channel("mix", numbers(RATE, 7 * row), row % 2) for row in range(24)]
    for index in range(0, 24, 2):
        desk.record(f"stereo{index}", channels[index], channels[index + 1])
        desk.record(f"mono{index}", channels[index])
    await desk.play(1.5)
    for index in range(0, 24, 2):
        both, _ = read((await desk.finish(f"stereo{index}")).file)
        one, _ = read((await desk.finish(f"mono{index}")).file)
        for side in (0, 1):
            expected = (np.arange(RATE * 3 // 2) + 7 * (index + side)) % 32767 + 1
            assert np.array_equal(both[:, side], expected)
        assert np.array_equal(one[:, 0], both[:, 0])


async def test_pauses_are_exact(desk: Desk) -> None:
    left, right = desk.channel("left", numbers(RATE)), desk.channel("right", numbers(RATE), 1)
    desk.record("call", left, right)
    await desk.play(1)
    desk.pause("call", desk.heard(left) + 160)
    await desk.play(1)
    desk.resume("call", desk.heard(left) + 80)
    desk.resume("call", desk.heard(left) + 80)
    await desk.play(1)
    audio, _ = read((await desk.finish("call")).file)
    expected = np.arange(3 * RATE) % 32767 + 1
    expected[RATE + 160 : 2 * RATE + 80] = 0
    assert np.array_equal(audio[:, 0], expected)
    assert np.array_equal(audio[:, 1], expected)


async def test_a_pause_that_is_ordered_late_is_exact_all_the_same(desk: Desk) -> None:
    left = desk.channel("left", numbers(RATE))
    desk.record("call", left)
    await desk.play(2)
    await desk.written()
    desk.pause("call", RATE)  # what was written since is taken out again
    await desk.play(1)
    await desk.written()
    desk.resume("call", 3 * RATE - 4800)  # and this is taken from the ring once more
    await desk.play(0.5)
    audio, _ = read((await desk.finish("call")).file)
    expected = np.arange(RATE * 7 // 2) % 32767 + 1
    expected[RATE : 3 * RATE - 4800] = 0
    assert np.array_equal(audio[:, 0], expected)


async def test_a_recording_may_end_paused(desk: Desk) -> None:
    desk.record("call", desk.channel("mix", numbers(RATE)))
    await desk.play(1)
    desk.pause("call", RATE)
    await desk.play(1)
    told = await desk.finish("call")
    audio, _ = read(told.file)
    assert told.duration_ms == 2000
    assert audio[:RATE].all()
    assert not audio[RATE:].any()


async def test_participants_are_aligned_to_the_sample(desk: Desk) -> None:
    """Who comes late, who leaves early, who comes again: each sample tells when it was heard."""
    mix = desk.channel("mix", numbers(RATE))
    ann = desk.channel("ann", numbers(RATE), 1)
    desk.record("room", mix, many=True)
    desk.add("room", ann)
    await desk.play(1)
    bob = desk.channel("bob", numbers(RATE, desk.heard(mix)), 1)
    desk.add("room", bob)
    await desk.play(1.5)
    await desk.leave("room", ann)
    await desk.play(0.5)
    again = desk.channel("ann", numbers(RATE, desk.heard(mix)))
    desk.add("room", again)
    await desk.play(1)
    told = await desk.finish("room")
    assert told.multi_channel_file == desk.files / "room-channels.wav"
    assert {name: span.channel for name, span in told.channels.items()} == {"ann": 0, "bob": 1}
    assert (told.channels["bob"].start_ms, told.channels["bob"].end_ms) == (1000, 4000)
    assert (told.channels["ann"].start_ms, told.channels["ann"].end_ms) == (0, 4000)
    one, _ = read(told.file)
    many, rate = read(told.multi_channel_file)
    assert (rate, many.shape) == (RATE, (4 * RATE, 2))
    expected = np.arange(4 * RATE) % 32767 + 1
    assert np.array_equal(one[:, 0], expected)
    assert np.array_equal(many[:, 1], np.where(np.arange(4 * RATE) < RATE, 0, expected))
    away = (np.arange(4 * RATE) >= 2.5 * RATE) & (np.arange(4 * RATE) < 3 * RATE)
    assert np.array_equal(many[:, 0], np.where(away, 0, expected))


async def test_one_who_was_there_for_a_moment_has_a_channel(desk: Desk) -> None:
    mix = desk.channel("mix", numbers(RATE))
    desk.record("room", mix, many=True)
    await desk.play(0.5)
    guest = desk.channel("guest", numbers(RATE, desk.heard(mix)))
    desk.tick()
    desk.add("room", guest)
    await desk.leave("room", guest)
    await desk.play(0.5)
    told = await desk.finish("room")
    assert (told.channels["guest"].start_ms, told.channels["guest"].end_ms) == (500, 520)
    assert told.multi_channel_file is not None
    many, _ = read(told.multi_channel_file)
    assert np.array_equal(many[8000:8320, 0], np.arange(8000, 8320) + 1)
    assert np.count_nonzero(many) == 320


async def test_a_participant_is_paused_like_all_others(desk: Desk) -> None:
    mix = desk.channel("mix", numbers(RATE))
    desk.record("room", mix, many=True)
    await desk.play(0.5)
    ann = desk.channel("ann", numbers(RATE, desk.heard(mix)))
    desk.add("room", ann)
    await desk.play(0.5)
    desk.pause("room", desk.heard(mix) + 5)
    await desk.play(0.5)
    desk.resume("room", desk.heard(mix) + 9)
    await desk.play(0.5)
    told = await desk.finish("room")
    assert told.multi_channel_file is not None
    many, _ = read(told.multi_channel_file)
    one, _ = read(told.file)
    assert np.array_equal(many[8000:, 0], one[8000:, 0])
    assert not one[16005:24009].any()
    assert one[15999:16005].all()
    assert one[24009:].all()


async def test_time_without_ticks_is_silence(desk: Desk) -> None:
    """A media worker died for 1.2 seconds; another gave up five ticks; all tracks stay together."""
    mix, ann = desk.channel("mix", numbers(RATE)), desk.channel("ann", numbers(RATE), 1)
    desk.record("room", mix, many=True)
    desk.add("room", ann)
    await desk.play(2)
    desk.time_passes(1.2)
    await pulses(desk, 1)
    await desk.play(2)
    await pulses(desk, 1)
    desk.time_passes(0.1)
    await desk.play(2.9)
    await pulses(desk, 1)
    told = await desk.finish("room")
    assert told.duration_ms == pytest.approx(8200, abs=20)
    one, _ = read(told.file)
    assert told.multi_channel_file is not None
    assert np.array_equal(read(told.multi_channel_file)[0], one)
    heard = one[:, 0][one[:, 0] > 0]
    assert np.array_equal(heard, np.arange(int(6.9 * RATE)) % 32767 + 1)
    assert np.array_equal(one[: 2 * RATE, 0], heard[: 2 * RATE])
    assert not one[2 * RATE : 2 * RATE + 16000, 0].any()  # there, not somewhere else


async def test_late_ticks_are_not_taken_for_lost_ones(desk: Desk) -> None:
    desk.record("call", desk.channel("mix", numbers(RATE)))
    await desk.play(1)
    for _ in range(50):
        desk.time_passes(0.08)
        for _ in range(4):
            desk.tick(clock=False)
        await desk.written()
    await desk.play(0.5)
    told = await desk.finish("call")
    assert told.duration_ms == 1500 + 50 * 80
    assert read(told.file)[0].all()


async def pulses(desk: Desk, count: int) -> None:
    """Wait for the recorder's pulse: it has looked at the clock meanwhile."""
    desk.received = [one for one in desk.received if not isinstance(one, RecorderPulse)]
    for _ in range(count):
        await desk.told(RecorderPulse)


async def test_an_empty_recording_is_a_valid_file(desk: Desk) -> None:
    for form in ("wav", "flac", "opus"):
        desk.record(form, desk.channel("mix"), form=form)  # type: ignore[arg-type]
        told = await desk.finish(form)
        assert (told.error, told.duration_ms) == (None, 0)
        assert told.file.exists()
    assert read(desk.files / "wav.wav")[0].shape == (0, 1)


async def test_ports_may_be_closed_before_the_file_is_made(desk: Desk) -> None:
    left, right = desk.channel("left", numbers(RATE)), desk.channel("right", numbers(RATE))
    desk.record("call", left, right)
    await desk.play(0.5)
    await desk.finish("call")
    ended = [one.name for one in desk.received if isinstance(one, ChannelEnded)]
    assert ended == ["left", "right"]


async def test_orders_for_what_is_not_there_do_no_harm(desk: Desk) -> None:
    mix = desk.channel("mix", numbers(RATE))
    desk.pause("nothing", 1)
    desk.resume("nothing", 1)
    desk.add("nothing", mix)
    await desk.leave("nothing", mix)
    desk.sounds[mix] = numbers(RATE)
    desk.record("call", mix)
    desk.record("call", mix)
    desk.resume("call", 0)
    await desk.play(0.5)
    assert (await desk.finish("call")).duration_ms == 500


async def test_a_name_that_is_taken_is_nobodys_loss(desk: Desk) -> None:
    desk.files.mkdir(exist_ok=True)
    (desk.files / "call.wav").write_text("not ours")
    desk.record("call", desk.channel("mix", numbers(RATE)))
    await desk.play(0.2)
    told = await desk.finish("call")
    assert told.file == desk.files / "call-2.wav"
    assert (desk.files / "call.wav").read_text() == "not ours"


@pytest.mark.parametrize("form", ["flac", "opus"])
async def test_compressed_files_sound_like_what_was_heard(desk: Desk, form: str) -> None:
    left = desk.channel("left", sine(440, RATE))
    right = desk.channel("right", sine(1000, RATE), arena=1)
    desk.record("call", left, right, form=form)  # type: ignore[arg-type]
    await desk.play(5)
    told = await desk.finish("call")
    assert (told.file, told.error) == (desk.files / f"call.{form}", None)
    audio = (await decoded(told.file)).reshape(-1, 2)
    assert len(audio) == pytest.approx(5 * RATE, abs=RATE // 50 if form == "opus" else 0)
    middle = audio[RATE : 4 * RATE]
    for side, own, other in ((0, 440, 1000), (1, 1000, 440)):
        assert level(middle[:, side], own, RATE) == pytest.approx(-6, abs=0.5)
        assert level(middle[:, side], other, RATE) < -60
    assert await desk.names() == [f"call.{form}"]


async def test_sox_and_ffmpeg_open_what_is_made(desk: Desk) -> None:
    mix = desk.channel("mix", numbers(RATE))
    desk.record("room", mix, many=True)
    for name in ("a", "b", "c", "d", "e", "f"):
        desk.add("room", desk.channel(name, sine(440, RATE)))
    await desk.play(1)
    told = await desk.finish("room")
    assert told.multi_channel_file is not None
    for path, channels in ((told.file, 1), (told.multi_channel_file, 6)):
        for option, expected in (("-c", channels), ("-r", RATE), ("-s", RATE), ("-b", 16)):
            assert int(await said("soxi", option, path)) == expected
        assert np.array_equal(await decoded(path), read(path)[0].ravel())


async def said(*command: str | Path) -> bytes:
    """What a program says that complains of nothing."""
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    out, complaints = await process.communicate()
    assert (process.returncode, complaints) == (0, b"")
    return out


async def decoded(path: Path) -> np.ndarray:
    """A file's samples as FFmpeg reads them, at the rate of these tests."""
    raw = ("-f", "s16le", "-ar", str(RATE), "-")
    return np.frombuffer(await said("ffmpeg", "-v", "error", "-i", path, *raw), "<i2")


async def test_a_recorder_outlives_interrupts_and_ends_with_its_link(desk: Desk) -> None:
    await desk.told(RecorderPulse)
    assert desk.process is not None
    os.kill(desk.process.pid, signal.SIGTERM)
    desk.record("call", desk.channel("mix", numbers(RATE)))
    await desk.play(0.5)
    await desk.stop()
    assert desk.process.returncode == 0
