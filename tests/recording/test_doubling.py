"""Twice the rate: heard as a sound that has no seam, no image and no delay."""

import numpy as np
import pytest

from hookswitch.recording.recorder.doubling import PAST, ROOM, Doubler

RATE, FRAME = 8000, 160


def doubled(sound: np.ndarray, seed: int, doubler: Doubler | None = None) -> np.ndarray:
    """(samples, channels) through a doubler, in pieces of many lengths."""
    doubler, random = doubler or Doubler(4), np.random.default_rng(seed)
    made = np.zeros((2 * len(sound), sound.shape[1]), np.int16)
    row, position = np.array([2]), 0
    while position < len(sound):
        count = min(FRAME * int(random.integers(1, 20)), len(sound) - position)
        pcm = np.zeros((1, sound.shape[1], ROOM + count + FRAME), np.int16)
        pcm[0, :, ROOM : ROOM + count] = sound[position : position + count].T
        places, counts = np.array([position]), np.array([count])
        ((at, frames),) = doubler.double(row, places, counts, pcm)
        made[at : at + len(frames)] = frames
        position += count
    return made


def tone(frequency: float, rate: int) -> np.ndarray:
    return 8000 * np.sin(2 * np.pi * frequency * np.arange(2 * rate) / rate)


@pytest.mark.parametrize("frequency", [50, 300, 1000, 3400, 3600])
def test_a_tone_stays_itself_and_where_it_was(frequency: int) -> None:
    sound = np.rint(np.stack([tone(frequency, RATE), tone(440, RATE)], 1)).astype(np.int16)
    made = doubled(sound, frequency).astype(float)
    for channel, heard_at in enumerate((frequency, 440)):
        wanted = tone(heard_at, 2 * RATE)
        error = (made[:, channel] - wanted)[2 * PAST : -2 * PAST]
        assert np.std(error) < 8000 / np.sqrt(2) * 10 ** (-60 / 20)


def test_what_lies_above_the_old_band_is_60_db_down() -> None:
    made = doubled(np.rint(tone(3600, RATE))[:, None].astype(np.int16), 3)[1000:-1000, 0]
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    above = np.fft.rfftfreq(len(made), 1 / (2 * RATE)) > 4100
    assert spectrum[above].max() < spectrum.max() * 1e-3


def test_after_a_break_nothing_of_before_rings_on() -> None:
    doubler, row = Doubler(1), np.array([0])
    loud, silence = np.zeros((2, 1, 1, ROOM + 2 * FRAME), np.int16)
    loud[:, :, ROOM : ROOM + FRAME] = 9000
    doubler.double(row, np.array([0]), np.array([FRAME]), loud)
    ((at, frames),) = doubler.double(row, np.array([5 * FRAME]), np.array([FRAME]), silence)
    assert at == 10 * FRAME
    assert not frames.any()


def test_what_goes_on_makes_the_end_of_before_anew() -> None:
    """Each piece reaches to its last sample, as if it were all; in the end there is no seam."""
    doubler, row, sound = Doubler(1), np.array([0]), np.rint(tone(1000, RATE)).astype(np.int16)
    ends = []
    for place in (0, FRAME):
        pcm = np.zeros((1, 1, ROOM + 2 * FRAME), np.int16)
        pcm[0, 0, ROOM : ROOM + FRAME] = sound[place : place + FRAME]
        ((at, frames),) = doubler.double(row, np.array([place]), np.array([FRAME]), pcm)
        ends.append((at, at + len(frames)))
        assert np.array_equal(frames[at % 2 :: 2, 0], sound[-(-at // 2) : place + FRAME])
    assert ends == [(0, 2 * FRAME), (2 * FRAME - PAST, 4 * FRAME)]


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(RATE) // 20 % 2, 32767, -32768).astype(np.int16)[:, None]
    made = doubled(square, 1)[:, 0].astype(int)
    came, between = made[0::2], made[1::2]
    assert np.array_equal(came, square[:, 0])
    flat = came[:-1] == came[1:]
    assert np.array_equal(np.sign(between[:-1][flat]), np.sign(came[:-1][flat]))
