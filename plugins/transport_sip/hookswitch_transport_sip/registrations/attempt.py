"""REGISTERs that wait for somebody's decision."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from hookswitch.plugin import NotFound, RegistrationAttempt
from hookswitch_transport_sip.registrar.registration import Registration
from hookswitch_transport_sip.sip.digest import Credentials
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.events import RegisterReceived
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.uri import without_passwords

from .views import socket_of


@dataclass(frozen=True, slots=True)
class Attempt:
    """One REGISTER, read and not answered."""

    id: str
    event: RegisterReceived
    registration: Registration

    @classmethod
    def of(cls, event: RegisterReceived, registration: Registration) -> Attempt:
        """Give it an id."""
        return cls(str(uuid.uuid4()), event, registration)

    @property
    def told(self) -> RegistrationAttempt:
        """What plugins and programs are told of it."""
        registration = self.registration
        contacts = registration.contacts
        return RegistrationAttempt(
            attempt_id=self.id,
            aor=registration.aor,
            contact=without_passwords(str(contacts[0].uri)) if contacts else None,
            expires=registration.expires,
            source_address=socket_of(registration.source),
            transport=registration.source.transport.lower(),
            user_agent=registration.user_agent,
            call_id=registration.call_id,
            username=_claimed(self.event.request),
        )


class Attempts:
    """The attempts that wait, each until it is taken or its time is up."""

    def __init__(self, patience: float, limit: int = 1000) -> None:
        """`patience` in seconds."""
        self._patience, self._limit = patience, limit
        self._waiting: dict[str, tuple[Attempt, asyncio.TimerHandle]] = {}

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return len(self._waiting) >= self._limit

    def add(self, attempt: Attempt, on_timeout: Callable[[Attempt], None]) -> None:
        """Have an attempt wait."""

        def timed_out() -> None:
            self._waiting.pop(attempt.id, None)
            on_timeout(attempt)

        timer = asyncio.get_running_loop().call_later(self._patience, timed_out)
        self._waiting[attempt.id] = attempt, timer

    def take(self, attempt_id: str) -> Attempt:
        """An attempt that has been decided; it waits no more. Raises NotFound."""
        if attempt_id not in self._waiting:
            raise NotFound(
                f"registration attempt {attempt_id} not found: it may be decided already"
            )
        attempt, timer = self._waiting.pop(attempt_id)
        timer.cancel()
        return attempt

    def close(self) -> None:
        """Nobody will decide any more."""
        for _, timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()


def _claimed(request: Request) -> str | None:
    """Whom the credentials of a request name."""
    for text in request.headers.get_all("Authorization"):
        try:
            return Credentials.parse(text).username
        except ParseError:
            continue
    return None
