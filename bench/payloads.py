"""What phones say in a measurement: payloads of any codec, and the keys they are protected with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hookswitch.codecs.base import CodecInfo, StreamCodecBatch
from hookswitch.plugins.builtin import load_plugins
from hookswitch_transport_sip.rtp.keys import SUITES, Secret, SrtpKeys
from hookswitch_transport_sip.rtp.media import load_codec

CLEAR = "clear"
"""What stands for a suite where nothing is protected."""

CYCLE = 50
"""Payloads a phone repeats."""

_LEVELS = (196, 292, 396)
_PULSE = 16000
_LOUD = 7900


def codec_named(name: str) -> CodecInfo:
    """An installed codec."""
    return next(
        codec
        for codec in load_plugins().collect("register_codecs", CodecInfo)
        if codec.name.lower() == name.lower()
    )


def keys_of(suite: str) -> SrtpKeys:
    """The same key both ways."""
    key = Secret(bytes(range(SUITES[suite][0])))
    return SrtpKeys(suite, key, key)


def voice(codec: CodecInfo) -> list[bytes]:
    """A second of a voice-like sound in packets."""
    rate = codec.sample_rate
    t = np.arange(rate) / rate
    sound = sum(3000 / k * np.sin(2 * np.pi * 140 * k * t) for k in range(1, 12))
    sound = sound * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))
    sound += np.random.default_rng(1).normal(0, 100, rate)
    return _encoded(codec, sound.astype(np.int16))


@dataclass(frozen=True)
class Sound:
    """What a phone says: ``payloads`` in turn; where a byte is a sample, a loud ``pulse`` as well.

    ``loud`` has a byte per code, 1 for those that only a pulse holds.
    """

    payloads: list[bytes]
    pulse: bytes = b""
    loud: bytes = bytes(256)

    @classmethod
    def of(cls, codec: CodecInfo) -> Sound:
        """Quiet noise and pulses by G.711; by codecs with a past, which nobody can look into
        without decoding, a voice."""
        batch = load_codec(codec.batch)
        if isinstance(batch, StreamCodecBatch) or codec.name not in ("PCMU", "PCMA"):
            return cls(voice(codec))
        quiet = np.random.default_rng().choice((*_LEVELS, *(-n for n in _LEVELS)), CYCLE * 160)
        payloads = _encoded(codec, quiet.astype(np.int16))
        (pulse,) = _encoded(codec, np.full(160, _PULSE, np.int16))
        codes = np.arange(256, dtype=np.uint8)[None, :]
        loud = np.abs(batch.decode(np.zeros(1, np.intp), codes)[0].astype(int)) > _LOUD
        return cls(payloads, pulse, loud.astype(np.uint8).tobytes())


def _encoded(codec: CodecInfo, sound: NDArray[np.int16]) -> list[bytes]:
    batch, row = load_codec(codec.batch), np.zeros(1, np.intp)
    batch.open(0)
    made = []
    for frame in sound.reshape(-1, codec.sample_rate // 50):
        if isinstance(batch, StreamCodecBatch):
            payloads, sizes = batch.encode(row, frame[None, :])
            made.append(payloads[0, : sizes[0]].tobytes())
        else:
            made.append(batch.encode(row, frame[None, :])[0].tobytes())
    return made
