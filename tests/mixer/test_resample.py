"""Resampling: what is promised of passband, stop band and seams, for every pair of rates."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from hookswitch.mixer.bank import PORT_RATES, Samples, frame_samples
from hookswitch.mixer.resample import ConverterBank, converter

PAIRS = pytest.mark.parametrize(("source", "target"), list(permutations(PORT_RATES, 2)))
PEAK = 10_000.0
WARM_UP = 10
"""Frames before the second that is looked at."""


def sines(frequencies: list[int], rate: int) -> Samples:
    """One row per frequency, a little over a second of it."""
    t = np.arange((50 + WARM_UP) * frame_samples(rate)) / rate
    return (PEAK * np.sin(2 * np.pi * np.outer(frequencies, t))).astype(np.float32)


def convert(signals: Samples, source: int, target: int) -> Samples:
    """Frame by frame, every row a lane."""
    bank, step = ConverterBank(source, target), frame_samples(source)
    rows = np.arange(len(signals))
    bank.arrange(rows)
    frames = [
        bank.convert(signals[:, at : at + step], rows) for at in range(0, signals.shape[1], step)
    ]
    return np.concatenate(frames, axis=1)


def spectrum(signals: Samples, rate: int) -> np.ndarray:
    """Level in dB of each whole frequency in the last second, against the sines put in."""
    amplitude = np.abs(np.fft.rfft(signals[:, -rate:].astype(np.float64), axis=1)) * 2 / rate
    return 20 * np.log10(np.maximum(amplitude / PEAK, 1e-9))


@PAIRS
def test_the_passband_is_flat_and_has_no_images(source: int, target: int) -> None:
    edge = int(0.9 * min(source, target) / 2)
    frequencies = [20, 50, *np.linspace(100, edge, 40).astype(int).tolist()]
    levels = spectrum(convert(sines(frequencies, source), source, target), target)
    own = levels[np.arange(len(frequencies)), frequencies]
    assert np.abs(own).max() < 0.5
    levels[np.arange(len(frequencies)), frequencies] = -np.inf
    assert levels.max() < -60


@pytest.mark.parametrize(("target", "source"), list(combinations(PORT_RATES, 2)))
def test_nothing_from_above_comes_through(source: int, target: int) -> None:
    frequencies = np.linspace(target // 2 + 1, source // 2 - 1, 60).astype(int).tolist()
    levels = spectrum(convert(sines(frequencies, source), source, target), target)
    assert levels.max() < -60


@PAIRS
def test_frames_join_without_a_seam(source: int, target: int) -> None:
    """Cutting the signal elsewhere changes nothing, so no frame's edge can be heard."""
    signal = np.random.default_rng(1).normal(0, 3000, (1, 40 * frame_samples(source)))
    whole = convert(signal.astype(np.float32), source, target)
    step = frame_samples(source) // 2
    shifted = np.concatenate([np.zeros((1, step)), signal, np.zeros((1, step))], axis=1)
    later = convert(shifted.astype(np.float32), source, target)
    delay = frame_samples(target) // 2
    np.testing.assert_allclose(later[:, delay : delay + whole.shape[1]], whole, atol=0.5)


@PAIRS
def test_a_constant_stays_one(source: int, target: int) -> None:
    signal = np.full((1, 5 * frame_samples(source)), 1000.0, np.float32)
    assert convert(signal, source, target)[0, -frame_samples(target) :] == pytest.approx(
        1000.0, rel=0.001
    )


@PAIRS
def test_the_delay_is_a_millisecond_or_two(source: int, target: int) -> None:
    click = np.zeros((1, 2 * frame_samples(source)), np.float32)
    click[0, 0] = PEAK
    loudest = int(np.abs(convert(click, source, target)).argmax())
    assert loudest / target < 0.002


def test_lanes_keep_their_past_when_others_come_and_go() -> None:
    signals = sines([300, 500, 700], 16000)
    alone = convert(signals, 16000, 8000)
    bank, heard = ConverterBank(16000, 8000), []
    present = [[0, 1, 2], [2, 1], [5, 1], [1], [9, 7, 1]]
    for number, keys in enumerate(present):
        fresh = bank.arrange(np.array(keys))
        before = present[number - 1] if number else []
        assert [keys[i] for i in fresh] == [key for key in keys if key not in before]
        frame = signals[:, number * 320 : (number + 1) * 320]
        rows = np.array([key if key < 3 else 0 for key in keys])
        heard.append(bank.convert(frame, rows)[keys.index(1)])
    np.testing.assert_allclose(np.concatenate(heard), alone[1, : 5 * 160], atol=0.01)


def test_a_lane_can_be_given_its_past() -> None:
    signal = sines([440], 16000)
    expected = convert(signal, 16000, 48000)
    bank, rows = ConverterBank(16000, 48000), np.array([0])
    bank.prime(bank.arrange(rows), signal[:, :320])
    np.testing.assert_allclose(
        bank.convert(signal[:, 320:640], rows), expected[:, 960:1920], atol=0.01
    )


def test_a_lane_that_comes_back_has_forgotten() -> None:
    bank, rows = ConverterBank(8000, 16000), np.array([0])
    loud, silent = np.full((1, 160), PEAK, np.float32), np.zeros((1, 160), np.float32)
    bank.arrange(np.array([4]))
    bank.convert(loud, rows)
    bank.arrange(np.zeros(0, np.intp))
    bank.arrange(np.array([4]))
    assert not bank.convert(silent, rows).any()


def test_filters_are_designed_once() -> None:
    assert converter(8000, 16000) is converter(8000, 16000)
