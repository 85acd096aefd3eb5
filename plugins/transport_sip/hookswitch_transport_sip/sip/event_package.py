"""Event of a NOTIFY or SUBSCRIBE (RFC 6665 section 8.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from .grammar import Params

REFER = "refer"
"""The package of transfers (RFC 3515 section 3)."""

ALLOW_EVENTS = ("Allow-Events", REFER)
"""The packages we know."""


@dataclass(frozen=True, slots=True)
class EventPackage:
    """``name`` in small letters; ``id`` tells subscriptions of one dialog apart."""

    name: str
    id: str | None = None

    @classmethod
    def parse(cls, text: str, where: str = "Event") -> EventPackage:
        """Read a value, an empty one for a missing header field. Raises ParseError."""
        name, semicolon, rest = text.partition(";")
        name = name.strip().lower()
        if name != REFER:
            return cls(name)  # what the parameters of others mean is not known here
        return cls(name, Params.parse(semicolon + rest, where).get("id"))

    def names(self, number: int | None, *, first: bool = False) -> bool:
        """Whether it means the subscription of the REFER with this CSeq number.

        The dialog's ``first`` may be named without its id (RFC 3515 section 2.4.6).
        """
        return number is not None and (self.id == str(number) or (first and self.id is None))

    def __str__(self) -> str:
        return self.name if self.id is None else f"{self.name};id={self.id}"
