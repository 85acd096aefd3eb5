"""Voice activity: which ears hear something louder than the noise around it.

The noise floor is kept per band, so that hum, hiss and the murmur of a room each only hide what is
in their own band. How far above it a voice has to be depends on how far the voice of this call is
above it: with much noise little, on a quiet line more, so that breath and echo are no words.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hookswitch.mixer.bank import FULL_SCALE, Samples

from .columns import Columns, Decibels, Flags, Ticks

RATE = 8000
FRAME = RATE // 50

_EDGES_HZ = (200, 300, 450, 600, 800, 1050, 1350, 1700, 2100, 2600, 3400)
BANDS = len(_EDGES_HZ) - 1

LEAST_FLOOR_DBFS = -72.0
"""In each band. A line that is quieter than this counts as this noisy."""

FIRST_FLOOR_DBFS = -44.0
"""What is louder than this when an ear opens may be a voice, and does not make the floor."""

GONE_DBFS = -78.0
"""A frame without even this is no sound (a lost packet, a pause of the sender's): it tells nothing
of the noise."""

SMOOTHING = 0.47
"""Share of the new frame in the level that is judged."""

TRAIL_DB = 10.0
"""The smoothed level is never further above the present one, so that words end soon."""

AVERAGING = 0.04
"""Share of the way the floor goes towards the level in a tick, up or down, while it is near."""

RISE_DB, VOICED_RISE_DB = 0.15, 0.02
"""How fast the floor rises at most, per tick; and while there is a voice."""

NEAR_DB, FALL = 8.0, 0.16
"""When the level is further below the floor than this, the floor falls by this share of the way."""

LEAST_ABOVE_DB, MOST_ABOVE_DB = 1.25, 12.0
"""Bounds of how far above the floor a voice has to be, on average over the bands."""

SPREADS = 2.5
"""How many times the spread of the noise a voice has to be above the least."""

FIRST_SPREAD_DB, MOST_SPREAD_DB, SPREAD_SHARE = 2.5, 10.0, 0.02
"""The spread is learnt from how far below the floor the noise goes: there, no voice takes it."""

HOLD_DB, HOLD_TICKS = 2.0, 35
"""For so long after a voice it may be this much softer: weak syllables belong to the words."""

SHARE = 0.45
"""Share of the way from the floor to the voice at which the border is."""

VOICE_FADES_DB = 0.015
"""How fast the voice's own level is forgotten, per tick."""

EVEN_DB, EVEN_TICKS, EVENING_DB = 5.0, 15, 0.3
"""What keeps within this range for so many ticks is noise that began; extremes are forgotten at
the last rate per tick."""

_RANGE_DB = (-6.0, 24.0)
"""How far below or above its floor a band counts."""


class Voice(Columns):
    """The state of all ears. Levels are in dBFS, or dB above the floor."""

    _floor: Decibels
    _level: Decibels
    _age: Ticks
    _voice: Decibels
    _spread: Decibels
    _high: Decibels
    _low: Decibels
    _even: Ticks
    _since: Ticks
    _voiced: Flags
    was_noise: Flags
    """Where it turned out in this tick that what seemed a voice since `EVEN_TICKS` is noise."""

    def __init__(self) -> None:
        super().__init__(
            _floor=np.full(BANDS, 0.0, np.float32),
            _level=np.full(BANDS, LEAST_FLOOR_DBFS, np.float32),
            _age=np.int32(0),
            _voice=np.float32(0.0),
            _spread=np.float32(FIRST_SPREAD_DB),
            _high=np.float32(0.0),
            _low=np.float32(0.0),
            _even=np.int32(0),
            _since=np.int32(HOLD_TICKS + 1),
            _voiced=np.bool_(False),
        )
        self.was_noise = np.zeros(0, np.bool_)
        self._window = np.hanning(FRAME + 1)[:FRAME].astype(np.float32)
        frequency = np.arange(FRAME // 2 + 1) * RATE / FRAME
        bands = [(frequency >= low) & (frequency < high)
                 for low, high in pairwise(_EDGES_HZ)]  # fmt: skip
        scale = 2 / (FULL_SCALE**2 * FRAME * np.sum(self._window**2))
        self._to_bands = (np.array(bands).T * scale).astype(np.float32)

    def hear(self, frames: Samples) -> Flags:
        """Take 20 ms of the first ears; answers which hear a voice."""
        count = len(frames)
        spectrum = np.fft.rfft(frames * self._window)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ self._to_bands
        bands = 10 * np.log10(np.maximum(power, 1e-10))
        gone = power.sum(axis=1) < 10 ** (GONE_DBFS / 10)
        level = self._smooth(bands, gone, count)
        floor = self._follow(level, gone, count)
        above = np.clip(level - floor, *_RANGE_DB).mean(axis=1)
        return self._judge(above, gone, count)

    def _smooth(self, bands: Decibels, gone: Flags, count: int) -> Decibels:
        level, age = self._level[:count], self._age[:count]
        share = np.where(gone, 0.0, np.where(age == 0, 1.0, SMOOTHING)).astype(np.float32)
        bands = np.maximum(bands, LEAST_FLOOR_DBFS)
        level += share[:, None] * (bands - level)
        level[~gone] = np.minimum(level, bands + TRAIL_DB)[~gone]
        age += ~gone
        return level

    def _follow(self, level: Decibels, gone: Flags, count: int) -> Decibels:
        floor = self._floor[:count]
        off = level - floor
        most = np.where(self._voiced[:count], VOICED_RISE_DB, RISE_DB)[:, None]
        step = np.where(off < -NEAR_DB, FALL * off, np.minimum(AVERAGING * off, most))
        first = np.minimum(off, FIRST_FLOOR_DBFS - floor)
        step = np.where((self._age[:count] <= 1)[:, None], first, step)
        floor += np.where(gone[:, None], 0.0, step).astype(np.float32)
        np.maximum(floor, LEAST_FLOOR_DBFS, out=floor)
        return floor

    def _judge(self, above: Decibels, gone: Flags, count: int) -> Flags:
        voice, spread = self._voice[:count], self._spread[:count]
        np.maximum(voice - VOICE_FADES_DB, above, out=voice)
        border = np.maximum(LEAST_ABOVE_DB + SPREADS * spread, SHARE * voice)
        since = self._since[:count]
        border -= HOLD_DB * (since <= HOLD_TICKS)
        voiced: Flags = (above > np.minimum(border, MOST_ABOVE_DB)) & ~gone
        voiced &= ~self._is_even(above, voiced, gone, count)
        off = np.clip(-2.0 * above, 0.0, MOST_SPREAD_DB)
        spread += np.where(voiced | gone, 0.0, SPREAD_SHARE * (off - spread)).astype(np.float32)
        np.copyto(since, np.where(voiced, 0, np.minimum(since + 1, HOLD_TICKS + 1)))
        self._voiced[:count] = voiced
        return voiced

    def _is_even(self, above: Decibels, voiced: Flags, gone: Flags, count: int) -> Flags:
        """Where what is above the floor has not changed for long: that becomes the floor."""
        high, low, even = self._high[:count], self._low[:count], self._even[:count]
        np.copyto(high, np.where(voiced, np.maximum(high - EVENING_DB, above), above))
        np.copyto(low, np.where(voiced, np.minimum(low + EVENING_DB, above), above))
        is_even = voiced & (high - low < EVEN_DB)
        np.copyto(even, np.where(gone, even, np.where(is_even, even + 1, 0)))
        noise: Flags = even >= EVEN_TICKS
        self.was_noise = noise
        self._floor[:count][noise] = self._level[:count][noise]
        self._voice[:count][noise] = 0.0
        return self.was_noise
