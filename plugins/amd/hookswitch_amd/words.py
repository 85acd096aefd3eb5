"""Words and phrases: what is made of voice activity, and how long it lasted.

A phrase is voice with pauses no longer than `PAUSE_TICKS`; it counts from its first to its last
sound. It is one as soon as there is as much voice in it as the shortest word has: what is shorter
is a click, and ends no silence.
"""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import TICK_MS

from .columns import Columns, Flags, Ticks

PAUSE_TICKS = 120 // TICK_MS
NEVER = np.int32(-1)


class Words(Columns):
    """The state of all ears, in ticks."""

    age: Ticks
    """Since the ear was opened."""
    begun: Ticks
    """When the first phrase began, or `NEVER`."""
    silence: Ticks
    """Since the last sound of the last phrase."""
    shortest: Ticks
    """Length of the shortest word: a parameter."""
    _before: Ticks
    """In the phrases before this one."""
    _span: Ticks
    """Since the first sound of what may be a phrase; 0 when there is none."""
    _gap: Ticks
    """Since its last sound."""
    _voiced: Ticks
    """How much of it was voice."""

    def __init__(self) -> None:
        super().__init__(
            age=np.int32(0),
            begun=NEVER,
            silence=np.int32(0),
            shortest=np.int32(0),
            _before=np.int32(0),
            _span=np.int32(0),
            _gap=np.int32(0),
            _voiced=np.int32(0),
        )

    def hear(self, voice: Flags, none: Flags, none_ticks: Ticks) -> None:
        """Take a tick. ``none`` is where it turned out that what was heard in the last
        ``none_ticks`` was no voice, but a tone or noise."""
        count = len(voice)
        span, gap, voiced = self._span[:count], self._gap[:count], self._voiced[:count]
        self.age[:count] += 1
        self.silence[:count] += 1
        self._take_back(none & (span > 0), none_ticks, count)
        voice = voice & ~none
        np.copyto(span, np.where(voice | (span > 0), span + 1, 0))
        np.copyto(gap, np.where(voice, 0, gap + 1))
        voiced += voice
        phrase = self.in_phrase(count)
        first = phrase & (self.begun[:count] == NEVER)
        self.begun[:count][first] = (self.age[:count] - span)[first]
        self.silence[:count][phrase] = gap[phrase]
        self._end((span > 0) & (gap > PAUSE_TICKS), count)

    def in_sound(self, count: int) -> Flags:
        """Where something is heard that is, or may become, a phrase."""
        return self._span[:count] > 0

    def in_phrase(self, count: int) -> Flags:
        """Where a phrase is spoken."""
        return (self._span[:count] > 0) & (self._voiced[:count] >= self.shortest[:count])

    def phrase(self, count: int) -> Ticks:
        """Length of the phrase that is spoken, so far."""
        return np.where(self.in_phrase(count), self._span[:count] - self._gap[:count], 0)

    def spoken(self, count: int) -> Ticks:
        """Length of all phrases, so far."""
        return self._before[:count] + self.phrase(count)

    def _take_back(self, none: Flags, ticks: Ticks, count: int) -> None:
        """What was voice until then ends there; what was no voice at all is forgotten."""
        lost = np.where(none, np.maximum(ticks - self._gap[:count] - 1, 0), 0)
        self._voiced[:count] -= lost
        self._gap[:count] += lost
        unsaid = none & ~self.in_phrase(count) & (self._before[:count] == 0)
        self.begun[:count][unsaid] = NEVER
        self._end(none, count)

    def _end(self, ends: Flags, count: int) -> None:
        self._before[:count] += np.where(ends, self.phrase(count), 0)
        self._span[:count][ends] = 0
        self._voiced[:count][ends] = 0
