"""Labelled greetings of people and machines, made by speech synthesisers: always the same ones.

A greeting is what a called party sends from the moment it answers: maybe a remnant of ringback, a
silence, words, and of machines a beep; with noise, music or other voices behind it, through G.711,
with packets lost. The two halves share no text, no voice and no speed; the half that is tested has
voices of a second synthesiser (flite) as well, if that is installed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hookswitch.codecs.g711 import ALaw, MuLaw

from .greeting_texts import HUMAN, LONG_HUMAN, MACHINE, VOICES, Half, Texts

RATE = 8000
Sound = NDArray[np.float64]
Label = Literal["human", "machine", "no_speech"]
FULL_SCALE = 32768.0

SHORT_MACHINE_S = 3.5
"""A recording of less is over before it is known for one, unless it beeps at once."""


@dataclass(frozen=True)
class Greeting:
    """One answered call; times are in ms from the answer."""

    name: str
    label: Label
    audio: NDArray[np.int16]
    begins: int
    """Of the first word."""
    ends: int
    """Of the last word, before any beep."""
    beep: tuple[int, int] | None
    noise: str
    clean: Sound
    """The words alone, as loud as they are in ``audio``."""
    is_between: bool = False
    """Whether a person says as much as a machine may, or a machine as little as a person may."""


def greetings(half: Half, every: int = 1) -> Iterator[Greeting]:
    """All greetings of a half, or every so many."""
    seed = {"train": 1, "test": 2}[half]
    random = np.random.default_rng(seed)
    number = 0
    kinds: tuple[tuple[Label, Texts, int, bool], ...] = (
        ("human", HUMAN[half], 5, False),
        ("human", LONG_HUMAN[half], 3, True),
        ("machine", MACHINE[half], 5, False),
    )
    for label, texts, repeats, is_long in kinds:
        for language, text in texts:
            for voice in _voices(half, language, repeats, random):
                number += 1
                if number % every:
                    continue
                name = f"{number:03} {voice} {text[:40]}"
                words = speak(voice, text)
                between = is_long or (label == "machine" and len(words) < SHORT_MACHINE_S * RATE)
                yield _call(name, label, words, random, between)
    for number in range(0, 30, every):
        yield _call(f"{number:03} nobody", "no_speech", np.zeros(0), random, False)


def speak(voice: str, text: str) -> Sound:
    """Words at 8 kHz, without silence around them, at -20 dBFS."""
    engine, name, speed, pitch = voice.split("/")
    if engine == "flite":
        command = ["flite", "-voice", name, "--setf", f"duration_stretch={170 / int(speed):.2f}"]
        command += ["-t", text, "-o", "/dev/stdout"]
    else:
        command = ["espeak-ng", "-v", name, "-s", speed, "-p", pitch, "--stdout", text]
    made = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(made)) as file:
        rate = file.getframerate()
        start = made.index(b"data") + 8
        pcm = np.frombuffer(made[start : start + (len(made) - start) // 2 * 2], "<i2")
    return level_to(_trim(_to_8k(pcm.astype(np.float64), rate)), -20.0)


def level_to(sound: Sound, dbfs: float) -> Sound:
    """Give what is loud in a sound (its active level) this RMS."""
    return sound * 10 ** ((dbfs - active_dbfs(sound)) / 20) if sound.any() else sound


def active_dbfs(sound: Sound) -> float:
    """RMS of the frames within 25 dB of the loudest."""
    power = np.mean(sound[: len(sound) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    return float(10 * np.log10(np.mean(power[power > power.max() / 300]) / FULL_SCALE**2))


def _voices(half: Half, language: str, count: int, random: np.random.Generator) -> list[str]:
    names = VOICES[half][language]
    voices = []
    for _ in range(count):
        variants = ("", "+m1", "+m3", "+f1", "+f3") if half == "train" else (
            "", "+m2", "+m5", "+m7", "+f2", "+f4", "+f5")  # fmt: skip
        name = str(random.choice(names)) + str(random.choice(variants))
        speed = int(random.choice([145, 165, 185] if half == "train" else [150, 170, 195]))
        pitch = int(random.integers(25, 75))
        voices.append(f"espeak/{name}/{speed}/{pitch}")
    if half == "test" and language == "en":
        for number, name in enumerate(random.choice(["slt", "kal16", "rms", "awb"], 2)):
            speed = random.choice([150, 170, 190])
            if shutil.which("flite"):
                voices[number] = f"flite/{name}/{speed}/0"
    return voices


def _to_8k(sound: Sound, rate: int) -> Sound:
    """Resample by the spectrum, cut to the band of a telephone."""
    length = len(sound) * RATE // rate
    spectrum = np.fft.rfft(sound)
    frequency = np.arange(len(spectrum)) * rate / len(sound)
    spectrum *= (frequency > 200) & (frequency < 3500)
    return np.fft.irfft(spectrum[: length // 2 + 1], length) * length / len(sound)


def _trim(sound: Sound) -> Sound:
    loud = np.flatnonzero(np.abs(sound) > np.abs(sound).max() / 60)
    return sound[loud[0] : loud[-1] + 1]


def _silence(ms: float) -> Sound:
    return np.zeros(int(ms * RATE / 1000))


def _call(
    name: str, label: Label, words: Sound, random: np.random.Generator, is_between: bool
) -> Greeting:
    """Put words, beep and silence in a row, and spoil them as networks and rooms do."""
    dbfs = random.uniform(-34, -14)
    remnant = ringback(random.uniform(200, 800), random) if random.random() < 0.12 else _silence(0)
    before = np.concatenate([remnant, _silence(random.uniform(60, 1400))])
    words = level_to(words, dbfs)
    parts, beep = [before, words], None
    begins, ends = (len(before) / 8, (len(before) + len(words)) / 8)
    if label == "machine" and random.random() < 0.8:
        parts.append(_silence(random.uniform(150, 1500)))
        tone = make_beep(random, dbfs)
        start = sum(map(len, parts)) / 8
        beep = (int(start), int(start + len(tone) / 8))
        parts.append(tone)
    parts.append(_silence(4500))
    clean = np.concatenate(parts)
    only_words = np.concatenate([_silence(0), np.zeros(len(before)), words])
    only_words = np.pad(only_words, (0, len(clean) - len(only_words)))
    noise, spoilt = _spoil(clean, dbfs, label, random)
    return Greeting(
        name, label, spoilt, int(begins), int(ends), beep, noise, only_words, is_between
    )


def make_beep(random: np.random.Generator, dbfs: float) -> Sound:
    """One tone or two, 350-2000 Hz, 150 ms to 1 s, about as loud as the words."""
    t = np.arange(int(random.uniform(0.15, 1.0) * RATE)) / RATE
    first = random.uniform(350, 2000)
    wave_ = np.sin(2 * np.pi * first * t)
    if random.random() < 0.35:
        second = random.uniform(350, 2000)
        while abs(second - first) < 80:
            second = random.uniform(350, 2000)
        wave_ += np.sin(2 * np.pi * second * t)
    ramp = np.minimum(1, np.minimum(t, t[::-1]) / 0.005)
    return level_to(wave_ * ramp, float(np.clip(dbfs + random.uniform(-6, 6), -36, -9)))


def ringback(ms: float, random: np.random.Generator) -> Sound:
    """The end of a ringing tone, of one of four countries."""
    tones = [(440, 480), (425,), (400, 450), (425, 400)][int(random.integers(4))]
    t = np.arange(int(ms * RATE / 1000)) / RATE
    return level_to(np.sum([np.sin(2 * np.pi * f * t) for f in tones], axis=0), -19.0)


def _spoil(
    clean: Sound, dbfs: float, label: Label, random: np.random.Generator
) -> tuple[str, NDArray[np.int16]]:
    kinds = ["none", "white", "pink", "babble", "hum", "music"]
    kind = str(random.choice(kinds if label != "no_speech" else kinds[:5]))
    snr = random.uniform(10, 30)
    if kind == "music" and label != "machine":
        snr = random.uniform(15, 30)
    if kind == "none":
        sound = clean + random.normal(0, 3, len(clean))
        described = kind
    else:
        behind = {"white": white, "pink": pink, "babble": babble, "hum": hum, "music": music}
        sound = clean + level_to(behind[kind](len(clean), random), dbfs - snr)
        described = f"{kind} {snr:.0f} dB"
    pcm = np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
    pcm = through_g711(pcm, alaw=random.random() < 0.5)
    if random.random() < 0.4:
        rate = random.uniform(0.01, 0.06)
        pcm = lose_packets(pcm, rate, random)
        described += f", {rate:.0%} lost"
    return described, pcm


def through_g711(pcm: NDArray[np.int16], *, alaw: bool) -> NDArray[np.int16]:
    """Encode and decode."""
    codec, row = ALaw() if alaw else MuLaw(), np.zeros(1, np.intp)
    return codec.decode(row, codec.encode(row, pcm))


def lose_packets(
    pcm: NDArray[np.int16], rate: float, random: np.random.Generator
) -> NDArray[np.int16]:
    """Silence instead of some packets of 20 ms; every fourth takes its successor with it."""
    frames = pcm[: len(pcm) // 160 * 160].reshape(-1, 160).copy()
    lost = random.random(len(frames)) < rate
    lost[1:] |= lost[:-1] & (random.random(len(lost) - 1) < 0.25)
    frames[lost] = 0
    return frames.reshape(-1)


def white(samples: int, random: np.random.Generator) -> Sound:
    return random.normal(0, 1000, samples)


def pink(samples: int, random: np.random.Generator) -> Sound:
    spectrum = np.fft.rfft(random.normal(0, 1000, samples))
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), samples)


def hum(samples: int, random: np.random.Generator) -> Sound:
    """Of mains, with its harmonics."""
    mains = random.choice([50, 60])
    t = np.arange(samples) / RATE
    phases = random.uniform(0, 6, 8)
    waves = [np.sin(2 * np.pi * mains * (k + 1) * t + phases[k]) / (k + 1) for k in range(8)]
    return 1000 * np.sum(waves, axis=0) + random.normal(0, 30, samples)


def babble(samples: int, random: np.random.Generator) -> Sound:
    """Six people talking elsewhere."""
    voices = _talkers()
    mixed = np.zeros(samples)
    for talker in random.choice(len(voices), 6, replace=False):
        voice = voices[talker]
        start = int(random.integers(len(voice)))
        mixed += np.resize(np.roll(voice, -start), samples) * random.uniform(0.5, 1.0)
    return mixed


@cache
def _talkers() -> list[Sound]:
    text = (
        "The weather was fine when they left the harbour and everybody talked about the long "
        "journey that lay before them while the boats came in one after the other."
    )
    variants = ("", "+m1", "+m2", "+m4", "+m6", "+f1", "+f2", "+f4")
    return [speak(f"espeak/en-gb{v}/{150 + 7 * i}/50", text) for i, v in enumerate(variants)]


def music(samples: int, random: np.random.Generator) -> Sound:
    """Chords of plucked and bowed tones over a bass, a quarter to a second each."""
    out = np.zeros(samples + 2 * RATE)
    at = 0
    while at < samples:
        length = int(random.uniform(0.25, 1.0) * RATE)
        root = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11]) / 12)
        t = np.arange(int(length * 1.5)) / RATE
        decay = np.exp(-t * random.uniform(0.5, 4))
        for step in (0, 4, 7, -12):
            f = root * 2 ** (step / 12)
            for harmonic in (1, 2, 3, 4):
                out[at : at + len(t)] += decay * np.sin(2 * np.pi * f * harmonic * t) / harmonic
        at += length
    return 1000 * out[:samples]
