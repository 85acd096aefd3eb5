"""What the offer of a call that comes in holds, as far as it matters before the call is a leg."""

from __future__ import annotations

from dataclasses import dataclass

from hookswitch.plugin import OfferedCodec

from .numeric import numeric
from .rtp.params import Address
from .settings import Way
from .sip.hop import is_numeric


@dataclass(frozen=True, slots=True)
class Offered:
    """Its codecs, where its audio and the reports on it go, and by which family that is."""

    codecs: tuple[OfferedCodec, ...]
    way: Way
    addresses: tuple[Address | None, ...]

    @property
    def is_numeric(self) -> bool:
        """Whether there is no name to be looked up."""
        return all(is_numeric(each[0]) for each in self.addresses if each is not None)

    async def look_up(self) -> None:
        """Look the names up. Raises OSError when there is no such host."""
        for each in self.addresses:
            await numeric(each)
