"""Events of SIP that are about no leg."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from hookswitch.plugin import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeFailed(Event):
    """A caller or user agent was asked for a password and did not know it."""

    type: ClassVar[str] = "sip.challenge_failed"
    method: str
    from_: str
    username: str | None
    source_address: str
    call_id: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationEvent(Event):
    """Base of what happens to registrations; those of one address of record come in order."""

    aor: str

    @property
    def lane(self) -> str:
        return self.aor


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationAttempted(RegistrationEvent):
    """A user agent wants to be registered and waits for a decision; `expires` 0 takes away."""

    type: ClassVar[str] = "sip.registration_attempt"
    attempt_id: str
    contact: str | None
    expires: int
    source_address: str
    transport: str
    user_agent: str | None
    call_id: str
    username: str | None
    has_authorization: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRejected(RegistrationEvent):
    """An attempt was refused; `reason` says by whom."""

    type: ClassVar[str] = "sip.registration_rejected"
    attempt_id: str
    source_address: str
    status_code: int
    reason: Literal["rejected", "timeout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingEvent(RegistrationEvent):
    """Base of what happens to one contact; `socket` is where its REGISTER came from."""

    binding_id: str
    contact: str
    socket: str
    transport: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationActive(BindingEvent):
    """A contact is registered, or registered again."""

    type: ClassVar[str] = "sip.registration_active"
    refreshed: bool
    user_agent: str | None
    call_id: str
    username: str | None
    granted_expires_seconds: int
    expires_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationExpired(BindingEvent):
    """A contact is registered no more; `reason`: ttl, unregistered, forced (by the application)."""

    type: ClassVar[str] = "sip.registration_expired"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkEvent(Event):
    """Base of what happens to trunks; that of one trunk comes in order."""

    trunk_id: str

    @property
    def lane(self) -> str:
        return self.trunk_id


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRegistrationActive(TrunkEvent):
    """We are registered, or registered again; `source_address` is who said so."""

    type: ClassVar[str] = "sip.outbound_registration_active"
    aor: str
    registrar: str
    contact: str
    granted_expires_seconds: int
    expires_at: str
    source_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRegistrationFailed(TrunkEvent):
    """A REGISTER of ours was refused, or nobody answered; it will be tried again."""

    type: ClassVar[str] = "sip.outbound_registration_failed"
    aor: str
    registrar: str
    status_code: int | None
    reason: str
    retry_in_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRegistrationExpired(TrunkEvent):
    """We are registered no more; `reason` is unregistered or refresh_failed."""

    type: ClassVar[str] = "sip.outbound_registration_expired"
    aor: str
    registrar: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerEvent(TrunkEvent):
    """Base of what happens to an address of a peer; `available` counts those not down."""

    address: str
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkUp(PeerEvent):
    """An address of a peer answers."""

    type: ClassVar[str] = "sip.trunk_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkDown(PeerEvent):
    """An address of a peer does not answer any more; it is not called until it does."""

    type: ClassVar[str] = "sip.trunk_down"
