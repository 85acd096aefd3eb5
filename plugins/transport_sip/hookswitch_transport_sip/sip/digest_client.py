"""The side that is asked for a password (RFC 3261 section 22, RFC 7616, RFC 8760)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from .digest import Challenge, Credentials
from .errors import ParseError
from .message import Response

_HEADERS = (
    ("WWW-Authenticate", "Authorization"),
    ("Proxy-Authenticate", "Proxy-Authorization"),
)


@dataclass(slots=True)
class _Realm:
    """A realm that has challenged us; `tries` counts answers since it last let us in."""

    header: str
    challenge: Challenge
    cnonce: str
    tries: int
    count: int = 0


class DigestClient:
    """Answers challenges of any number of realms with one name and password."""

    def __init__(self, username: str, password: str, new_cnonce: Callable[[], str]) -> None:
        self._username = username
        self._password = password
        self._new_cnonce = new_cnonce
        self._realms: dict[tuple[str, str], _Realm] = {}

    def accept(self, response: Response) -> bool:
        """Take a 401 or 407; return whether sending the request again makes sense.

        It does not if a realm refuses what it was just given, unless it says the nonce
        was stale, and then once; nor if it offers nothing we can compute.
        """
        challenges = dict(_strongest(response))
        if not challenges:
            return False
        return all(self._take(key, challenge) for key, challenge in challenges.items())

    def _take(self, key: tuple[str, str], challenge: Challenge) -> bool:
        known = self._realms.get(key)
        tries = known.tries if known else 0
        if tries and not (challenge.stale and tries < 2):
            return False
        self._realms[key] = _Realm(key[0], challenge, self._new_cnonce(), tries + 1)
        return True

    def succeeded(self) -> None:
        """Note that a request got past all realms."""
        for realm in self._realms.values():
            realm.tries = 0

    def authorize(self, method: str, uri: str, body: bytes = b"") -> list[tuple[str, str]]:
        """Make the header fields for a request; none before the first challenge."""
        return [
            (realm.header, str(self._credentials(realm, method, uri, body)))
            for realm in self._realms.values()
        ]

    def _credentials(self, realm: _Realm, method: str, uri: str, body: bytes) -> Credentials:
        challenge = realm.challenge
        realm.count += 1
        unsigned = Credentials(
            self._username,
            challenge.realm,
            challenge.nonce,
            uri,
            "",
            challenge.algorithm,
            challenge.opaque,
        )
        if challenge.qop:
            qop = "auth" if "auth" in challenge.qop else "auth-int"
            unsigned = replace(unsigned, qop=qop, nc=f"{realm.count:08x}")
        if challenge.qop or (challenge.algorithm or "").upper().endswith("-SESS"):
            unsigned = replace(unsigned, cnonce=realm.cnonce)
        return replace(unsigned, response=unsigned.expected(self._password, method, body))


def _strongest(response: Response) -> Iterator[tuple[tuple[str, str], Challenge]]:
    """Choose among the challenges of each realm; those we cannot read are no choice."""
    best: dict[tuple[str, str], tuple[int, Challenge]] = {}
    for asking, answering in _HEADERS:
        for text in response.headers.get_all(asking):
            try:
                challenge = Challenge.parse(text, asking)
            except ParseError:
                continue
            key, strength = (answering, challenge.realm), challenge.strength
            if strength is not None and (key not in best or strength < best[key][0]):
                best[key] = (strength, challenge)
    for key, (_, challenge) in best.items():
        yield key, challenge
