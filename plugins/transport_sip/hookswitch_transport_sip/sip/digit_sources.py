"""Phones that send a digit in two ways at once, as an event, as tones or by INFO: it is one.

The same digit from another source is an echo while the first source says that the key is held, and
shortly after; any other digit is a key press of its own, whatever way the ones before it came.
"""

from __future__ import annotations

from dataclasses import dataclass

TOGETHER_S = 0.5
"""The ways begin this near to each other: a jitter buffer and the tones' detection are between."""

AFTERWARDS_S = 0.25
"""An echo may begin this much after the end: an INFO is often sent when the key is released."""

LONGEST_S = 5.0
"""A key press that nobody ends ends by itself: the packets that said so were lost."""


@dataclass(slots=True)
class _Press:
    source: str
    began: float
    echoes_until: float


class DigitSources:
    """The digits of one call, in the order in which they come."""

    def __init__(self) -> None:
        self._last: dict[str, _Press] = {}

    def is_new(self, digit: str, source: str, now: float, *, held: bool = False) -> bool:
        """Whether a digit is to be told, or is the echo of one; ``held`` if `ended` will follow."""
        last = self._last.get(digit)
        if last is not None and last.source != source and now < last.echoes_until:
            return False
        echoes_until = now + (LONGEST_S if held else TOGETHER_S)
        self._last[digit] = _Press(source, now, echoes_until)
        return True

    def ended(self, digit: str, source: str, now: float) -> None:
        """The key was released."""
        last = self._last.get(digit)
        if last is not None and last.source == source:
            last.echoes_until = max(last.began + TOGETHER_S, now + AFTERWARDS_S)
