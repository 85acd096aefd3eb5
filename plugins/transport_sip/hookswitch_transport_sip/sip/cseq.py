"""CSeq, the order of requests within a dialog (RFC 3261 section 20.16)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ParseError
from .grammar import TOKEN_CHARS

_CSEQ = re.compile(rf"\s*0*([0-9]{{1,10}})\s+([{TOKEN_CHARS}]+)\s*")


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number and method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str, where: str = "CSeq") -> CSeq:
        """Read a value; the number must be below 2**31 (section 8.1.1.5)."""
        match = _CSEQ.fullmatch(text)
        if match is None:
            raise ParseError(where, f"bad value {text[:40]!r}")
        number = int(match.group(1))
        if number >= 2**31:
            raise ParseError(where, f"number {number} out of range")
        return cls(number, match.group(2))

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
