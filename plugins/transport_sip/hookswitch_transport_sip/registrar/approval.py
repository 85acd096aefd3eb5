"""Registrations that were let in once: refreshing them is no new question.

What proved a password proves it again by itself, to us and not to the application. What was
accepted without one may refresh the same contact from the same place; anything else is a new
question. Approvals are not kept on disk: after a restart user agents are asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from hookswitch_transport_sip.admission.challenge import Challenge, Key

from .binding import Binding, same_place
from .registration import Registration


@dataclass(frozen=True, slots=True)
class Approval:
    """How a registration was let in; `challenge` None if it was just accepted."""

    challenge: Challenge | None = None
    max_expires: int | None = None

    def covers(self, registration: Registration, bindings: list[Binding]) -> bool:
        """Whether a REGISTER without a password is only more of what was accepted."""
        mine = [b for b in bindings if b.call_id == registration.call_id]
        return all(same_place(binding.source, registration.source) for binding in mine) and all(
            any(binding.contact.same_as(contact.uri) for binding in mine)
            for contact in registration.contacts
        )


class Approvals:
    """Approvals by address of record and Call-ID, while there are bindings they belong to."""

    def __init__(self) -> None:
        self._approvals: dict[str, dict[str, Approval]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._approvals.values()))

    def put(self, registration: Registration, approval: Approval) -> None:
        """Remember one."""
        self._approvals.setdefault(registration.aor, {})[registration.call_id] = approval

    def get(self, registration: Registration) -> Approval | None:
        """The approval a REGISTER may refer to."""
        return self._approvals.get(registration.aor, {}).get(registration.call_id)

    def forget(self, registration: Registration) -> None:
        """The approval does not hold any more."""
        self._approvals.get(registration.aor, {}).pop(registration.call_id, None)

    def keep(self, aor: str, bindings: list[Binding]) -> None:
        """Forget the approvals of an address of record that none of its bindings needs."""
        needed = {binding.call_id for binding in bindings}
        kept = {k: v for k, v in self._approvals.pop(aor, {}).items() if k in needed}
        if kept:
            self._approvals[aor] = kept


def key_of(registration: Registration) -> Key:
    """What a challenged registration is recognised by."""
    return registration.call_id, registration.aor
