"""The status line that a NOTIFY of a transfer carries (RFC 3420, RFC 3515 section 2.4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import ParseError
from .status import reason_phrase

CONTENT_TYPE = "message/sipfrag"

_STATUS = re.compile(r"SIP/2\.0\s+([1-6][0-9]{2})(?:[ \t]+([^\r\n]*))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatusLine:
    """What became of a request, so far or for good."""

    status: int
    reason: str

    @classmethod
    def parse(cls, body: bytes) -> StatusLine:
        """Read the first line of a sipfrag."""
        line = body.lstrip().partition(b"\n")[0].decode("utf-8", "replace").strip()
        match = _STATUS.fullmatch(line)
        if match is None:
            raise ParseError("sipfrag", f"no status line in {line[:40]!r}")
        status = int(match[1])
        return cls(status, (match[2] or "").strip() or reason_phrase(status))

    @property
    def is_final(self) -> bool:
        return self.status >= 200

    def __bytes__(self) -> bytes:
        return f"SIP/2.0 {self.status} {self.reason}\r\n".encode()
