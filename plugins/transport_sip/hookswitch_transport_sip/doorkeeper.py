"""Who is let in, and as whom: challenges of callers, trust in what they send, deaf ears."""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from hookswitch.plugin import CallerIdentity, Switch

from .admission.challenge import TRIES, Challenge, Demand, Key, PendingChallenges, Result
from .admission.throttle import Throttle
from .admission.trust import TrustList
from .events import ChallengeFailed
from .settings import SipSettings
from .sip.events import InviteReceived
from .sip.gate import Gate
from .sip.hop import Hop
from .sip.message import Request
from .sip.uas import InboundCall
from .sip.uri import without_passwords

log = logging.getLogger(__name__)

PATIENCE = 3
"""Lifetimes of a nonce after which a challenge is forgotten: until then its age is told."""

MEMORY = 3600.0
"""Seconds for which a source whose call was answered is no stranger."""

MOST = 10_000
"""Sources that are remembered."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may ring."""

    identity: CallerIdentity
    trusted: bool


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A call that may not ring and has been answered (401, 403)."""

    leg_id: str
    """The leg whose caller was asked for the password."""


class Doorkeeper(Gate):
    """Decides on INVITEs before there is a leg, and remembers who was asked for a password."""

    def __init__(self, switch: Switch, settings: SipSettings) -> None:
        self._switch = switch
        self._lifetime = float(settings.sip_inbound_auth_nonce_ttl_seconds)
        self._trust = TrustList.parse(settings.sip_trust_headers_from)
        self._exempt = TrustList.parse(settings.sip_throttle_exempt)
        self._pending = PendingChallenges(PATIENCE * self._lifetime)
        self._throttle = Throttle(settings.sip_throttle_burst, settings.sip_throttle_per_second)
        self._good: OrderedDict[str, float] = OrderedDict()
        self.is_one_of_ours: Callable[[str], bool] = lambda host: False
        """Whether a trunk or a registered user is at an address."""

    # -- callers

    def admit(
        self, event: InviteReceived, identity: CallerIdentity, now: float
    ) -> Admitted | TurnedAway:
        """Let a caller in, or answer the INVITE."""
        key = _key(event.request)
        challenge = self._pending.get(key, now)
        if challenge is None:
            return self._admitted(event, identity)
        result = challenge.check(event.request, now)
        if result is Result.ASK_AGAIN:
            self.failed(event.source, now)
            event.call.reject(401, now, headers=challenge.headers(now))
            return TurnedAway(challenge.leg_id)
        self._pending.drop(key)
        if result is Result.REFUSED:
            self.failed(event.source, now)
            event.call.reject(403, now)
            self.challenge_failed(event.request, event.source, challenge)
            return TurnedAway(challenge.leg_id)
        self.succeeded(event.source, now)
        known = replace(identity, authenticated=True, auth_username=challenge.claimed)
        return self._admitted(event, known)

    def challenge(self, leg_id: str, call: InboundCall, demand: Demand, now: float) -> None:
        """Answer a ringing call by 401 and wait for its next try."""
        challenge = self.new_challenge(demand)
        challenge.leg_id = leg_id
        self._pending.put(_key(call.invite_request), challenge, now)
        self.failed(call.source, now)  # forgiven when the password is right
        call.reject(401, now, headers=challenge.headers(now))

    def new_challenge(self, demand: Demand) -> Challenge:
        """A challenge whose nonces nobody else's are like."""
        return Challenge(demand, secrets.token_bytes(16), self._lifetime)

    def challenge_failed(self, request: Request, source: Hop, challenge: Challenge) -> None:
        """Tell that a caller did not know the password."""
        self._switch.publish(
            ChallengeFailed(
                method=request.method,
                from_=without_passwords(str(request.from_.uri)),
                username=challenge.claimed,
                source_address=f"{source.host}:{source.port}",
                call_id=request.call_id,
                tries=TRIES,
            )
        )

    # -- sources

    @property
    def suspects(self) -> int:
        """Sources that failed lately."""
        return len(self._throttle)

    def admits(self, source: Hop, now: float) -> bool:
        return not self._throttle.blocks(source.host, now) or self._is_exempt(source.host, now)

    def failed(self, source: Hop, now: float) -> None:
        host = source.host
        if self._is_exempt(host, now):
            return
        was_heard = not self._throttle.blocks(host, now)
        self._throttle.failed(host, now)
        if was_heard and self._throttle.blocks(host, now):
            log.info("%s fails again and again: little of it is heard from now on", host)

    def succeeded(self, source: Hop, now: float) -> None:
        """A source turned out to be one of ours: its call was answered, its password right."""
        self._throttle.forgive(source.host)
        self._good[source.host] = now + MEMORY
        self._good.move_to_end(source.host)
        while len(self._good) > MOST:
            self._good.popitem(last=False)

    def _is_exempt(self, host: str, now: float) -> bool:
        return (
            self._good.get(host, 0.0) > now
            or self._exempt.has_address(host)
            or self._trust.has_address(host)
            or self.is_one_of_ours(host)
        )

    # -- within

    def _admitted(self, event: InviteReceived, identity: CallerIdentity) -> Admitted:
        trusted = self._trust.trusts(
            event.source.host,
            authenticated=bool(identity.authenticated),
            user=identity.registered_user,
            trunk_id=identity.trunk_id,
        )
        return Admitted(identity, trusted)


def _key(request: Request) -> Key:
    return request.call_id, str(request.from_.uri)
