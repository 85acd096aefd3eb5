"""RSeq and RAck, which number reliable provisional responses (RFC 3262 section 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ParseError
from .grammar import TOKEN_CHARS
from .message import Request, Response

_RSEQ = re.compile(r"\s*0*([0-9]{1,10})\s*")
_RACK = re.compile(rf"\s*0*([0-9]{{1,10}})\s+0*([0-9]{{1,10}})\s+([{TOKEN_CHARS}]+)\s*")
_LIMIT = 2**32


@dataclass(frozen=True, slots=True)
class RAck:
    """Which response a PRACK acknowledges: its RSeq, and the CSeq it answers."""

    rseq: int
    cseq: int
    method: str = "INVITE"

    @classmethod
    def parse(cls, text: str, where: str = "RAck") -> RAck:
        """Read a value; both numbers must be below 2**32."""
        match = _RACK.fullmatch(text)
        if match is None or int(match[1]) >= _LIMIT or int(match[2]) >= _LIMIT:
            raise ParseError(where, f"bad value {text[:40]!r}")
        return cls(int(match[1]), int(match[2]), match[3])

    @classmethod
    def of(cls, prack: Request) -> RAck:
        """The RAck of a PRACK. Raises ParseError."""
        return cls.parse(prack.headers.get("RAck") or "")

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


def rseq_of(response: Response) -> int | None:
    """The number of a reliable provisional response; None of any other, or if it is senseless."""
    if "100rel" not in (tag.lower() for tag in response.require):
        return None
    match = _RSEQ.fullmatch(response.headers.get("RSeq") or "")
    return int(match[1]) if match and 0 < int(match[1]) < _LIMIT else None
