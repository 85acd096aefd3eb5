"""The soft limiter and the comfort noise."""

from __future__ import annotations

import numpy as np
import pytest

from hookswitch.mixer.bank import FULL_SCALE, PORT_RATES, Samples, frame_samples
from hookswitch.mixer.level import CEILING, THRESHOLD, ComfortNoise, Limiter, knee

RATES = pytest.mark.parametrize("rate", PORT_RATES)


def limited(signal: Samples, rate: int) -> Samples:
    """One signal through a limiter, frame by frame."""
    limiter, gains, out = Limiter(rate), np.ones(1, np.float32), []
    row = np.zeros(1, np.intp)
    for frame in signal.astype(np.float32).reshape(-1, 1, frame_samples(rate)):
        frame = frame.copy()
        limiter.apply(frame, row, np.abs(frame).max(axis=1), gains)
        out.append(frame[0])
    return np.concatenate(out)


def sine(frequency: float, gain_db: float, seconds: float, rate: int) -> Samples:
    """A sine ``gain_db`` above full scale."""
    t = np.arange(int(seconds * rate)) / rate
    peak = FULL_SCALE * 10 ** (gain_db / 20)
    return (peak * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


@RATES
@pytest.mark.parametrize("gain_db", [0.5, 6, 20, 60])
def test_no_sample_is_over_full_scale(rate: int, gain_db: float) -> None:
    noise = np.random.default_rng(0).normal(0, FULL_SCALE, rate)
    for signal in (sine(440, gain_db, 1, rate), noise * 10 ** (gain_db / 20)):
        assert np.abs(limited(signal, rate)).max() <= CEILING


@RATES
@pytest.mark.parametrize("frequency", [100, 440, 1000, 3000])
def test_peaks_are_not_squared_off(rate: int, frequency: int) -> None:
    """A sine 6 dB too loud comes out as a sine: its harmonics stay more than 50 dB below it."""
    out = limited(sine(frequency, 6, 2, rate), rate)[-rate:]
    levels = np.abs(np.fft.rfft(out)) * 2 / rate
    harmonics = levels[2 * frequency :: frequency]
    assert np.sqrt(np.sum(harmonics**2)) < levels[frequency] * 10 ** (-50 / 20)
    assert levels[frequency] > 0.9 * THRESHOLD


@RATES
def test_what_is_loud_but_fits_is_untouched(rate: int) -> None:
    signal = sine(440, -0.2, 0.5, rate)
    assert np.abs(signal).max() <= THRESHOLD
    assert np.array_equal(limited(signal, rate), signal)


@RATES
def test_the_gain_comes_back(rate: int) -> None:
    signal = np.concatenate([sine(440, 6, 0.5, rate), sine(440, -12, 1, rate)])
    out = limited(signal, rate)
    ratio = np.abs(out[-rate:]).reshape(50, -1).max(axis=1) / (FULL_SCALE * 10 ** (-12 / 20))
    assert ratio[0] < 0.56
    assert (np.diff(ratio) > -0.01).all()
    assert (20 * np.log10(ratio[1:] / ratio[:-1]) < 0.5).all()  # slowly
    assert np.array_equal(out[-rate // 5 :], signal[-rate // 5 :])


def test_a_gain_that_changes_makes_no_step() -> None:
    """Between the last sample of a frame and the first of the next the gain is the same."""
    out = limited(np.concatenate([sine(100, -1, 0.1, 8000), sine(100, 6, 0.1, 8000)]), 8000)
    steepest = 2 * np.pi * 100 / 8000 * THRESHOLD * 2
    assert np.abs(np.diff(out)).max() < steepest * 1.5


def test_only_the_row_that_is_too_loud_is_turned_down() -> None:
    rows = np.stack([sine(440, -6, 0.02, 8000), sine(440, 6, 0.02, 8000)])
    quiet, gains = rows[0].copy(), np.ones(2, np.float32)
    Limiter(8000).apply(rows, np.arange(2), np.abs(rows).max(axis=1), gains)
    assert np.array_equal(rows[0], quiet)
    assert gains[0] == 1.0
    assert 0.45 < gains[1] < 0.55


def test_the_knee_is_smooth_and_odd() -> None:
    ramp = np.linspace(0, 3 * FULL_SCALE, 10_000, dtype=np.float32)
    bent = knee(ramp)
    assert np.array_equal(bent[ramp <= THRESHOLD], ramp[ramp <= THRESHOLD])
    slope = np.diff(bent) / np.diff(ramp)
    assert (slope >= -1e-3).all()
    assert (slope <= 1.01).all()
    assert bent.max() <= CEILING
    assert np.array_equal(knee(-ramp), -bent)


@RATES
def test_comfort_noise_is_at_its_level(rate: int) -> None:
    noise, frames = ComfortNoise(rate), np.zeros((40, frame_samples(rate)), np.float32)
    everything = []
    for tick in range(50):
        noise.fill(frames, np.arange(40), tick)
        everything.append(frames.copy())
    rms = np.sqrt(np.mean(np.square(np.concatenate(everything))))
    assert 20 * np.log10(rms / FULL_SCALE) == pytest.approx(-75, abs=1)
    assert np.abs(np.concatenate(everything)).max() < 40


def test_comfort_noise_differs_between_neighbours_and_ticks() -> None:
    noise, frames = ComfortNoise(8000), np.zeros((3, 160), np.float32)
    noise.fill(frames, np.array([0, 2]), 1)
    assert not frames[1].any()
    assert not np.array_equal(frames[0], frames[2])
    before = frames.copy()
    noise.fill(frames, np.array([0, 2]), 2)
    assert not np.array_equal(frames[0], before[0])
