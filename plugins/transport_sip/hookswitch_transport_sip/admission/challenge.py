"""A caller that has to prove a password, over some tries (RFC 3261 section 22).

          ┌── wrong, tries left: 401 ──┐
demanded ─┴─► answered ────────────────┘
                  ├── right ──► accepted
                  └── wrong, no tries left ──► refused (403)
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

from hookswitch_transport_sip.sip.digest import Secret
from hookswitch_transport_sip.sip.digest_server import DigestServer, Verdict
from hookswitch_transport_sip.sip.message import Request

TRIES = 3
"""Answers a caller may give before it is refused; a stale nonce costs one too."""

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Demand:
    """What has to be proven; `username` None leaves the name to the caller."""

    realm: str
    secret: Secret
    username: str | None = None
    algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    max_expires: int | None = None
    """Seconds a registration accepted by this may last at most."""


class Result(Enum):
    """What came of an answer."""

    ACCEPTED = "accepted"
    ASK_AGAIN = "ask again"
    REFUSED = "refused"


class Challenge:
    """One demand made of one caller: every nonce is its own, none is good for another."""

    def __init__(self, demand: Demand, key: bytes, lifetime: float) -> None:
        """`key` signs the nonces, which are good for `lifetime` seconds."""
        self.demand = demand
        self._server = DigestServer(demand.realm, key, demand.algorithms, lifetime)
        self._tries = 0
        self._stale = False
        self.claimed: str | None = None
        """The user name in the latest answer."""
        self.leg_id = ""
        """The leg whose caller it was made to, if it was a call."""

    def headers(self, now: float) -> Headers:
        """The WWW-Authenticate fields of the next 401."""
        values = self._server.challenges(now, stale=self._stale)
        return [("WWW-Authenticate", value) for value in values]

    def check(self, request: Request, now: float) -> Result:
        """Take an answer. After `ACCEPTED` tries are counted anew."""
        verdict, self.claimed = self._server.verify(request, self._secret_of, now)
        if verdict is Verdict.ACCEPTED:
            self._tries = 0
            return Result.ACCEPTED
        self._stale = verdict is Verdict.STALE
        self._tries += 1
        return Result.ASK_AGAIN if self._tries < TRIES else Result.REFUSED

    def _secret_of(self, username: str) -> Secret | None:
        wanted = self.demand.username
        return self.demand.secret if wanted is None or wanted == username else None


Key = tuple[str, str]
"""Call-ID, which a caller keeps when it tries again (section 22.2), and who it says it is: proving
one user's password is no way to become another."""


class PendingChallenges:
    """Challenges that wait for an answer."""

    def __init__(self, lifetime: float, limit: int = 10_000) -> None:
        """Forgets a challenge not answered for `lifetime` seconds, the oldest beyond `limit`."""
        self._lifetime, self._limit = lifetime, limit
        self._pending: OrderedDict[Key, tuple[float, Challenge]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, key: Key, challenge: Challenge, now: float) -> None:
        """Remember what a caller was asked."""
        self._pending.pop(key, None)
        self._pending[key] = (now + self._lifetime, challenge)
        self._prune(now)

    def get(self, key: Key, now: float) -> Challenge | None:
        """What a caller was asked, if it was."""
        self._prune(now)
        found = self._pending.get(key)
        return None if found is None else found[1]

    def drop(self, key: Key) -> None:
        """The matter is settled."""
        self._pending.pop(key, None)

    def _prune(self, now: float) -> None:
        while self._pending:
            expires, _ = next(iter(self._pending.values()))
            if expires > now and len(self._pending) <= self._limit:
                return
            self._pending.popitem(last=False)
