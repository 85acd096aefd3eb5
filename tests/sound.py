"""Listening: what tests find in audio that arrived."""

from __future__ import annotations

import numpy as np

FULL_SCALE = 32767.0


def tone(frequency: float, seconds: float, rate: int, dbfs: float = -12.0) -> np.ndarray:
    """A sine as int16."""
    t = np.arange(int(seconds * rate)) / rate
    peak = FULL_SCALE * 10 ** (dbfs / 20)
    return np.rint(peak * np.sin(2 * np.pi * frequency * t)).astype(np.int16)


def level(audio: np.ndarray, frequency: float, rate: int) -> float:
    """Level in dBFS of one frequency (the peak of its sine) over all of the audio."""
    audio = np.asarray(audio, np.float64)
    window = np.hanning(len(audio))
    t = np.arange(len(audio)) / rate
    amplitude = 2 * abs(np.sum(audio * window * np.exp(-2j * np.pi * frequency * t))) / window.sum()
    return float(20 * np.log10(max(amplitude / FULL_SCALE, 1e-9)))


def longest_gap_ms(audio: np.ndarray, rate: int, dbfs: float = -45.0) -> float:
    """The longest stretch whose every millisecond stays below a level."""
    step = rate // 1000
    peaks = np.abs(np.asarray(audio[: len(audio) // step * step], np.float64)).reshape(-1, step)
    quiet = peaks.max(axis=1) < FULL_SCALE * 10 ** (dbfs / 20)
    longest = run = 0
    for is_quiet in quiet:
        run = run + 1 if is_quiet else 0
        longest = max(longest, run)
    return float(longest)


def residue(audio: np.ndarray, frequencies: tuple[float, ...], rate: int) -> np.ndarray:
    """What is left in each tenth of a second when these tones are taken out: RMS in dBFS."""
    size = rate // 10
    t = 2 * np.pi * np.arange(size) / rate
    tones = np.column_stack([wave(f * t) for f in frequencies for wave in (np.sin, np.cos)])
    parts = np.asarray(audio[: len(audio) // size * size], np.float64).reshape(-1, size).T
    rest = parts - tones @ np.linalg.lstsq(tones, parts, rcond=None)[0]
    power = np.sqrt(np.mean(rest**2, axis=0)) / FULL_SCALE
    return np.asarray(20 * np.log10(np.maximum(power, 1e-9)))
