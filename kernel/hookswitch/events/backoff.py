"""When to try again: exponential back-off with jitter, and what Retry-After asks for."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = 3600.0
"""A receiver cannot postpone its events by more than this many seconds at a time."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """Doubles from ``first`` up to ``longest`` seconds; jitter takes off up to that share."""

    first: float = 0.5
    longest: float = 60.0
    jitter: float = 0.5
    random: Callable[[], float] = random.random

    def delay(self, failures: int) -> float:
        """Seconds to wait after that many failures in a row (1 is the first)."""
        full = min(self.longest, self.first * 2.0 ** min(failures - 1, 32))
        return full * (1.0 - self.jitter * self.random())


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait as a Retry-After header says: a number, or a date. Nonsense is None."""
    if not value:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(0.0, when.timestamp() - now), LONGEST_RETRY_AFTER)
