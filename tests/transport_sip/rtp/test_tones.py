"""In-band digits against ITU-T Q.24: what must be taken, what must not, and what speech does."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import wave

import numpy as np
import pytest

from hookswitch.codecs.g711 import ALaw, MuLaw
from hookswitch_transport_sip.rtp.tones import COLUMNS, KEYS, ROWS, ToneDetector

from .conftest import Rig, rtp
from .test_telephone_events import press

KEY_ORDER = "1590*#ABCD2346785555"


def tones(
    key: str,
    ms: float,
    rate: int = 8000,
    off: tuple[float, float] = (0, 0),
    dbfs: tuple[float, float] = (-13, -13),
    phase: tuple[float, float] = (0, 0),
) -> np.ndarray:
    """A key's two tones; ``off`` their frequencies by these shares."""
    row, column = divmod(KEYS.index(key), 4)
    t = np.arange(round(rate * ms / 1000)) / rate
    wanted = (ROWS[row] * (1 + off[0]), COLUMNS[column] * (1 + off[1]))
    parts = [
        32767 * 10 ** (level / 20) * np.sin(2 * np.pi * frequency * t + start)
        for frequency, level, start in zip(wanted, dbfs, phase, strict=True)
    ]
    return np.sum(parts, axis=0)


def dialled(
    keys: str, ms: float = 40, gap_ms: float = 40, rate: int = 8000, **how: tuple[float, float]
) -> np.ndarray:
    """Keys one after the other, wherever they fall between the ticks."""
    dice = np.random.default_rng(7)
    parts = [np.zeros(100)]
    for key in keys:
        phase = tuple(dice.random(2) * 6.28)
        parts += [tones(key, ms, rate, phase=phase, **how)]
        parts += [np.zeros(round(rate * gap_ms / 1000) + int(dice.integers(0, 9)))]
    return np.concatenate([*parts, np.zeros(rate // 5)])


def heard(audio: np.ndarray, rate: int = 8000) -> str:
    detector, size = ToneDetector(8, rate), rate // 50
    detector.open(5)
    keys = ""
    for start in range(0, len(audio) - size + 1, size):
        frame = audio[start : start + size].astype(np.float32)[None]
        keys += "".join(key for _, key in detector.detect(np.array([5]), frame))
    return keys


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize(("ms", "gap_ms"), [(40, 40), (65, 55), (100, 60), (1000, 40)])
def test_keys_are_found_once(rate: int, ms: float, gap_ms: float) -> None:
    assert heard(dialled(KEY_ORDER, ms, gap_ms, rate), rate) == KEY_ORDER


@pytest.mark.parametrize("off", [-0.018, -0.015, 0.015, 0.018])
def test_a_little_off_frequency(off: float) -> None:
    for both in ((off, off), (off, -off), (0, off), (off, 0)):
        assert heard(dialled(KEY_ORDER, off=both)) == KEY_ORDER


@pytest.mark.parametrize("off", [-0.035, 0.035])
def test_too_far_off_frequency(off: float) -> None:
    for both in ((off, off), (off, -off), (0, off), (off, 0)):
        assert heard(dialled(KEY_ORDER, 100, off=both)) == ""


@pytest.mark.parametrize(
    ("row", "column"),
    [(-13, -21), (-13, -9), (-3.5, -11), (-28, -28), (-33, -33), (-7, -7), (-20, -16)],
)
def test_levels_and_twist(row: float, column: float) -> None:
    assert heard(dialled(KEY_ORDER, dbfs=(row, column))) == KEY_ORDER


@pytest.mark.parametrize(("row", "column"), [(-13, -26), (-20, -12), (-45, -45)])
def test_too_weak_or_too_twisted(row: float, column: float) -> None:
    assert heard(dialled(KEY_ORDER, 100, dbfs=(row, column))) == ""


@pytest.mark.parametrize("ms", [10, 15, 20, 23])
def test_too_short(ms: float) -> None:
    assert heard(dialled(KEY_ORDER, ms, 80)) == ""


@pytest.mark.parametrize("hole_ms", [5, 10, 20])
def test_an_interruption_is_no_second_key(hole_ms: float) -> None:
    for at in range(400, 1200, 37):
        audio = np.concatenate([tones("5", 200), np.zeros(1000)])
        audio[at : at + int(hole_ms * 8)] = 0
        assert heard(audio) == "5"


def test_through_noise() -> None:
    audio = dialled(KEY_ORDER, 50, 50)
    power = np.mean(tones("5", 100) ** 2)
    noise = np.random.default_rng(3).normal(size=len(audio)) * np.sqrt(power / 10**1.5)
    assert heard(audio + noise) == KEY_ORDER


@pytest.mark.parametrize("codec", [MuLaw, ALaw])
@pytest.mark.parametrize("dbfs", [(-13, -13), (-25, -33), (-31, -31)])
def test_through_g711(codec: type[MuLaw | ALaw], dbfs: tuple[float, float]) -> None:
    audio = np.rint(dialled(KEY_ORDER, 45, 45, dbfs=dbfs)).astype(np.int16)
    batch, port = codec(), np.zeros(1, np.intp)
    assert heard(batch.decode(port, batch.encode(port, audio[None]))[0]) == KEY_ORDER


def test_lost_packets_that_are_repeated_neither_split_nor_hide_a_key() -> None:
    dice = np.random.default_rng(8)
    frames = dialled(KEY_ORDER * 5, 100, 100)
    frames = frames[: len(frames) // 160 * 160].reshape(-1, 160).copy()
    for lost in dice.choice(np.arange(1, len(frames)), len(frames) // 50, replace=False):
        frames[lost] = frames[lost - 1]
    assert heard(frames.ravel()) == KEY_ORDER * 5


def test_one_tone_alone_and_noise_are_no_key() -> None:
    t = np.arange(8000) / 8000
    for frequency in (*ROWS, *COLUMNS, 350, 440, 1000, 2130):
        assert heard(8000 * np.sin(2 * np.pi * frequency * t)) == ""
    assert heard(np.random.default_rng(4).normal(size=80_000) * 6000) == ""


def test_ports_do_not_disturb_each_other() -> None:
    detector, dialling = ToneDetector(64, 8000), "159D"
    slots = np.array([3, 60, 7, 9])
    audio = np.stack([dialled(key * 3, 50, 50)[:3000] for key in dialling])
    found: dict[int, str] = dict.fromkeys(slots.tolist(), "")
    for start in range(0, 3000 - 159, 160):
        frames = audio[:, start : start + 160].astype(np.float32)
        for slot, key in detector.detect(slots, frames):
            found[slot] += key
    assert list(found.values()) == ["111", "555", "999", "DDD"]


SPEECH = (
    "Your call is important to us. Please press one for sales, two for support, or stay on the "
    "line. The quick brown fox jumps over the lazy dog while she sells sea shells by the sea "
    "shore. How now, brown cow? Nine hundred ninety nine thousand and sixty six. Beep, boop, ooh, "
    "aah, hmm, whee, yoo hoo! Thank you for holding; we are really very sorry to hear of it. "
)


@pytest.mark.parametrize(
    "voice", ["en-us", "en+f3", "en+m7", "en+f5", "de+f2", "fr", "it+f4", "pl"]
)
def test_speech_dials_nothing(voice: str) -> None:
    if shutil.which("espeak-ng") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("espeak-ng is not installed")
        pytest.skip("espeak-ng is not installed")
    arguments = ("espeak-ng", "-v", voice, "--stdout", SPEECH * 3)
    spoken = subprocess.run(arguments, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
        pcm = np.frombuffer(spoken[44:], "<i2").astype(np.float64)
    assert len(pcm) > 40 * rate
    at = np.arange(0, len(pcm) / rate - 0.01, 1 / 8000)
    assert heard(np.interp(at, np.arange(len(pcm)) / rate, pcm)) == ""


# In the bank


def say(rig: Rig, port_phone, audio: np.ndarray) -> None:
    for start in range(0, len(audio) - 159, 160):
        samples = np.rint(audio[start : start + 160]).astype(np.int16)
        port_phone.send(port_phone.packet(samples))
        rig.tick()


def test_a_phone_that_plays_tones_is_reported_once_per_key(rig: Rig) -> None:
    phone, other = rig.phone(), rig.phone()
    rig.open(phone, inband_dtmf=True, telephone_event={}, telephone_event_pt=None)
    port = rig.open(other, row=1)
    for _ in range(3):
        other.send(other.tone_packet())
    say(rig, phone, dialled("12#", 60, 60))
    say(rig, other, dialled("9", 100, 60))
    assert rig.data("digit") == [{"digit": d, "tones": True} for d in "12#"]
    rig.bank.update(port, {"inband_dtmf": True})
    say(rig, other, dialled("0", 100, 60))
    rig.bank.update(port, {"inband_dtmf": False})
    say(rig, other, dialled("7", 100, 60))
    assert [d["digit"] for d in rig.data("digit")] == list("12#0")


def test_a_phone_that_sends_events_is_listened_to_all_the_same(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone, inband_dtmf=True)
    say(rig, phone, np.zeros(800))
    for payload, stamp, marker in press("5", phone.timestamp):
        phone.send(rtp(payload, phone.sequence, stamp, phone.ssrc, 101, marker=marker))
        phone.sequence += 1
        rig.tick()
    say(rig, phone, dialled("57", 200, 60))
    tones = [{"digit": digit, "tones": True} for digit in "57"]
    assert rig.data("digit") == [{"digit": "5"}, *tones]
