"""Concealment, measured against the speech that was lost."""

from __future__ import annotations

import numpy as np
import pytest

from hookswitch.mixer.fade import Fader
from hookswitch_transport_sip.rtp.conceal import PAST, Concealer
from tests.sound import tone
from tests.speech import segmental_snr, spectral_distance, speech


def concealed(audio: np.ndarray, rate: int, lost: np.ndarray, rows: int = 3) -> np.ndarray:
    """What is heard of ``audio`` when the frames ``lost`` do not arrive."""
    concealer, size = Concealer(rows, rate), rate // 50
    past = [np.zeros((rows, size), np.float32) for _ in range(PAST)]
    heard = []
    for frame, gone in zip(audio.reshape(-1, size).astype(np.float32), lost, strict=True):
        frames = np.tile(np.where(gone, 0, frame), (rows, 1)).astype(np.float32)
        concealer.apply(frames, np.full((rows, 4), not gone), past)
        past = [*past[1:], frames.copy()]
        heard.append(frames[rows - 1])
    return np.concatenate(heard)


def faded(audio: np.ndarray, rate: int, lost: np.ndarray) -> np.ndarray:
    """The same with nothing but soft edges."""
    fader, heard = Fader(1, rate), []
    for frame, gone in zip(audio.reshape(-1, rate // 50).astype(np.float32), lost, strict=True):
        frames = np.where(gone, 0, frame).astype(np.float32)[None, :].copy()
        fader.apply(frames, np.full((1, 4), not gone))
        heard.append(frames[0])
    return np.concatenate(heard)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_speech_with_losses(rate: int, share: float) -> None:
    size = rate // 50
    clean = speech(rate)
    clean = clean[: len(clean) // size * size]
    lost = np.random.default_rng(3).random(len(clean) // size) < share
    lost[:5] = False
    wanted = clean.reshape(-1, size)[lost].ravel()
    ours, plain = (
        each(clean, rate, lost).reshape(-1, size)[lost].ravel() for each in (concealed, faded)
    )
    assert segmental_snr(wanted, ours, rate) > segmental_snr(wanted, plain, rate) + 1
    assert spectral_distance(wanted, ours, rate) < 0.5 * spectral_distance(wanted, plain, rate)
    assert spectral_distance(wanted, ours, rate) < 10


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("frequency", [70.0, 123.0, 390.0, 1000.0])
def test_a_tone_goes_on_without_a_seam(rate: int, frequency: float) -> None:
    said = tone(frequency, 1.0, rate)
    lost = np.zeros(50, np.bool_)
    lost[20] = True
    heard = concealed(said, rate, lost)
    steepest = 2 * np.pi * frequency / rate * np.abs(said).max()
    assert np.abs(np.diff(heard)).max() < 1.5 * steepest + 50
    first = slice(20 * rate // 50, 20 * rate // 50 + rate // 100)
    assert np.abs(heard[first] - said[first]).max() < 0.3 * np.abs(said).max()


def test_a_long_loss_fades_to_silence_and_back() -> None:
    said = tone(300, 1.0, 8000)
    lost = np.zeros(50, np.bool_)
    lost[20:30] = True
    heard = concealed(said, 8000, lost)
    peaks = np.abs(heard.reshape(-1, 160)).max(axis=1)
    assert peaks[20] > 5000
    assert peaks[20] > peaks[21] > peaks[22] > 0
    assert not heard[23 * 160 : 30 * 160].any()
    assert np.abs(heard[30 * 160 : 30 * 160 + 3]).max() < 500, "it fades in"
    assert np.array_equal(heard[31 * 160 :], said[31 * 160 :])


@pytest.mark.parametrize("chunks", [[0], [3], [1, 2], [0, 2]])
def test_parts_of_a_frame_may_be_missing(chunks: list[int]) -> None:
    concealer, said = Concealer(2, 8000), tone(400, 0.2, 8000).reshape(-1, 160)
    past = [np.zeros((2, 160), np.float32) for _ in range(PAST)]
    for number, frame in enumerate(said.astype(np.float32)):
        frames, present = np.tile(frame, (2, 1)), np.ones((2, 4), np.bool_)
        if number == 5:
            present[1, chunks] = False
            frames[1].reshape(4, 40)[chunks] = 0
        concealer.apply(frames, present, past)
        past = [*past[1:], frames.copy()]
        if number == 5:
            assert np.abs(frames[1] - frame).max() < 2500
            assert np.array_equal(frames[0], frame)


def test_silence_stays_silent() -> None:
    concealer = Concealer(4, 8000)
    past = [np.zeros((4, 160), np.float32) for _ in range(PAST)]
    frames = np.full((4, 160), 99.0, np.float32)
    concealer.apply(frames, np.zeros((4, 4), np.bool_), past)
    assert not frames.any()
