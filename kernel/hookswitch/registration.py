"""User agents that want to be reached by this server: what a transport asks about them, and what
may be answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegistrationAttempt:
    """A user agent wants to be registered; ``expires`` in seconds, 0 to take its contact away."""

    attempt_id: str
    aor: str
    """Whom it wants to be called as: ``sip:alice@example.com``."""
    contact: str | None
    expires: int
    source_address: str
    transport: str
    user_agent: str | None
    call_id: str
    username: str | None
    """Whom it claims to be, in credentials that nobody has checked."""


@dataclass(frozen=True, slots=True)
class AcceptRegistration:
    """Register it, for ``max_expires`` seconds at most."""

    max_expires: int | None = None


@dataclass(frozen=True, slots=True)
class RejectRegistration:
    """Refuse it; ``status`` is the protocol's, from 400 to 699.

    ``reason`` is the phrase beside it, by default the usual one of the status.
    """

    status: int = 403
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChallengeRegistration:
    """Have it prove a password first; ``ha1`` may stand for it, the hash of username:realm:password
    by the algorithm, which is MD5 or SHA-256."""

    password: str | None = None
    ha1: str | None = None
    username: str | None = None
    realm: str | None = None
    algorithm: str | None = None
    max_expires: int | None = None


RegistrationDecision = AcceptRegistration | RejectRegistration | ChallengeRegistration
