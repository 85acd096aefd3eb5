"""The location service: all bindings, changed a REGISTER at a time, and gone when they expire."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from hookswitch_transport_sip.sip.hop import Hop

from .binding import Binding, is_behind_nat, same_place
from .registration import Contact, Policy, Registration, RegistrationRefused


class Kind(Enum):
    """What became of a binding."""

    ADDED = "added"
    REFRESHED = "refreshed"
    UNREGISTERED = "unregistered"
    """By its user agent."""
    FORCED = "forced"
    """By the application."""
    TTL = "ttl"
    """By time."""

    @property
    def is_end(self) -> bool:
        """Whether the binding is gone."""
        return self not in (Kind.ADDED, Kind.REFRESHED)


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a binding; this is how it is, or was, then."""

    kind: Kind
    binding: Binding


class Location:
    """Bindings by address of record. Times are seconds on the caller's clock."""

    def __init__(self, policy: Policy, new_id: Callable[[], str]) -> None:
        self._policy, self._new_id = policy, new_id
        self._by_aor: dict[str, dict[str, Binding]] = {}
        self._aor_of: dict[str, str] = {}
        self._hosts: Counter[str] = Counter()
        self._heap: list[tuple[float, str]] = []

    # -- what is there

    def __len__(self) -> int:
        return len(self._aor_of)

    def __iter__(self) -> Iterator[Binding]:
        for bindings in self._by_aor.values():
            yield from list(bindings.values())

    def of(self, aor: str) -> list[Binding]:
        """The bindings of an address of record, the most preferred first."""
        return sorted(self._by_aor.get(aor, {}).values(), key=lambda b: -b.q)

    def find(self, binding_id: str) -> Binding | None:
        """A binding by its id."""
        aor = self._aor_of.get(binding_id)
        return None if aor is None else self._by_aor[aor][binding_id]

    def has_host(self, host: str) -> bool:
        """Whether a user agent at this address is registered."""
        return host in self._hosts

    def user_at(self, aor: str, source: Hop) -> bool:
        """Whether an address of record is registered from just there."""
        return any(same_place(binding.source, source) for binding in self.of(aor))

    # -- what changes it

    def register(
        self,
        registration: Registration,
        now: float,
        *,
        username: str | None = None,
        max_expires: int | None = None,
    ) -> list[Change]:
        """Do what a REGISTER asks for, wholly or not at all (RFC 3261 section 10.3).

        Raises RegistrationRefused.
        """
        if registration.clears:
            doomed = self.of(registration.aor)
            for binding in doomed:
                self._check_order(registration, binding)
            return [self._remove(binding, Kind.UNREGISTERED) for binding in doomed]
        planned = [self._plan(registration, contact) for contact in registration.contacts]
        self._check_room(registration, planned)
        changes = []
        for contact, known in zip(registration.contacts, planned, strict=True):
            if contact.expires > 0:
                seconds = self._granted(contact, max_expires)
                binding = self._binding(registration, contact, known, now, seconds, username)
                changes.append(self._put(binding, known))
            elif known is not None:
                changes.append(self._remove(known, Kind.UNREGISTERED))
        return changes

    def restore(self, binding: Binding) -> None:
        """Take over a binding of an earlier run."""
        self._put(binding, None)

    def remove(self, binding: Binding) -> Change:
        """Take a binding away for the application."""
        return self._remove(binding, Kind.FORCED)

    # -- time

    def next_timer(self) -> float | None:
        """When `handle_timer` must be called."""
        while self._heap:
            when, binding_id = self._heap[0]
            binding = self.find(binding_id)
            if binding is not None and binding.expires_at == when:
                return when
            heapq.heappop(self._heap)
        return None

    def handle_timer(self, now: float) -> list[Change]:
        """Let go of what has expired."""
        changes = []
        while (when := self.next_timer()) is not None and when <= now:
            binding = self.find(self._heap[0][1])
            assert binding is not None
            changes.append(self._remove(binding, Kind.TTL))
        return changes

    # -- within

    def _plan(self, registration: Registration, contact: Contact) -> Binding | None:
        """The binding a contact is about, if there is one; checks what can be wrong with it."""
        if 0 < contact.expires < self._policy.min_expires:
            raise RegistrationRefused(423, ("Min-Expires", str(self._policy.min_expires)))
        same = (b for b in self.of(registration.aor) if b.contact.same_as(contact.uri))
        known = next(same, None)
        if known is not None:
            self._check_order(registration, known)
        return known

    def _check_order(self, registration: Registration, known: Binding) -> None:
        """A REGISTER that is overtaken by a later one of its user agent is an error."""
        if known.call_id == registration.call_id and registration.cseq <= known.cseq:
            raise RegistrationRefused(500, reason="CSeq does not rise")

    def _check_room(self, registration: Registration, planned: list[Binding | None]) -> None:
        contacts = zip(registration.contacts, planned, strict=True)
        new = sum(1 for contact, known in contacts if contact.expires > 0 and known is None)
        if new and len(self.of(registration.aor)) + new > self._policy.max_contacts:
            raise RegistrationRefused(403, reason="Too many contacts")

    def _granted(self, contact: Contact, max_expires: int | None) -> int:
        most = self._policy.max_expires
        if max_expires is not None:
            most = min(most, max(max_expires, self._policy.min_expires))
        return min(contact.expires, most)

    def _binding(
        self,
        registration: Registration,
        contact: Contact,
        known: Binding | None,
        now: float,
        seconds: int,
        username: str | None,
    ) -> Binding:
        source, symmetric = registration.source, registration.symmetric
        return Binding(
            id=self._new_id() if known is None else known.id,
            aor=registration.aor,
            contact=contact.uri,
            expires_at=now + seconds,
            granted=seconds,
            call_id=registration.call_id,
            cseq=registration.cseq,
            source=source,
            q=contact.q,
            path=registration.path,
            behind_nat=is_behind_nat(contact.uri, source, symmetric=symmetric),
            user_agent=registration.user_agent,
            username=username,
        )

    def _put(self, binding: Binding, known: Binding | None) -> Change:
        if known is not None:
            self._forget_host(known)
        self._by_aor.setdefault(binding.aor, {})[binding.id] = binding
        self._aor_of[binding.id] = binding.aor
        self._hosts[binding.source.host] += 1
        heapq.heappush(self._heap, (binding.expires_at, binding.id))
        return Change(Kind.ADDED if known is None else Kind.REFRESHED, binding)

    def _remove(self, binding: Binding, kind: Kind) -> Change:
        bindings = self._by_aor[self._aor_of.pop(binding.id)]
        del bindings[binding.id]
        if not bindings:
            del self._by_aor[binding.aor]
        self._forget_host(binding)
        return Change(kind, binding)

    def _forget_host(self, binding: Binding) -> None:
        host = binding.source.host
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]
