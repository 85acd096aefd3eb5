"""What became of one attempt to post an event."""

from __future__ import annotations

from dataclasses import dataclass

_GONE = 410
_BUSY_OR_DOWN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Outcome:
    """``status`` is the receiver's answer, None without one; ``error`` is for the log.

    Any answer but 2xx is tried again, 4xx included: a receiver that is being deployed answers
    404 or 401 for a while and must not lose events. Only 410 (Gone) and a URL nothing can be
    posted to are final.
    """

    status: int | None = None
    error: str = ""
    retry_after: float | None = None
    undeliverable: bool = False

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def final(self) -> bool:
        return self.undeliverable or self.status == _GONE

    @property
    def unreachable(self) -> bool:
        """Whether the receiver as a whole is the trouble, not this one event."""
        return self.status is None or self.status in _BUSY_OR_DOWN

    def __str__(self) -> str:
        return f"status {self.status}" if self.status is not None else self.error
