"""Our own registration at a PBX or carrier (RFC 3261 section 10.2), kept alive.

┌──────────► registering ── 2xx ──► active
│                │  ▲                 │ part of its time is over
│  failure, 423  ▼  └─────────────────┘
└──── waiting (longer with every failure; `lapsed` once time is up)

stop: unregistering ── any answer ──► gone
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.headers import Headers
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.uri import Uri

from .config import Account

AUTH_DELAY = 30.0
"""Seconds before a password that was refused is tried again: it will not have become right."""

FIRST_DELAY = 2.0
"""Seconds before anything else that failed is tried again, doubling from failure to failure."""


class Status(StrEnum):
    """Where a registration is."""

    REGISTERING = "registering"
    ACTIVE = "active"
    FAILED = "failed"
    UNREGISTERING = "unregistering"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Timing:
    """When to refresh, as a share of what was granted; the longest wait after failures, seconds."""

    refresh_ratio: float = 0.5
    longest_delay: float = 300.0


@dataclass(frozen=True, slots=True)
class Send:
    """Send a REGISTER (`OutboundRegistration.build` makes it) and bring what comes of it."""

    expires: int


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar has us, for so many seconds."""

    granted: int


@dataclass(frozen=True, slots=True)
class Failed:
    """It has not; `local` if no response came at all. It is tried again in so many seconds."""

    status: int
    reason: str
    local: bool
    delay: float


@dataclass(frozen=True, slots=True)
class Lapsed:
    """Nobody can call us through it any more: unregistered, or refresh_failed."""

    reason: str


Action = Send | Registered | Failed | Lapsed


class OutboundRegistration:
    """Says when to register, and remembers what the registrar said."""

    def __init__(
        self,
        account: Account,
        contact: Uri,
        call_id: str,
        tag: str,
        timing: Timing,
        source: random.Random,
    ) -> None:
        self.account, self.contact = account, contact
        self.status = Status.REGISTERING
        self.granted: int | None = None
        self.expires_at: float | None = None
        self.service_route: tuple[NameAddr, ...] = ()
        """What calls must be routed by (RFC 3608)."""
        self._call_id, self._tag, self._timing, self._random = call_id, tag, timing, source
        self._cseq = 0
        self._expires = account.expires
        self._failures = 0
        self._sending = self._must_unregister = False
        self._due: float | None = None

    @property
    def next_refresh(self) -> float | None:
        """When the next REGISTER is sent."""
        return self._due

    def build(self, expires: int) -> Request:
        """Make the next REGISTER, all but Via and credentials."""
        self._cseq += 1
        identity = NameAddr(self.account.aor)
        registrar = self.account.registrar
        items = [
            ("Max-Forwards", "70"),
            ("From", str(identity.with_tag(self._tag))),
            ("To", str(identity)),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", f"<{self.contact}>;expires={expires}"),
            ("Expires", str(expires)),
            ("Supported", "path"),
        ]
        return Request("REGISTER", registrar, Headers(items))

    def start(self, now: float) -> list[Action]:
        """Register."""
        return self._send(self._expires)

    def stop(self, now: float) -> list[Action]:
        """Unregister, if there is anything to unregister."""
        self._due = None
        if self._sending:
            self.status = Status.UNREGISTERING
            self._must_unregister = True  # one REGISTER at a time (section 10.2)
            return []
        if self.expires_at is None:
            self.status = Status.GONE
            return []
        self.status = Status.UNREGISTERING
        return self._send(0)

    def receive(self, response: Response, now: float, *, local: bool = False) -> list[Action]:
        """Take the final response, digest being done with; `local` if it is made up."""
        self._sending = False
        if self.status is Status.UNREGISTERING:
            return self._stopped(response)
        if 200 <= response.status < 300:
            return self._succeeded(response, now)
        longer = _seconds(response, "Min-Expires") or 0
        if response.status == 423 and longer > self._expires:
            self._expires = longer
            return self._send(longer)
        return self._failed(response, now, local)

    def next_timer(self) -> float | None:
        """When `handle_timer` must be called."""
        times = [when for when in (self._due, self._lapse_at) if when is not None]
        return min(times, default=None)

    def handle_timer(self, now: float) -> list[Action]:
        """Do what is due."""
        actions: list[Action] = []
        if self._lapse_at is not None and now >= self._lapse_at:
            self.expires_at = self.granted = None
            self.status = Status.FAILED
            actions.append(Lapsed("refresh_failed"))
        if self._due is not None and now >= self._due:
            actions += self._send(self._expires)
        return actions

    # -- within

    def _stopped(self, response: Response) -> list[Action]:
        if self._must_unregister and (response.status < 300 or self.expires_at is not None):
            self._must_unregister = False
            return self._send(0)
        self.status, self.expires_at = Status.GONE, None
        return [Lapsed("unregistered")]

    @property
    def _lapse_at(self) -> float | None:
        ends = self.status in (Status.UNREGISTERING, Status.GONE)
        return None if ends else self.expires_at

    def _send(self, expires: int) -> list[Action]:
        self._due, self._sending = None, True
        if self.status is Status.FAILED:
            self.status = Status.REGISTERING
        return [Send(expires)]

    def _succeeded(self, response: Response, now: float) -> list[Action]:
        granted = self._granted_by(response)
        if granted <= 0:
            return self._failed(
                Response(500, "The registrar does not list our contact"), now, False
            )
        self.status, self.granted, self.expires_at = Status.ACTIVE, granted, now + granted
        self.service_route = _service_route(response)
        self._failures = 0
        # several trunks set up at once must not stay in step for ever
        share = self._timing.refresh_ratio * self._random.uniform(0.9, 1.0)
        self._due = now + granted * share
        return [Registered(granted)]

    def _granted_by(self, response: Response) -> int:
        """What our contact was granted; a registrar may have changed the address in it."""
        contacts = response.contacts
        ours = [contact for contact in contacts if contact.uri.same_as(self.contact)]
        if not ours and len(contacts) == 1:
            ours = contacts
        for contact in ours:
            expires = contact.params.get("expires") or ""
            if expires.isascii() and expires.isdigit():
                return min(int(expires), 2**31)
        if contacts and not ours:
            return 0
        return response.expires if response.expires is not None else self._expires

    def _failed(self, response: Response, now: float, local: bool) -> list[Action]:
        first = AUTH_DELAY if response.status in (401, 403, 407) else FIRST_DELAY
        delay = min(first * 2.0 ** min(self._failures, 20), self._timing.longest_delay)
        delay *= self._random.uniform(0.8, 1.0)
        delay = max(delay, float(_seconds(response, "Retry-After") or 0))
        self._failures += 1
        if self.expires_at is None:
            self.status = Status.FAILED
        self._due = now + delay
        return [Failed(response.status, response.reason, local, delay)]


def _seconds(response: Response, name: str) -> int | None:
    """A number at the beginning of a header field."""
    text = (response.headers.get(name) or "").split("(")[0].split(";")[0].strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _service_route(response: Response) -> tuple[NameAddr, ...]:
    try:
        return tuple(NameAddr.parse(item) for item in response.headers.split("Service-Route"))
    except ParseError:
        return ()
