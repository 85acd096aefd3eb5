"""What is counted of a call's audio, over restarts of its media worker."""

from __future__ import annotations

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


class KeyLife:
    """How long the peer's key of SRTP may still be used (RFC 4568 section 6.1)."""

    def __init__(self) -> None:
        self._key: bytes | None = None
        self._began = self._received = 0

    def is_over(self, keys: SrtpKeys | None, received: int) -> bool:
        """Whether the key in use has protected as many packets as it may, or nearly.

        ``received`` is how many have come in the whole call.
        """
        if keys is not None and keys.receives != self._key:
            self._key, self._began = keys.receives, self._received
        self._received = received
        if keys is None or keys.lifetime is None:
            return False
        return received - self._began > keys.lifetime - UNSEEN
