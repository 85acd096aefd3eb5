"""The side that asks for a password (RFC 7616 section 3.3, RFC 8760)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from enum import Enum

from .digest import Challenge, Credentials, Secret
from .errors import ParseError
from .message import Request

_FEW = 16
"""Used nonces that are kept without asking whether they are still good for anything."""


class Verdict(Enum):
    """What came of checking a request."""

    ACCEPTED = "accepted"
    MISSING = "missing"
    STALE = "stale"
    REFUSED = "refused"


class DigestServer:
    """Makes challenges and checks their answers; nonces are signed, so none is stored
    before it is used."""

    def __init__(
        self,
        realm: str,
        secret: bytes,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        lifetime: float = 300.0,
    ) -> None:
        self._realm = realm
        self._secret = secret
        self._algorithms = algorithms
        self._lifetime = lifetime
        self._counts: dict[str, int] = {}
        self._many = _FEW

    def challenges(self, now: float, *, stale: bool = False) -> list[str]:
        """Make the values of WWW-Authenticate or Proxy-Authenticate, one per algorithm."""
        nonce = self._nonce(now)
        return [
            str(Challenge(self._realm, nonce, algorithm, ("auth",), stale=stale))
            for algorithm in self._algorithms
        ]

    def verify(
        self,
        request: Request,
        password_of: Callable[[str], Secret | None],
        now: float,
        header: str = "Authorization",
    ) -> tuple[Verdict, str | None]:
        """Check a request; return the verdict and the user name it claims."""
        credentials = self._own(request, header)
        if credentials is None:
            return Verdict.MISSING, None
        password = password_of(credentials.username)
        if password is None or not self._matches(credentials, password, request):
            return Verdict.REFUSED, credentials.username
        fresh = self._is_fresh(credentials, now)
        return (Verdict.ACCEPTED if fresh else Verdict.STALE), credentials.username

    def _own(self, request: Request, header: str) -> Credentials | None:
        """Find the credentials for our realm among those of others."""
        for text in request.headers.get_all(header):
            try:
                credentials = Credentials.parse(text, header)
            except ParseError:
                continue
            if credentials.realm == self._realm:
                return credentials
        return None

    def _matches(self, credentials: Credentials, secret: Secret, request: Request) -> bool:
        algorithm = (credentials.algorithm or "MD5").upper()
        if algorithm not in self._algorithms or credentials.qop != "auth":
            return False
        expected = credentials.expected(secret, request.method)
        return hmac.compare_digest(expected.encode(), credentials.response.lower().encode())

    def _is_fresh(self, credentials: Credentials, now: float) -> bool:
        """Check age and that the nonce count rises, so that nothing can be replayed."""
        made = self._made_at(credentials.nonce)
        if made is None or not made <= now < made + self._lifetime:
            return False
        if credentials.count <= self._counts.get(credentials.nonce, 0):
            return False
        self._counts[credentials.nonce] = credentials.count
        if len(self._counts) > self._many:
            self._prune(now)
            self._many = max(_FEW, 2 * len(self._counts))
        return True

    def _prune(self, now: float) -> None:
        self._counts = {
            nonce: count
            for nonce, count in self._counts.items()
            if now < (self._made_at(nonce) or 0.0) + self._lifetime
        }

    def _nonce(self, now: float) -> str:
        stamp = format(int(now * 1000), "x")
        return f"{stamp}-{self._sign(stamp)}"

    def _made_at(self, nonce: str) -> float | None:
        stamp, _, signature = nonce.partition("-")
        if not hmac.compare_digest(
            signature.encode("utf-8", "replace"), self._sign(stamp).encode()
        ):
            return None
        return int(stamp, 16) / 1000

    def _sign(self, stamp: str) -> str:
        text = stamp.encode("utf-8", "replace")
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:32]
