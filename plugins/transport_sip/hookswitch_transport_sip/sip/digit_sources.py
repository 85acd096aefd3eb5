"""Phones that send a digit in two ways at once, as an event, as tones or by INFO: it is one."""

from __future__ import annotations

from dataclasses import dataclass

TOGETHER_S = 0.5
"""The same digit from another source within this time is the same key press."""


@dataclass(frozen=True, slots=True)
class _Digit:
    digit: str
    source: str
    at: float


class DigitSources:
    """The digits of one call, in the order in which they come."""

    def __init__(self) -> None:
        self._last: _Digit | None = None

    def is_new(self, digit: str, source: str, now: float) -> bool:
        """Whether a digit is to be told, or is the echo of the last one."""
        last = self._last
        if (
            last is not None
            and (last.digit == digit and last.source != source)
            and now - last.at < TOGETHER_S
        ):
            return False
        self._last = _Digit(digit, source, now)
        return True
