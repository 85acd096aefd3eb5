"""Audio files of tests."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np


def write_wav(path: Path, pcm: np.ndarray, rate: int) -> str:
    """Write int16 samples, (n,) or (n, channels); answers the file's URL."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if pcm.ndim == 1 else pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.astype("<i2").tobytes())
    return path.as_uri()


def read_wav(path: Path | str) -> tuple[np.ndarray, int]:
    """A file's int16 samples, (n, channels), and its rate in Hz."""
    data = Path(path).read_bytes()
    assert (data[:4], data[8:12]) == (b"RIFF", b"WAVE")
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    at, chunks = 12, {}
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        chunks[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    _, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    assert bits == 16
    return np.frombuffer(chunks[b"data"], "<i2").reshape(-1, channels), rate
