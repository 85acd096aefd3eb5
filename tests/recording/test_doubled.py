"""Files of twice the rate of what is heard: every other sample is one that was, in its place."""

from __future__ import annotations

import numpy as np
import pytest

from hookswitch.recording.messages import Finished
from hookswitch.recording.recorder.doubling import PAST
from tests.sound import level

from .conftest import Desk, numbers, read, sine

RATE = 8000
pytestmark = pytest.mark.parametrize("desk", [RATE], indirect=True, ids=str)


def said(count: int) -> np.ndarray:
    """What `numbers` says."""
    return np.arange(count) % 32767 + 1


async def test_both_sides_are_heard_and_in_their_time(desk: Desk) -> None:
    left = desk.channel("left", sine(440, RATE))
    right = desk.channel("right", sine(3400, RATE), arena=1)
    desk.record("call", left, right, rate=2 * RATE)
    await desk.play(3)
    told = await desk.finish("call")
    assert (told.duration_ms, told.error) == (3000, None)
    audio, rate = read(told.file)
    assert (rate, audio.shape) == (2 * RATE, (6 * RATE, 2))
    for side, own, other in ((0, 440, 3400), (1, 3400, 440)):
        heard = audio[rate // 10 : -rate // 10, side]
        assert level(heard, own, rate) == pytest.approx(-6, abs=0.1)
        assert level(heard, other, rate) < -80
        assert level(heard, 8000 - own, rate) < -66  # its image


async def test_every_sample_is_where_it_belongs(desk: Desk) -> None:
    stereo = desk.channel("left", numbers(RATE)), desk.channel("right", numbers(RATE, 9), 1)
    desk.record("stereo", *stereo, rate=2 * RATE)
    desk.record("mono", stereo[0], rate=2 * RATE)
    desk.record("plain", stereo[0])
    await desk.play(3)
    both, _ = read((await desk.finish("stereo")).file)
    assert np.array_equal(both[::2, 0], said(3 * RATE))
    assert np.array_equal(both[::2, 1], said(3 * RATE + 9)[9:])
    assert np.array_equal(read((await desk.finish("mono")).file)[0][:, 0], both[:, 0])
    assert np.array_equal(read((await desk.finish("plain")).file)[0][:, 0], said(3 * RATE))


async def test_of_a_pause_nothing_is_in_the_file(desk: Desk) -> None:
    """Ordered late: what was written since is taken out, what was left out is taken again."""
    left = desk.channel("left", numbers(RATE))
    desk.record("call", left, rate=2 * RATE)
    await desk.play(2)
    await desk.written()
    desk.pause("call", RATE)
    await desk.play(1)
    await desk.written()
    desk.resume("call", 3 * RATE - 2400)
    await desk.play(0.5)
    desk.pause("call", desk.heard(left) + 80)
    await desk.play(0.5)
    desk.resume("call", desk.heard(left) + 40)
    await desk.play(0.5)
    audio = read((await desk.finish("call")).file)[0][:, 0]
    expected = said(RATE * 9 // 2)
    pauses = ((RATE, 3 * RATE - 2400), (RATE * 7 // 2 + 80, 4 * RATE + 40))
    for start, stop in pauses:
        expected[start:stop] = 0
        assert not audio[2 * start + PAST : 2 * stop - PAST].any()
    assert np.array_equal(audio[::2], expected)


async def test_a_recorder_that_is_killed_loses_nothing(desk: Desk) -> None:
    left, right = desk.channel("left", numbers(RATE)), desk.channel("right", numbers(RATE, 5), 1)
    order = desk.record("call", left, right, rate=2 * RATE)
    await desk.play(1.1)
    desk.kill()
    for _ in range(25):
        desk.tick()
    desk.start(ongoing=["call"])
    desk.say(order, [desk.fd(left), desk.fd(right)])
    await desk.play(0.3)
    told = await desk.finish("call")
    assert told.duration_ms == 1900
    audio, _ = read(told.file)
    assert np.array_equal(audio[::2, 0], said(19 * RATE // 10))
    assert np.array_equal(audio[::2, 1], said(19 * RATE // 10 + 5)[5:])


async def test_what_a_crash_left_is_as_long_as_it_was(desk: Desk) -> None:
    desk.record("call", desk.channel("mix", numbers(RATE)), rate=2 * RATE)
    await desk.play(2)
    await desk.written()
    desk.kill()
    desk.start()
    told = await desk.told(Finished)
    assert told.recovered
    audio, rate = read(told.file)
    assert rate == 2 * RATE
    whole = len(audio[::2])
    assert told.duration_ms == whole * 1000 // RATE
    assert whole == 2 * RATE
    assert np.array_equal(audio[::2, 0], said(whole))


async def test_time_without_ticks_is_silence(desk: Desk) -> None:
    left = desk.channel("left", numbers(RATE))
    desk.record("call", left, rate=2 * RATE)
    await desk.play(2)
    desk.time_passes(1.0)
    await desk.play(2)
    told = await desk.finish("call")
    audio = read(told.file)[0][:, 0]
    assert told.duration_ms == pytest.approx(5000, abs=120)
    assert told.duration_ms == len(audio) // 2 * 1000 // RATE
    assert np.array_equal(audio[: 4 * RATE : 2], said(2 * RATE))
    gap = len(audio) // 2 - 4 * RATE
    silent = np.flatnonzero(audio[::2] == 0)
    assert len(silent) == gap
    assert np.array_equal(silent[: RATE * 8 // 10], 2 * RATE + np.arange(RATE * 8 // 10))  # there
    assert np.array_equal(audio[::2][audio[::2] != 0], said(4 * RATE))
