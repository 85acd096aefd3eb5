"""Tones as samples: one whole turn of each is computed once, and played round and round."""

from __future__ import annotations

import math
from collections.abc import Generator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from hookswitch.media.rings import Pcm
from hookswitch.mixer.bank import FULL_SCALE
from hookswitch.playback.tone_table import Pulse, Tone, find

from .errors import PlaybackError

DBM0 = -3.14
"""0 dBm0 in dB relative to a sine of full scale (ITU-T G.711)."""

EDGE_MS = 4
"""Length of the raised cosine at both ends of a pulse, within it: a hard edge would click."""

Samples = NDArray[np.float64]


class Tones:
    """Turns by name and rate, kept: all playbacks of a tone share one."""

    def __init__(self) -> None:
        self._turns: dict[tuple[str, int], Pcm] = {}

    def turn(self, name: str, rate: int) -> Pcm:
        """One whole turn of a tone, which follows itself without a seam; read-only."""
        tone = find(name)
        if tone is None:
            raise PlaybackError(f"there is no tone {name}")
        key = (name, rate)
        if key not in self._turns:
            self._turns[key] = one_turn(tone, rate)
        return self._turns[key]


def one_turn(tone: Tone, rate: int) -> Pcm:
    """int16 at ``rate`` Hz, as long as it takes until cadence and phases are as at the start."""
    count = int(_turn_length(tone) * rate)
    t = np.arange(count) / rate
    wave = sum((np.sin(2 * np.pi * f * t) for f in tone.frequencies), np.zeros(count))
    wave *= 1 + tone.depth * np.sin(2 * np.pi * tone.modulation * t)
    envelope = np.resize(_cadence(tone.cadence, rate), count)
    pcm = np.rint(_amplitude(tone) * wave * envelope).astype(np.int16)
    pcm.flags.writeable = False
    return pcm


def rounds(turn: Pcm, start: int) -> Generator[Pcm]:
    """A turn for ever, from sample ``start`` of the first round on."""
    yield turn[start % len(turn) :]
    while True:
        yield turn


def _amplitude(tone: Tone) -> float:
    """Peak of each frequency, in the scale of 16-bit PCM, that gives the tone its level."""
    power = len(tone.frequencies) * (1 + tone.depth**2 / 2)
    return float(FULL_SCALE * 10 ** ((tone.level + DBM0) / 20) / math.sqrt(power))


def _turn_length(tone: Tone) -> Fraction:
    """In seconds: the least common multiple of the cadence and the period of the frequencies."""
    cadence = Fraction(sum(pulse.on + pulse.off for pulse in tone.cadence), 1000)
    period = Fraction(1, math.gcd(*tone.frequencies, tone.modulation))
    common = math.lcm(cadence.denominator, period.denominator)
    return Fraction(math.lcm(int(cadence * common), int(period * common)), common)


def _cadence(pulses: tuple[Pulse, ...], rate: int) -> Samples:
    """The envelope of a cadence: 1 where a pulse of 0 dB sounds, 0 where it is silent."""
    parts = []
    for pulse in pulses:
        sound = np.full(pulse.on * rate // 1000, 10 ** (pulse.db / 20))
        if pulse.off:
            _soften(sound, EDGE_MS * rate // 1000)
        parts += [sound, np.zeros(pulse.off * rate // 1000)]
    return np.concatenate(parts)


def _soften(sound: Samples, edge: int) -> None:
    rise = np.sin(np.pi / 2 * (np.arange(edge) + 0.5) / edge) ** 2
    sound[:edge] *= rise
    sound[-edge:] *= rise[::-1]
