"""Verdicts: who answered, by what was said and for how long.

======================  ==========================================================================
no_speech               no word within ``initial_silence_timeout``
machine                 one phrase of ``greeting_duration``, or twice that in all phrases, or just
                        that when ``total_analysis_time`` is over; or a beep after words
human                   words, then ``after_greeting_silence``, and no tone that may become a beep
not_sure                none of them within ``total_analysis_time``
======================  ==========================================================================

People who say more than one sentence pause between them; recordings go on.

Who has missed something knows a machine when it goes on or beeps; all else is ``not_sure``.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from hookswitch.mixer.bank import TICK_MS

from .columns import Columns, Flags, Ticks
from .limits import Limits, Resumes
from .words import NEVER, Words

PHRASES = 2.0
"""All phrases together may be this many times as long as a single one."""


class Verdict(IntEnum):
    """Who answered."""

    NONE = 0
    HUMAN = 1
    MACHINE = 2
    NO_SPEECH = 3
    NOT_SURE = 4


def ticks(ms: int) -> int:
    """Ticks of at least this many milliseconds."""
    return -(-ms // TICK_MS)


class Verdicts(Columns):
    """The limits of all ears, in ticks, and what was found."""

    verdict: Ticks
    _missed: Flags
    _initial_silence: Ticks
    _greeting: Ticks
    _after: Ticks
    _total: Ticks

    def __init__(self) -> None:
        super().__init__(
            verdict=np.int8(Verdict.NONE),
            _missed=np.bool_(False),
            _initial_silence=np.int32(0),
            _greeting=np.int32(0),
            _after=np.int32(0),
            _total=np.int32(0),
        )

    def limit(self, line: int, limits: Limits) -> None:
        """Set the limits of an ear."""
        self._initial_silence[line] = ticks(limits.initial_silence_timeout)
        self._greeting[line] = ticks(limits.greeting_duration)
        self._after[line] = ticks(limits.after_greeting_silence)
        self._total[line] = ticks(limits.total_analysis_time)

    def resume(self, line: int, what: Resumes) -> None:
        """An ear goes on with this."""
        self._missed[line] = what is Resumes.LISTENING
        if what is Resumes.WAITING:
            self.verdict[line] = Verdict.MACHINE

    def judge(self, words: Words, beeps: Flags, tones: Flags) -> Flags:
        """Judge by what was heard so far; answers where the verdict is new.

        ``beeps`` is where one is over, ``tones`` where something sounds that may become one.
        """
        count = len(beeps)
        spoke = words.begun[:count] != NEVER
        greeting = self._greeting[:count]
        spoken, over = words.spoken(count), words.age[:count] >= self._total[:count]
        goes_on = (words.phrase(count) >= greeting) | (spoken >= PHRASES * greeting)
        waits = spoke & (words.silence[:count] >= self._after[:count]) & ~tones
        goes_on |= over & (spoken >= greeting) & ~waits
        mute = ~spoke & ~words.in_sound(count)
        mute &= words.age[:count] >= self._initial_silence[:count]
        found = np.select(
            [goes_on | (beeps & spoke), waits, mute, over],
            [Verdict.MACHINE, Verdict.HUMAN, Verdict.NO_SPEECH, Verdict.NOT_SURE],
            Verdict.NONE,
        )
        found[self._missed[:count] & (found != Verdict.NONE) & (found != Verdict.MACHINE)] = (
            Verdict.NOT_SURE
        )
        new = (self.verdict[:count] == Verdict.NONE) & (found != Verdict.NONE)
        self.verdict[:count][new] = found[new]
        return np.asarray(new)
