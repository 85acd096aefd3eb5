"""What a port needs to speak SRTP: the suite, and a master key with salt for each direction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hookswitch.mixer.bank import BankError

SUITES = {
    "AEAD_AES_256_GCM": (44, 16),
    "AEAD_AES_128_GCM": (28, 16),
    "AES_CM_128_HMAC_SHA1_80": (30, 10),
    "AES_CM_128_HMAC_SHA1_32": (30, 4),
}
"""Name (RFC 4568 section 6.2, RFC 7714 section 14.1) -> bytes of key and salt, of the RTP tag.

In order of preference: AES-GCM is the safest, and with AES instructions the cheapest.
"""

LONGEST_MKI = 128
"""Bytes of a master key identifier (RFC 4568 section 6.1)."""


class Secret(bytes):
    """Bytes that no log shows."""

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """``sends`` and ``receives`` are master key and salt, one after the other (RFC 4568).

    ``rollover`` is how often the peer's sequence numbers have wrapped, where that is known.
    ``lifetime`` is how many packets the peer may protect under its key, None as many as the suite
    has it, which no call lasts long enough for. ``mki`` is the identifier of its key that the
    peer's packets carry.
    """

    suite: str
    sends: Secret
    receives: Secret
    rollover: int | None = None
    lifetime: int | None = None
    mki: bytes = b""

    def __post_init__(self) -> None:
        if self.suite not in SUITES:
            raise BankError(f"srtp: unknown suite {self.suite!r}")
        if {len(self.sends), len(self.receives)} != {SUITES[self.suite][0]}:
            raise BankError(f"srtp: {self.suite} takes keys of {SUITES[self.suite][0]} bytes")

    @classmethod
    def of(cls, value: SrtpKeys | Mapping[str, Any] | None) -> SrtpKeys | None:
        """From plain values, as `dataclasses.asdict` makes them."""
        if value is None or isinstance(value, SrtpKeys):
            return value
        try:
            return cls(**value)
        except TypeError as error:
            raise BankError(f"srtp: {error}") from None

    @classmethod
    def generate(cls) -> dict[str, Secret]:
        """A fresh key of ours for each suite, by name."""
        return {suite: Secret(secrets.token_bytes(size)) for suite, (size, _) in SUITES.items()}

    def same_as(self, other: SrtpKeys | None) -> bool:
        """Whether the same streams go on under the same keys."""
        if other is None:
            return False
        mine = (self.suite, self.sends, self.receives, self.mki)
        return mine == (other.suite, other.sends, other.receives, other.mki)

    @property
    def tag(self) -> int:
        """Bytes that protection adds to an RTP packet of ours."""
        return SUITES[self.suite][1]

    @property
    def is_aead(self) -> bool:
        """Whether encrypting and authenticating are one (RFC 7714)."""
        return self.suite.startswith("AEAD_")
