"""The state of a call to several targets (RFC 3261 section 16.7, by the caller itself).

Targets come in waves. Those of a wave are called at once; the first that answers wins, and the
others are cancelled. The next wave is called only if the way to all of the one before failed: no
answer at all for a while, nobody there, 503, and nobody had begun to ring.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .outcome import Outcome, best

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place(Generic[T]):
    """Call a target; its branch is known by this number from now on."""

    branch: int
    target: T


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take a branch back; if it answers all the same, `HangUp` follows."""

    branch: int


@dataclass(frozen=True, slots=True)
class HangUp:
    """End a branch that was answered too late."""

    branch: int


@dataclass(frozen=True, slots=True)
class PassOver(Generic[T]):
    """A target is given up for those of the next wave: there is no way to it."""

    target: T


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The whole call has failed."""

    outcome: Outcome


Action = Place[T] | Cancel | HangUp | PassOver[T] | GiveUp


class Forking(Generic[T]):
    """Says what to do when something happens to a branch."""

    def __init__(self, waves: Sequence[Sequence[T]], patience: float) -> None:
        """`patience`: seconds after which a silent wave is followed by the next."""
        self._waves = [list(wave) for wave in waves if wave]
        self._wave: list[T] = []
        self._patience = patience
        self._placed = 0
        self._pending: set[int] = set()
        self._outcomes: list[Outcome] = []
        self._due: float | None = None
        self._rang = self._over = False
        self.winner: int | None = None

    def start(self, now: float) -> list[Action[T]]:
        """Call the first wave."""
        return self._next_wave(now)

    def progressed(self, branch: int) -> None:
        """A branch rings, or has early media."""
        if branch in self._pending:
            self._rang = True
            self._due = None

    def answered(self, branch: int) -> list[Action[T]]:
        """A branch was answered."""
        if self._over or branch not in self._pending:
            return [HangUp(branch)]
        self.winner = branch
        self._pending.discard(branch)
        return self._end()

    def failed(self, branch: int, outcome: Outcome, now: float) -> list[Action[T]]:
        """A branch came to nothing."""
        if branch not in self._pending or self._over:
            return []
        self._pending.discard(branch)
        self._outcomes.append(outcome)
        if outcome.status >= 600:
            self._waves.clear()  # nobody anywhere wants this call
            return [*self._end(), GiveUp(outcome)]
        if self._pending:
            return []
        if self._waves and outcome.is_of_path and not self._rang:
            return self._next_wave(now)
        return [*self._end(), GiveUp(best(self._outcomes))]

    def cancel(self) -> list[Action[T]]:
        """The caller gives up."""
        return self._end()

    def next_timer(self) -> float | None:
        """When `handle_timer` must be called."""
        return self._due

    def handle_timer(self, now: float, is_silent: Callable[[int], bool]) -> list[Action[T]]:
        """Leave a wave of which all are silent: not even a 100 came."""
        if self._due is None or now < self._due:
            return []
        self._due = None
        if self._over or not all(is_silent(branch) for branch in self._pending):
            return []
        silent = sorted(self._pending)
        self._outcomes += [Outcome(408, local=True)] * len(silent)
        self._pending.clear()
        return [*(Cancel(branch) for branch in silent), *self._next_wave(now)]

    def _next_wave(self, now: float) -> list[Action[T]]:
        placed: list[Action[T]] = [PassOver(target) for target in self._wave]
        self._wave = self._waves.pop(0)
        for target in self._wave:
            placed.append(Place(self._placed, target))
            self._pending.add(self._placed)
            self._placed += 1
        self._due = now + self._patience if self._waves else None
        return placed

    def _end(self) -> list[Action[T]]:
        """Nothing of what is still under way is wanted."""
        self._over, self._due = True, None
        left = sorted(self._pending)
        self._pending.clear()
        return [Cancel(branch) for branch in left]
