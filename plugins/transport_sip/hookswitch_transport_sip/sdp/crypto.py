"""``a=crypto``: keys in session descriptions (RFC 4568), for the suites of `rtp.keys`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from hookswitch_transport_sip.rtp.keys import LONGEST_MKI, SUITES, Secret, SrtpKeys

from .description import MediaDescription
from .errors import NotAcceptable, ParseError
from .values import number

_WHERE = "a=crypto"
_LONGEST_LIFE = 48

SHORTEST_LIFE = 1 << 16
"""Packets, 22 minutes of speech: a key that wears out sooner is not accepted."""

_HINTS = ("WSH=",)
"""Session parameters that only advise: WSH, the size of the window against replays."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One line: ``tag``, ``suite``, the master key with salt, and what else it asks for.

    ``lifetime`` is a number of packets, None as the suite has it. ``mki`` is the identifier that
    each packet under the key carries, empty for none. ``parameters`` are session parameters as
    written. Of ``several`` keys the first is the one here.
    """

    tag: int
    suite: str
    key: Secret
    lifetime: int | None = None
    mki: bytes = b""
    parameters: tuple[str, ...] = ()
    several: bool = False

    @classmethod
    def parse(cls, value: str) -> Crypto:
        """Read the attribute's value."""
        parts = value.split()
        if len(parts) < 3 or not parts[2].lower().startswith("inline:"):
            raise ParseError(_WHERE, "not: tag, suite, inline:key")
        first, *more = parts[2].split(";")
        text, *fields = first[len("inline:") :].split("|")
        lifetime, mki = None, b""
        for field in fields:
            if ":" in field:
                mki = _identifier(field)
            else:
                lifetime = _lifetime(field)
        if more and not mki:
            raise ParseError(_WHERE, "several keys need key identifiers")
        tag, parameters = number(parts[0], _WHERE, 10**9), tuple(parts[3:])
        return cls(tag, parts[1], _key(text), lifetime, mki, parameters, several=bool(more))

    def __str__(self) -> str:
        text = base64.b64encode(self.key).decode()
        return f"{self.tag} {self.suite} inline:{text}"

    @property
    def is_usable(self) -> bool:
        """Whether we can do what it asks for (section 6.3: what is not known is not accepted).

        Only hints, and parameters that begin with a hyphen, may be ignored.
        """
        fits = self.suite in SUITES and len(self.key) == SUITES[self.suite][0]
        lasts = self.lifetime is None or self.lifetime >= SHORTEST_LIFE
        known = all(each.startswith(("-", *_HINTS)) for each in self.parameters)
        return fits and lasts and known and not self.several


def offered(keys: Mapping[str, Secret], suite_in_use: str | None = None) -> list[Crypto]:
    """What we offer, in the order of `SUITES`; only the suite agreed on, once there is one."""
    return [
        Crypto(tag, suite, keys[suite])
        for tag, suite in enumerate(SUITES, 1)
        if suite in keys and suite_in_use in (None, suite)
    ]


def chosen(media: MediaDescription, keys: Mapping[str, Secret]) -> Crypto | None:
    """The line of an offer that we accept: the first that suits us (section 7.1.2)."""
    for value in media.crypto:
        try:
            crypto = Crypto.parse(value)
        except ParseError:
            continue  # another line may be sound
        if crypto.is_usable and crypto.suite in keys:
            return crypto
    return None


def accepted(media: MediaDescription, ours: list[Crypto]) -> SrtpKeys | None:
    """The keys by an answer to what we offered; None when it has none (section 7.1.3)."""
    values = media.crypto
    if not values:
        return None
    theirs = Crypto.parse(values[0])
    mine = next((each for each in ours if each.tag == theirs.tag), None)
    if mine is None or mine.suite != theirs.suite or not theirs.is_usable:
        raise NotAcceptable("the answer's a=crypto is none of those offered")
    return agreed(theirs, mine.key)


def agreed(theirs: Crypto, ours: Secret) -> SrtpKeys:
    """What a line of the peer's means together with our key.

    Its lifetime and identifier are those of its own key: of ours, ours says.
    """
    lifetime, mki = theirs.lifetime, theirs.mki
    return SrtpKeys(theirs.suite, ours, theirs.key, lifetime=lifetime, mki=mki)


def _key(text: str) -> Secret:
    """Base64, with or without the padding that some leave out."""
    try:
        return Secret(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except (binascii.Error, ValueError):
        raise ParseError(_WHERE, "the key is not base64") from None


def _identifier(text: str) -> bytes:
    """``value:length``: a number, in so many bytes."""
    value, _, length = text.partition(":")
    size = number(length, _WHERE, LONGEST_MKI)
    if not size:
        raise ParseError(_WHERE, "a key identifier of no bytes")
    return number(value, _WHERE, 256**size - 1).to_bytes(size, "big")


def _lifetime(text: str) -> int:
    """``2^n``, or a plain number."""
    power = text.startswith("2^")
    value = number(text[2:] if power else text, _WHERE, _LONGEST_LIFE if power else 10**15)
    packets = 1 << value if power else value
    if not 0 < packets <= 1 << _LONGEST_LIFE:
        raise ParseError(_WHERE, "a lifetime beyond 2^48 packets")
    return packets
