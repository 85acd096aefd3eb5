"""Session-Expires and Min-SE (RFC 4028 sections 4 and 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .errors import ParseError
from .grammar import Params
from .message import Message

Role = Literal["uac", "uas"]

_ROLES: dict[str, Role] = {"uac": "uac", "uas": "uas"}

LEAST = 90
"""Seconds; Min-SE where nobody says it."""

_SECONDS = re.compile(r"\s*([0-9]{1,9})\s*")


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """Seconds a session lives without a refresh, and who refreshes it, if that is said."""

    seconds: int
    refresher: Role | None = None

    @classmethod
    def parse(cls, text: str, where: str = "Session-Expires") -> SessionExpires:
        """Read a value."""
        number, semicolon, rest = text.partition(";")
        role = (Params.parse(semicolon + rest, where).get("refresher") or "").lower()
        return cls(_seconds(number, where), _ROLES.get(role))

    @classmethod
    def of(cls, message: Message) -> SessionExpires | None:
        """That of a message, if it has one. Raises ParseError."""
        text = message.headers.get("Session-Expires")
        return None if text is None else cls.parse(text)

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else f"{self.seconds}"


def min_se_of(message: Message) -> int | None:
    """The Min-SE of a message, if it has one. Raises ParseError."""
    text = message.headers.get("Min-SE")
    return None if text is None else _seconds(text.partition(";")[0], "Min-SE")


def _seconds(text: str, where: str) -> int:
    match = _SECONDS.fullmatch(text)
    if match is None:
        raise ParseError(where, f"bad number {text[:20]!r}")
    return int(match[1])
