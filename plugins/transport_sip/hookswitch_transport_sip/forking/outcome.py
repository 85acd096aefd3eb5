"""How branches fail, and which failure speaks for all of them (RFC 3261 section 16.7, step 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_TELLING = (401, 407, 415, 420, 484)
"""Failures that say how the call could be placed anew."""
_SILENT = (408, 487)
"""Failures that say nothing of the callee."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The final response of a branch, made up if `local`: nobody answered, or nobody is there."""

    status: int
    local: bool = False

    @property
    def is_of_path(self) -> bool:
        """Whether another way to the same callee may succeed (RFC 3263 section 4.3)."""
        return self.local or self.status == 503


def best(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of the whole call: a 6xx if there is one, else the lowest class."""
    return min(outcomes, key=_rank)


def _rank(outcome: Outcome) -> tuple[int, int]:
    status = outcome.status
    if status >= 600:
        return 0, 0
    if status in _TELLING:
        return status // 100, 0
    return status // 100, 2 if status in _SILENT else 1
