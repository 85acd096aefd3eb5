"""Whether an address of a peer answers OPTIONS."""

from __future__ import annotations

from enum import StrEnum

FALL = 2
"""Probes in a row that must fail before an address is down; one that succeeds has it up."""

REST = 60.0
"""Seconds for which an address that failed a call is left alone if it is not probed."""


class Health(StrEnum):
    """What is known of an address."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class Probing:
    """Probes one address again and again; times are seconds."""

    def __init__(self, interval: float, patience: float = 5.0) -> None:
        """`patience`: how long an answer may take. An interval of 0 never probes."""
        self.health = Health.UNKNOWN
        self._interval, self._patience = interval, min(patience, interval)
        self._due: float | None = None
        self._waiting = False
        self._failures = 0

    def start(self, now: float) -> None:
        """Begin, with a probe that is due at once."""
        if self._interval > 0:
            self._due = now

    def next_timer(self) -> float | None:
        """When `handle_timer` must be called."""
        return self._due

    def handle_timer(self, now: float) -> tuple[bool, Health | None]:
        """Answers whether to send a probe now, and the new health if it changed."""
        if self._due is None or now < self._due:
            return False, None
        if self._interval <= 0:
            self._due = None
            return False, self._become(Health.UNKNOWN)
        if self._waiting:
            return False, self._failed(now)
        self._waiting = True
        self._due = now + self._patience
        return True, None

    def answered(self, now: float, *, alive: bool) -> Health | None:
        """An answer to the latest probe, or the certainty that none will come.

        Returns the new health if it changed.
        """
        if not self._waiting:
            return None  # it was too late to count
        if not alive:
            return self._failed(now)
        self._failures = 0
        self._rest(now)
        return self._become(Health.UP)

    def call_failed(self, now: float) -> Health | None:
        """A call could not be brought there. Returns the new health if it changed."""
        self._waiting = False
        self._failures = FALL
        self._due = now + (self._interval if self._interval > 0 else REST)
        return self._become(Health.DOWN)

    def _failed(self, now: float) -> Health | None:
        self._failures += 1
        self._rest(now)
        return self._become(Health.DOWN) if self._failures >= FALL else None

    def _rest(self, now: float) -> None:
        self._waiting = False
        doubtful = 0 < self._failures < FALL
        self._due = now + (self._patience if doubtful else self._interval)

    def _become(self, health: Health) -> Health | None:
        if health is self.health:
            return None
        self.health = health
        return health
