"""Targets that failed a short while ago, so that others are tried before them."""

from __future__ import annotations

from collections.abc import Iterable

from .hop import Hop

MEMORY = 60.0
"""Seconds a failure is remembered."""

_MOST = 1024


class Outages:
    """Failures by hop, oldest first; bounded."""

    def __init__(self) -> None:
        self._since: dict[Hop, float] = {}

    def failed(self, hop: Hop, now: float) -> None:
        """Note that a target did not serve a request."""
        self._since.pop(hop, None)
        self._since[hop] = now
        if len(self._since) > _MOST:
            del self._since[next(iter(self._since))]

    def served(self, hop: Hop) -> None:
        """Note that a target is there."""
        self._since.pop(hop, None)

    def is_out(self, hop: Hop, now: float) -> bool:
        """Whether a target failed lately."""
        since = self._since.get(hop)
        return since is not None and now < since + MEMORY

    def sorted(self, hops: Iterable[Hop], now: float) -> list[Hop]:
        """Those that failed lately last, the order being kept otherwise."""
        return sorted(hops, key=lambda hop: self.is_out(hop, now))
