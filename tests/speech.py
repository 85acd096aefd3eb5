"""Speech for tests, by espeak-ng, and how much of it is left after a bad network."""

from __future__ import annotations

import functools
import shutil
import subprocess
import wave
from io import BytesIO

import numpy as np
import pytest

_TEXT = (
    "The rainbow is a division of white light into many beautiful colours. These take the shape "
    "of a long round arch, with its path high above, its two ends apparently beyond the horizon."
)


@functools.cache
def speech(rate: int, seconds: float = 8.0) -> np.ndarray:
    """A sentence, int16."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    said = subprocess.run(
        ["espeak-ng", "--stdout", "-s", "150", _TEXT], capture_output=True, check=True
    ).stdout
    with wave.open(BytesIO(said)) as file:
        source, pcm = file.getframerate(), np.frombuffer(said[44:], "<i2").astype(np.float64)
    spectrum = np.fft.rfft(pcm)
    count = int(len(pcm) * rate / source)
    resized = np.zeros(count // 2 + 1, complex)
    kept = min(len(resized), len(spectrum))
    resized[:kept] = spectrum[:kept]
    audio = np.fft.irfft(resized, count) * count / len(pcm)
    audio *= 12000 / np.abs(audio).max()
    return np.rint(audio[: int(rate * seconds)]).astype(np.int16)


def segmental_snr(clean: np.ndarray, heard: np.ndarray, rate: int) -> float:
    """Mean over the 20 ms segments that hold speech of their signal to noise ratio, in dB.

    Each is kept within -10 and 35 dB, as is usual.
    """
    size = rate // 50
    count = min(len(clean), len(heard)) // size
    a = clean[: count * size].astype(np.float64).reshape(count, size)
    b = heard[: count * size].astype(np.float64).reshape(count, size)
    signal, noise = (a**2).sum(axis=1), ((a - b) ** 2).sum(axis=1)
    speaks = signal > 300.0**2 * size
    ratio = 10 * np.log10(signal[speaks] / np.maximum(noise[speaks], 1e-9))
    return float(np.clip(ratio, -10, 35).mean())


def spectral_distance(clean: np.ndarray, heard: np.ndarray, rate: int) -> float:
    """Mean distance of the log spectra of speech segments in dB, blind to phase."""
    size = rate // 50
    count = min(len(clean), len(heard)) // size
    window = np.hanning(size)
    bands = max(size // 2 // 20, 1)

    def spectrum(audio: np.ndarray) -> np.ndarray:
        parts = audio[: count * size].astype(np.float64).reshape(count, size) * window
        power = np.abs(np.fft.rfft(parts, axis=1)[:, : bands * 20]) ** 2
        return 10 * np.log10(power.reshape(count, 20, -1).mean(axis=2) + 1e4)

    speaks = (clean[: count * size].astype(np.float64).reshape(count, size) ** 2).mean(axis=1)
    distance = np.sqrt(((spectrum(clean) - spectrum(heard)) ** 2).mean(axis=1))
    return float(distance[speaks > 300.0**2].mean())


def likeness(clean: np.ndarray, heard: np.ndarray, rate: int, within: float = 0.5) -> float:
    """How much of the speech is in what was heard, 0..1, wherever it has moved by a little.

    The mean over stretches of 100 ms of their best correlation with what was heard around that
    time (``within`` seconds later).
    """
    step = rate // 8000
    a, b = clean[::step].astype(np.float64), heard[::step].astype(np.float64)
    size, reach = 800, int(within * 8000)
    b = np.concatenate([b, np.zeros(size + reach)])
    found = []
    for start in range(0, len(a) - size, size):
        part, around = a[start : start + size], b[start : start + size + reach]
        if np.mean(part**2) < 300.0**2:
            continue
        product = np.correlate(around, part, "valid")
        energy = np.cumsum(np.concatenate([[0.0], around**2]))
        energy = energy[size:] - energy[:-size]
        found.append(np.max(product / np.sqrt(np.maximum(energy, 1e3) * np.sum(part**2))))
    return float(np.mean(found))
