"""A session description of ours that is made when it can be sent, and taken back if it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    """There is nothing to take back."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """``make`` is called once per try, ``withdraw`` after each that did not succeed."""

    make: Callable[[], bytes | None]
    withdraw: Callable[[], None] = _nothing

    @classmethod
    def of(cls, sdp: bytes | None) -> Proposal:
        """One that is the same at every try; None has the peer make the offer."""
        return cls(lambda: sdp)
