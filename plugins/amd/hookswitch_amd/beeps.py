"""Beeps: tones that begin, stay, and end in silence.

A tone that goes on is a ringing or dial tone; one that becomes another is SIT, a jingle or music;
one that fades into something else is a held vowel. None of them is a beep. A lost packet does not
end a tone: it goes on when the same one is heard again.
"""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import TICK_MS

from .columns import Columns, Decibels, Flags, Ticks
from .tones import STEADY_TICKS, Tones

BEFORE_STEADY_TICKS = STEADY_TICKS + 3
"""For how long a tone has sounded when it is steady: the spectrum looks back three ticks."""

YOUNG_TICKS = BEFORE_STEADY_TICKS + 4
"""A tone that is not steady by then is none: a whistle, a voice, an instrument."""

LONGEST_TICKS = 1600 // TICK_MS

SAME_HZ = 12.0

FALLS_DB = 6.0
"""How much quieter it is after a beep, at least."""

FALLEN_TICKS = 2
"""For how long it is."""

AFTER_TICKS = FALLEN_TICKS + 2
"""How long after its end a beep is known to be over, about."""

FALLS_WITHIN_TICKS = 8
"""Counted from when the tone is no longer steady."""


class Beeps(Columns):
    """The state of all ears."""

    length: Ticks
    """For how many ticks the present tone has sounded; 0 is none."""
    _ended: Ticks
    _fallen: Ticks
    _loud: Decibels
    _low: Decibels
    _high: Decibels

    def __init__(self) -> None:
        super().__init__(
            length=np.int32(0),
            _ended=np.int32(0),
            _fallen=np.int32(0),
            _loud=np.float32(0.0),
            _low=np.float32(0.0),
            _high=np.float32(0.0),
        )

    def hear(self, tones: Tones, count: int) -> Ticks:
        """Take a tick of the first ears; answers for how long a beep that is now over has sounded,
        in ticks, or 0."""
        length, ended, loud = self.length[:count], self._ended[:count], self._loud[:count]
        sounds = tones.steady[:count] >= STEADY_TICKS
        begins = sounds & (length == 0)
        resumes = sounds & (ended > 0)
        other = resumes & ~self._is_same(tones, count)
        length += np.where(resumes, ended, 0) + (sounds & ~begins)
        length[begins] = BEFORE_STEADY_TICKS
        length[other] = LONGEST_TICKS + 1
        self._remember(begins | other, tones, count)
        np.copyto(ended, np.where(sounds | (length == 0), 0, ended + 1))
        fallen = (ended > 0) & (tones.loudness[:count] < loud - FALLS_DB)
        np.copyto(self._fallen[:count], np.where(fallen, self._fallen[:count] + 1, 0))
        over = self._fallen[:count] >= FALLEN_TICKS
        beeps = np.where(over & (length <= LONGEST_TICKS), length, 0)
        length[over | (ended > FALLS_WITHIN_TICKS)] = 0
        return beeps

    def may_come(self, tones: Tones, count: int) -> Flags:
        """Where a tone sounds, or has just ended, that may turn out to be a beep."""
        length, young = self.length[:count], tones.young[:count]
        begins = (length == 0) & (young > 0) & (young <= YOUNG_TICKS)
        return np.asarray(begins | ((length > 0) & (length <= LONGEST_TICKS)))

    def _is_same(self, tones: Tones, count: int) -> Flags:
        low = np.abs(tones.low[:count] - self._low[:count]) < SAME_HZ
        return np.asarray(low & (np.abs(tones.high[:count] - self._high[:count]) < SAME_HZ))

    def _remember(self, new: Flags, tones: Tones, count: int) -> None:
        for mine, now in ((self._low, tones.low), (self._high, tones.high),
                          (self._loud, tones.loudness)):  # fmt: skip
            mine[:count][new] = now[:count][new]
