"""Subscription-State of a NOTIFY (RFC 6665 section 4.1.3)."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ParseError
from .grammar import Params, is_token


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """``active`` and for how many seconds, or ``terminated`` and why."""

    state: str
    expires: int | None = None
    reason: str | None = None

    @classmethod
    def parse(cls, text: str, where: str = "Subscription-State") -> SubscriptionState:
        """Read a value; parameters that make no sense count as absent."""
        state, semicolon, rest = text.partition(";")
        state = state.strip().lower()
        if not is_token(state):
            raise ParseError(where, f"bad value {text[:40]!r}")
        params = Params.parse(semicolon + rest, where)
        expires = params.get("expires") or ""
        is_number = expires.isascii() and expires.isdigit() and len(expires) < 10
        return cls(state, int(expires) if is_number else None, params.get("reason"))

    @property
    def is_over(self) -> bool:
        return self.state == "terminated"

    def __str__(self) -> str:
        params = [("expires", self.expires), ("reason", self.reason)]
        return self.state + "".join(f";{k}={v}" for k, v in params if v is not None)
