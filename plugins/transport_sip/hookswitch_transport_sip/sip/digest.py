"""Digest authentication: challenges, credentials, the hash (RFC 7616, RFC 8760, RFC 2617)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import ParseError
from .grammar import TOKEN_CHARS, quote, unquote

_ITEM = re.compile(
    rf'\s*([{TOKEN_CHARS}]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)\s*(?:,|$)', re.DOTALL
)
_HASHES: dict[str, Callable[[bytes], hashlib._Hash]] = {
    "SHA-256": hashlib.sha256,
    "MD5": hashlib.md5,
}
ALGORITHMS = ("SHA-256", "SHA-256-SESS", "MD5", "MD5-SESS")
"""What we can compute, the strongest first."""


@dataclass(frozen=True, slots=True)
class Ha1:
    """The hash of user name, realm and password in hexadecimal: as good as the password."""

    value: str


Secret = str | Ha1
"""A password, or what stands for it in one realm with one algorithm."""


def parse_auth(text: str, where: str) -> dict[str, str]:
    """Read `Digest name=value, …` into a dictionary with lower-case names."""
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest":
        raise ParseError(where, f"scheme {scheme[:20]!r} is not Digest")
    values: dict[str, str] = {}
    position = 0
    rest = rest.strip()
    while position < len(rest):
        match = _ITEM.match(rest, position)
        if match is None:
            raise ParseError(where, f"bad parameter at {rest[position : position + 20]!r}")
        values[match.group(1).lower()] = unquote(match.group(2))
        position = match.end()
    return values


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value."""

    realm: str
    nonce: str
    algorithm: str | None = None
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str, where: str = "WWW-Authenticate") -> Challenge:
        """Read a challenge."""
        values = parse_auth(text, where)
        if "realm" not in values or "nonce" not in values:
            raise ParseError(where, "no realm or no nonce")
        qop = (item.strip().lower() for item in values.get("qop", "").split(","))
        return cls(
            values["realm"],
            values["nonce"],
            values.get("algorithm"),
            tuple(item for item in qop if item),
            values.get("opaque"),
            values.get("stale", "").lower() == "true",
        )

    @property
    def strength(self) -> int | None:
        """Place in our order of preference, lower is stronger; None if we cannot answer."""
        name = (self.algorithm or "MD5").upper()
        if name not in ALGORITHMS or (self.qop and not {"auth", "auth-int"} & set(self.qop)):
            return None
        return ALGORITHMS.index(name)

    def __str__(self) -> str:
        items = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.opaque is not None:
            items.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            items.append("stale=true")
        if self.algorithm is not None:
            items.append(f"algorithm={self.algorithm}")
        if self.qop:
            items.append(f'qop="{",".join(self.qop)}"')
        return "Digest " + ", ".join(items)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One Authorization or Proxy-Authorization value."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str | None = None
    opaque: str | None = None
    qop: str | None = None
    cnonce: str | None = None
    nc: str | None = None

    @classmethod
    def parse(cls, text: str, where: str = "Authorization") -> Credentials:
        """Read credentials."""
        values = parse_auth(text, where)
        missing = {"username", "realm", "nonce", "uri", "response"} - values.keys()
        if missing:
            raise ParseError(where, f"no {min(missing)}")
        return cls(**{name: values[name] for name in cls.__slots__ if name in values})

    @property
    def count(self) -> int:
        """The nonce count as a number, 0 when absent or senseless."""
        nc = self.nc or ""
        return int(nc, 16) if re.fullmatch(r"[0-9A-Fa-f]{8}", nc) else 0

    def expected(self, secret: Secret, method: str, body: bytes = b"") -> str:
        """Compute the response these credentials should carry."""
        name = (self.algorithm or "MD5").upper()
        digest = _hasher(name.removesuffix("-SESS"))
        if isinstance(secret, Ha1):
            ha1 = secret.value.lower()
        else:
            ha1 = digest(f"{self.username}:{self.realm}:{secret}")
        if name.endswith("-SESS"):
            ha1 = digest(f"{ha1}:{self.nonce}:{self.cnonce or ''}")
        a2 = f"{method}:{self.uri}"
        if self.qop == "auth-int":
            a2 += f":{_HASHES[name.removesuffix('-SESS')](body).hexdigest()}"
        middle = f"{self.nc}:{self.cnonce}:{self.qop}:" if self.qop else ""
        return digest(f"{ha1}:{self.nonce}:{middle}{digest(a2)}")

    def __str__(self) -> str:
        items = [
            f"{name}={quote(value)}"
            for name in ("username", "realm", "nonce", "uri", "response", "cnonce", "opaque")
            if (value := getattr(self, name)) is not None
        ]
        items += [
            f"{name}={value}"
            for name in ("algorithm", "qop", "nc")
            if (value := getattr(self, name)) is not None
        ]
        return "Digest " + ", ".join(items)


def _hasher(name: str) -> Callable[[str], str]:
    function = _HASHES[name]
    return lambda text: function(text.encode("utf-8", "surrogateescape")).hexdigest()
