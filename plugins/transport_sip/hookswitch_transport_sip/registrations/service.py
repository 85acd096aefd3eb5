"""The registrar at work: REGISTERs are decided on, done, kept on disk, answered and told of.

REGISTER ─► answers a challenge? ── yes ─► right: done; wrong: asked again, refused
                 │ no
                 ▼
            refreshes what was let in? ── yes ─► done
                 │ no
                 ▼
            hook ─► program (2 s) ─► SIP_INBOUND_REGISTER_DEFAULT: accept, reject, challenge
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from hookswitch.plugin import (
    AcceptRegistration,
    ChallengeRegistration,
    NotFound,
    RegistrationDecision,
    RejectRegistration,
    Switch,
)
from hookswitch_transport_sip.admission.challenge import (
    Challenge,
    Demand,
    PendingChallenges,
    Result,
)
from hookswitch_transport_sip.demands import ChallengeCaller
from hookswitch_transport_sip.doorkeeper import PATIENCE, Doorkeeper
from hookswitch_transport_sip.events import RegistrationAttempted, RegistrationRejected
from hookswitch_transport_sip.registrar.approval import Approval, Approvals, key_of
from hookswitch_transport_sip.registrar.binding import Binding
from hookswitch_transport_sip.registrar.domains import Domains
from hookswitch_transport_sip.registrar.location import Change, Location
from hookswitch_transport_sip.registrar.registration import (
    Policy,
    Registration,
    RegistrationRefused,
)
from hookswitch_transport_sip.settings import SipSettings
from hookswitch_transport_sip.signalling.driver import Signalling
from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.events import RegisterReceived
from hookswitch_transport_sip.sip.grammar import Params
from hookswitch_transport_sip.sip.uri import Uri
from hookswitch_transport_sip.store import SipStore

from .attempt import Attempt, Attempts
from .views import event_of

log = logging.getLogger(__name__)

RETRY_AFTER = ("Retry-After", "5")


class Registrations:
    """Users that can be called here. `start` when SIP runs, `stop` before it ends."""

    def __init__(
        self, switch: Switch, settings: SipSettings, doorkeeper: Doorkeeper, store: SipStore
    ) -> None:
        self._switch, self._settings = switch, settings
        self._doorkeeper, self._store = doorkeeper, store
        self._policy = Policy(
            max(
                settings.sip_registration_default_expires_seconds,
                settings.sip_registration_min_expires_seconds,
            ),
            settings.sip_registration_min_expires_seconds,
            settings.sip_registration_max_expires_seconds,
            settings.sip_registration_max_contacts,
        )
        self.location = Location(self._policy, lambda: str(uuid.uuid4()))
        self._approvals = Approvals()
        self._pending = PendingChallenges(PATIENCE * settings.sip_inbound_auth_nonce_ttl_seconds)
        self._attempts = Attempts(settings.sip_inbound_auth_consult_timeout_ms / 1000)
        self._signalling: Signalling
        self._domains = Domains(())
        self._timer: asyncio.TimerHandle | None = None
        self.offset = 0.0
        """Added to the loop's clock gives Unix time."""

    # -- life

    def start(self, signalling: Signalling, domains: Domains) -> None:
        """Take over what an earlier run has kept."""
        self._signalling, self._domains = signalling, domains
        self.offset = time.time() - signalling.now()
        for binding_id, packed in self._store.load("bindings").items():
            try:
                self.location.restore(Binding.unpack(binding_id, packed, self.offset))
            except (KeyError, TypeError, ValueError) as error:
                log.error("registration %s cannot be read: %s", binding_id, error)
        self._timed_out()

    def stop(self) -> None:
        """Decide nothing any more."""
        self._attempts.close()
        if self._timer is not None:
            self._timer.cancel()

    # -- what is asked of it

    def aor_of(self, uri: Uri) -> str | None:
        """The address of record a URI means, None if it is none of ours."""
        return self._domains.aor_of(uri)

    def bindings(self, name: str | None = None) -> list[Binding]:
        """All bindings, or those of an address of record, or the one of an id."""
        if name is None:
            return list(self.location)
        if (binding := self.location.find(name)) is not None:
            return [binding]
        try:
            aor = self.aor_of(Uri.parse(name))
        except ParseError:
            aor = None
        return [] if aor is None else self.location.of(aor)

    async def remove(self, name: str, contact: str | None = None) -> None:
        """Take bindings away: by address of record, one contact of it, or an id.

        Raises NotFound.
        """
        found = [b for b in self.bindings(name) if contact in (None, str(b.contact))]
        if not found:
            raise NotFound(f"registration {name} not found")
        await self._keep([self.location.remove(binding) for binding in found])

    def decide(self, attempt_id: str, decision: RegistrationDecision) -> None:
        """Do with an attempt what a program has decided. Raises NotFound, BadRequest."""
        demand = self._demand(decision)
        self._follow(self._attempts.take(attempt_id), decision, demand)
        self._signalling.settle()

    # -- what SIP tells

    def receive(self, event: RegisterReceived) -> None:
        """A REGISTER came."""
        try:
            registration = self._read(event)
        except RegistrationRefused as refusal:
            self._refuse(event, refusal)
        except ParseError as error:
            self._refuse(event, RegistrationRefused(400, reason=f"Bad {error.where}"))
        else:
            self._judge(event, registration)

    def _read(self, event: RegisterReceived) -> Registration:
        aor = self.aor_of(event.request.to.uri)
        if aor is None:
            raise RegistrationRefused(404)
        return Registration.from_request(event.request, aor, event.source, self._policy)

    def _judge(self, event: RegisterReceived, registration: Registration) -> None:
        """Whether it must be asked about at all."""
        approval = self._approvals.get(registration)
        challenge = self._pending.get(key_of(registration), self._signalling.now())
        if challenge is None and approval is not None:
            challenge = approval.challenge
        if challenge is not None:
            self._check(event, registration, challenge)
        elif approval is not None and approval.covers(
            registration, self.location.of(registration.aor)
        ):
            self._accept(event, registration, approval)
        else:
            self._ask(Attempt.of(event, registration))

    def _check(
        self, event: RegisterReceived, registration: Registration, challenge: Challenge
    ) -> None:
        """Take an answer to a challenge, this one's or that of the registration it refreshes."""
        now = self._signalling.now()
        result = challenge.check(event.request, now)
        if result is Result.ASK_AGAIN:
            self._doorkeeper.failed(event.source, now)
            self._respond(event, 401, *challenge.headers(now))
            return
        self._pending.drop(key_of(registration))
        if result is Result.ACCEPTED:
            self._accept(event, registration, Approval(challenge, challenge.demand.max_expires))
            return
        self._approvals.forget(registration)
        self._doorkeeper.failed(event.source, now)
        self._respond(event, 403)
        self._doorkeeper.challenge_failed(event.request, event.source, challenge)

    def _ask(self, attempt: Attempt) -> None:
        """Ask the plugins, then the programs."""
        told = attempt.told
        decision = self._switch.decide(told)
        if decision is not None:
            self._follow(attempt, decision, self._demand(decision))
        elif self._attempts.is_full:
            self._respond(attempt.event, 503, RETRY_AFTER)
        else:
            self._attempts.add(attempt, self._undecided)
            authorized = "Authorization" in attempt.event.request.headers
            self._switch.publish(
                RegistrationAttempted(
                    **{name: getattr(told, name) for name in told.__slots__},
                    has_authorization=authorized,
                )
            )

    def _undecided(self, attempt: Attempt) -> None:
        accepts = self._settings.sip_inbound_register_default == "accept"
        if accepts:
            self._follow(attempt, AcceptRegistration(), None)
        else:
            self._reject(attempt, 403, "timeout")
        self._signalling.settle()

    # -- what is decided

    def _demand(self, decision: RegistrationDecision) -> Demand | None:
        """What a challenge demands. Raises BadRequest."""
        if not isinstance(decision, ChallengeRegistration):
            return None
        return ChallengeCaller.of(decision).demand(self._settings.realm, decision.max_expires)

    def _follow(
        self, attempt: Attempt, decision: RegistrationDecision, demand: Demand | None
    ) -> None:
        if isinstance(decision, RejectRegistration):
            self._reject(attempt, decision.status, "rejected", decision.reason)
        elif demand is not None:
            challenge = self._doorkeeper.new_challenge(demand)
            now = self._signalling.now()
            self._doorkeeper.failed(attempt.event.source, now)  # forgiven when it is right
            self._pending.put(key_of(attempt.registration), challenge, now)
            self._respond(attempt.event, 401, *challenge.headers(now))
        elif isinstance(decision, AcceptRegistration):
            approval = Approval(max_expires=decision.max_expires)
            self._accept(attempt.event, attempt.registration, approval)

    def _reject(
        self, attempt: Attempt, status: int, reason: str, phrase: str | None = None
    ) -> None:
        self._respond(attempt.event, status, reason=phrase)
        self._doorkeeper.failed(attempt.event.source, self._signalling.now())
        self._switch.publish(
            RegistrationRejected(
                aor=attempt.registration.aor,
                attempt_id=attempt.id,
                source_address=attempt.told.source_address,
                status_code=status,
                reason="timeout" if reason == "timeout" else "rejected",
            )
        )

    def _accept(
        self, event: RegisterReceived, registration: Registration, approval: Approval
    ) -> None:
        username = approval.challenge.claimed if approval.challenge else None
        try:
            changes = self.location.register(
                registration,
                self._signalling.now(),
                username=username,
                max_expires=approval.max_expires,
            )
        except RegistrationRefused as refusal:
            self._refuse(event, refusal)
            return
        self._doorkeeper.succeeded(event.source, self._signalling.now())
        self._approvals.put(registration, approval)
        self._switch.spawn(self._done(event, registration, changes))

    async def _done(
        self, event: RegisterReceived, registration: Registration, changes: list[Change]
    ) -> None:
        """Answer when it is on disk: what a phone was told survives us."""
        await self._keep(changes)
        now = self._signalling.now()
        bindings = self.location.of(registration.aor)
        self._approvals.keep(registration.aor, bindings)
        headers = [("Contact", _contact(binding, now)) for binding in bindings]
        headers += [("Path", path) for path in registration.path]
        self._respond(event, 200, *headers)
        self._signalling.settle()

    # -- within

    async def _keep(self, changes: list[Change]) -> None:
        """Write changes to disk, and tell of them."""
        for aor in {change.binding.aor for change in changes}:
            self._approvals.keep(aor, self.location.of(aor))
        self._arm()
        packed = [
            (c.binding.id, None if c.kind.is_end else c.binding.pack(self.offset)) for c in changes
        ]
        await self._store.write("bindings", packed)
        for change in changes:
            self._switch.publish(event_of(change, self.offset))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.location.next_timer()
        loop = asyncio.get_running_loop()
        self._timer = None if due is None else loop.call_at(due, self._timed_out)

    def _timed_out(self) -> None:
        changes = self.location.handle_timer(self._signalling.now())
        self._arm()
        if changes:
            self._switch.spawn(self._keep(changes))

    def _refuse(self, event: RegisterReceived, refusal: RegistrationRefused) -> None:
        log.info("REGISTER from %s refused: %s", event.source.host, refusal)
        if refusal.status in (400, 404):
            self._doorkeeper.failed(event.source, self._signalling.now())
        self._respond(event, refusal.status, *refusal.headers, reason=refusal.reason)

    def _respond(
        self,
        event: RegisterReceived,
        status: int,
        *headers: tuple[str, str],
        reason: str | None = None,
    ) -> None:
        agent, now = self._signalling.agent, self._signalling.now()
        agent.respond(event.transaction, status, now, reason=reason, headers=headers)


def _contact(binding: Binding, now: float) -> str:
    """A binding as a 200 lists it."""
    params = [("expires", str(max(round(binding.expires_at - now), 0)))]
    if binding.q != 1.0:
        params.append(("q", f"{binding.q:g}"))
    return str(NameAddr(binding.contact, params=Params(params)))
