"""Sounds of a call's other end at 8 kHz, without a synthesiser: int16 in float."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch_amd.bank import AmdBank
from hookswitch_amd.limits import Limits, Resumes

RATE, FRAME = 8000, 160
BANK = "hookswitch_amd.bank:AmdBank"


def silence(ms: float) -> np.ndarray:
    return np.zeros(int(ms * RATE / 1000))


def voice(ms: float, dbfs: float = -20.0, pitch: float = 120.0) -> np.ndarray:
    """Something like speech: a gliding buzz through moving formants, in syllables.

    Between them it is nearly silent for 60 ms.
    """
    t = np.arange(int(ms * RATE / 1000)) / RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.15 * np.sin(2 * np.pi * 1.3 * t))) / RATE
    formant = 700 + 400 * np.sin(2 * np.pi * 2.1 * t)
    waves = [
        np.exp(-(((k * pitch - formant) / 500) ** 2)) * np.sin(k * phase) for k in range(1, 25)
    ]
    syllables = np.maximum(0.4 + 0.6 * np.sin(2 * np.pi * 4.5 * t + 0.5), 0.02)
    return at_level(np.sum(waves, axis=0) * syllables, dbfs)


def tone(ms: float, *frequencies: float, dbfs: float = -20.0) -> np.ndarray:
    t = np.arange(int(ms * RATE / 1000)) / RATE
    return at_level(np.sum([np.sin(2 * np.pi * f * t) for f in frequencies], axis=0), dbfs)


def glide(ms: int, low: float, high: float) -> np.ndarray:
    t = np.arange(ms * 8) / RATE
    return np.asarray(3000 * np.sin(2 * np.pi * np.cumsum(np.linspace(low, high, len(t))) / RATE))


def noise(sound: np.ndarray, dbfs: float, seed: int = 7) -> np.ndarray:
    """White noise behind a sound."""
    behind = np.random.default_rng(seed).normal(0, 1, len(sound))
    return np.asarray(sound + at_level(behind, dbfs))


def at_level(sound: np.ndarray, dbfs: float) -> np.ndarray:
    return np.asarray(sound * 32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(sound**2)))


def heard(
    sounds: Sequence[np.ndarray],
    limits: Limits | None = None,
    resumes: Resumes = Resumes.NOTHING,
) -> list[list[PortReport]]:
    """What one bank that hears all of these at once reports of each."""
    bank = AmdBank()
    length = max(map(len, sounds)) // FRAME
    rows = np.zeros((len(sounds), length * FRAME), np.float32)
    for row, sound in enumerate(sounds):
        rows[row, : len(sound)] = sound[: length * FRAME]
        bank.open(spec(str(row), limits, resumes), row)
    reports: list[list[PortReport]] = [[] for _ in sounds]
    for tick in range(length):
        bank.push({RATE: rows[:, tick * FRAME : (tick + 1) * FRAME]}, tick * 0.02)
        for report in bank.reports():
            reports[int(report.port)].append(report)
    return reports


def spec(port: str, limits: Limits | None = None, resumes: Resumes = Resumes.NOTHING) -> PortSpec:
    params = {**(limits or Limits()).params(), **resumes.params()}
    return PortSpec(port, RATE, BANK, params, speaks=False)
