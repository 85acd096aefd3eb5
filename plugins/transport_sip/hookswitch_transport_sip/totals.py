"""What is counted of a call's audio, over restarts of its media worker."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from .rtp.keys import SrtpKeys
from .rtp.supervision import STATS_INTERVAL_S

_COUNTED = ("packets_received", "packets_lost", "packets_discarded", "packets_sent")

UNSEEN = int(2 * STATS_INTERVAL_S * 110)
"""Packets that may come between two reports, at ten milliseconds each, and digits beside them."""


class Totals:
    """Sums of statistics. A restarted worker counts from zero again."""

    def __init__(self) -> None:
        self._before = dict.fromkeys(_COUNTED, 0)
        self._last: Mapping[str, Any] = {}

    def add(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A report of a worker, as one of the whole call."""
        if data["packets_received"] < self._last.get("packets_received", 0):
            for name in _COUNTED:
                self._before[name] += self._last[name]
        self._last = data
        return {**data, **{name: data[name] + self._before[name] for name in _COUNTED}}


class Age(enum.Enum):
    """Of the keys of a call: to be used on, to be replaced, no longer to be used."""

    GOOD = enum.auto()
    WORN = enum.auto()
    OVER = enum.auto()


class KeyLife:
    """How long the peer's key of SRTP may still be used (RFC 4568 section 6.1).

    Ours is held to the same limit, though nothing but the suite limits it: who cares for the age of
    its own key will for ours. Only theirs is ever over.
    """

    def __init__(self) -> None:
        self._theirs, self._ours = _Key(), _Key()

    def age(self, keys: SrtpKeys | None, received: int, sent: int) -> Age:
        """That of the keys in use, told with the packets of the whole call so far.

        Worn is said once per attempt to replace them: early enough for a second one.
        """
        self._theirs.note(keys.receives if keys else None, received)
        self._ours.note(keys.sends if keys else None, sent)
        if keys is None or keys.lifetime is None:
            return Age.GOOD
        limit = keys.lifetime - UNSEEN
        if self._theirs.used > limit:
            return Age.OVER
        worn = [key.is_worn(limit) for key in (self._theirs, self._ours)]
        return Age.WORN if any(worn) else Age.GOOD


class _Key:
    """The packets under one key, and how many more there may be until it is to be replaced."""

    def __init__(self) -> None:
        self._key: bytes | None = None
        self._began = self._count = 0
        self._due: float | None = None

    @property
    def used(self) -> int:
        return self._count - self._began

    def note(self, key: bytes | None, count: int) -> None:
        """This many packets were counted, the last ones under this key."""
        if key != self._key:
            self._key, self._began, self._due = key, self._count, None
        self._count = count

    def is_worn(self, limit: int) -> bool:
        """Whether nine tenths of the limit are used up, or another twentieth after that."""
        due = min(0.9 * limit, limit - UNSEEN) if self._due is None else self._due
        if self.used < due:
            return False
        self._due = self.used + limit / 20
        return True
