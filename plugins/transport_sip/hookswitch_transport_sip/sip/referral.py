"""A REFER of theirs, and what we tell of its outcome (RFC 3515, RFC 4488).

idle --REFER, 202--> open, NOTIFY 100; open --report 1xx--> open, NOTIFY;
open --SUBSCRIBE--> open, NOTIFY of the latest; with Expires 0 the last one;
open --report of a final status, time--> NOTIFY with the end of the subscription, idle;
open --NOTIFY refused--> idle
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .address import NameAddr
from .alarms import Alarm
from .errors import ParseError, StateError
from .event_package import ALLOW_EVENTS, REFER, EventPackage
from .events import ReferralDropped, ReferReceived
from .hop import Hop
from .message import Request, Response
from .replaces import Replaces
from .sipfrag import CONTENT_TYPE, StatusLine
from .status import reason_phrase
from .subscription_state import SubscriptionState
from .transaction.base import ServerTransaction

if TYPE_CHECKING:
    from .call import Call

LIFETIME = 600
"""Seconds after which we tell no more, whatever became of it, unless the peer asks for longer."""

REFERABLE = ("sip", "sips", "tel")
"""Schemes of targets that an application can do something about."""

LONGEST = 3600
"""Seconds we grant at once."""


_FIRST = EventPackage(REFER)
_TRYING = StatusLine(100, reason_phrase(100))


class Referral:
    """At most one at a time. It may outlive the call: who transfers often hangs up at once."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._event = _FIRST
        self._number: int | None = None
        self._count = 0
        self._silent = False
        self._outbox: deque[tuple[StatusLine, SubscriptionState]] = deque()
        self._sending = False
        self._ends = 0.0
        self._last = _TRYING
        self._alarm: Alarm | None = None
        self.is_open = False
        """Whether an outcome has yet to be reported."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be told any more."""
        return not (self.is_open or self._sending or self._outbox)

    def handle(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Take a REFER."""
        if self.is_open or not self._call.is_confirmed:
            self._call.respond(transaction, 491 if self.is_open else 403, now)
            return
        try:
            refer_to = _refer_to(request)
            replaces = Replaces.from_uri(refer_to.uri)
        except ParseError:
            self._call.respond(transaction, 400, now)
            return
        if (refer_to.uri.params.get("method") or "INVITE").upper() != "INVITE":
            self._call.respond(transaction, 403, now)
            return
        if refer_to.uri.scheme not in REFERABLE:
            self._call.respond(transaction, 416, now)
            return
        self._accept(transaction, request, now)
        self._call.core.emit(ReferReceived(self._call, request, refer_to, replaces))

    def handle_subscribe(
        self, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        """Take a SUBSCRIBE: the subscription that the REFER made is prolonged or ended."""
        try:
            event = EventPackage.parse(request.headers.get("Event") or "")
            expires = _expires(request)
        except ParseError:
            self._call.respond(transaction, 400, now)
            return
        if event.name != REFER:
            self._call.respond(transaction, 489, now, [ALLOW_EVENTS])
        elif (
            not self.is_open
            or self._silent
            or not event.names(self._number, first=self._count == 1)
        ):
            self._call.respond(transaction, 481, now)
        else:
            self._call.confirmed_dialog.refresh_target(request)
            contact = ("Contact", str(self._call.contact_for(transaction)))
            self._call.respond(transaction, 200, now, [("Expires", str(expires)), contact])
            self._subscribed(expires, now)

    def report(self, status: int, reason: str | None, now: float) -> None:
        """Tell how it goes; a status from 200 on is the last word."""
        if not self.is_open:
            raise StateError("no transfer waits for its outcome")
        line = StatusLine(status, reason or reason_phrase(status))
        if line.is_final:
            self._close(line, "noresource", now)
        else:
            self._tell(line, SubscriptionState("active", max(int(self._ends - now), 1)), now)

    def _accept(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        self._count += 1
        self._number = request.cseq.number
        self._event = _FIRST if self._count == 1 else EventPackage(REFER, str(self._number))
        unheard = (request.headers.get("Refer-Sub") or "").strip().lower().startswith("false")
        self._silent, self.is_open = unheard, True
        extra = [("Contact", str(self._call.contact_for(transaction)))]
        if unheard:
            extra.append(("Refer-Sub", "false"))
        self._call.respond(transaction, 202, now, extra)
        self._live(LIFETIME, now)
        self.report(100, None, now)

    def _subscribed(self, expires: int, now: float) -> None:
        """Tell what is known, as every SUBSCRIBE wants it (RFC 6665 section 4.2.1.2)."""
        if expires:
            self._live(expires, now)
            self._tell(self._last, SubscriptionState("active", expires), now)
        else:
            self._tell(self._last, SubscriptionState("terminated", reason="timeout"), now)
            self._silent = True
            self._call.core.emit(ReferralDropped(self._call))

    def _live(self, seconds: int, now: float) -> None:
        self._quiet()
        self._ends = now + seconds
        self._alarm = self._call.core.alarms.set(self._ends, self._time_out)

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()

    def _time_out(self, now: float) -> None:
        self._close(self._last, "timeout", now)
        self._call.core.emit(ReferralDropped(self._call))

    def _close(self, line: StatusLine, reason: str, now: float) -> None:
        self.is_open = False
        self._quiet()
        self._tell(line, SubscriptionState("terminated", reason=reason), now)
        if self.is_idle:
            self._call.usage_ended(now)

    def _tell(self, line: StatusLine, state: SubscriptionState, now: float) -> None:
        self._last = line
        if self._silent:
            return
        self._outbox.append((line, state))
        if not self._sending:
            self._send(now)

    def _send(self, now: float) -> None:
        """One NOTIFY at a time, so that none overtakes another."""
        line, state = self._outbox.popleft()
        self._sending = True

        def build() -> Request:
            core = self._call.core
            request = self._call.confirmed_dialog.request("NOTIFY")
            request.headers.extend(
                [
                    ("Contact", str(core.contact)),
                    ("Event", str(self._event)),
                    ("Subscription-State", str(state)),
                ]
            )
            request.set_body(bytes(line), f"{CONTENT_TYPE};version=2.0")
            return request

        self._call.exchange(build, self._answered, now)

    def _answered(self, response: Response, source: Hop | None, now: float) -> None:
        if response.status < 200:
            return
        self._sending = False
        if response.status >= 300:
            self._refused()
        if self._outbox:
            self._send(now)
        elif self.is_idle:
            self._call.usage_ended(now)

    def _refused(self) -> None:
        self._outbox.clear()
        if self.is_open:
            self._silent = True
            self._call.core.emit(ReferralDropped(self._call))


def _expires(request: Request) -> int:
    """Seconds, as many as we grant. Raises ParseError."""
    text = (request.headers.get("Expires") or str(LIFETIME)).strip()
    if not (text.isascii() and text.isdigit()):
        raise ParseError("Expires", f"no number of seconds: {text[:40]!r}")
    return min(int(text[:11]), LONGEST)


def _refer_to(request: Request) -> NameAddr:
    values = request.headers.split("Refer-To")
    if len(values) != 1:
        raise ParseError("Refer-To", f"{len(values)} of them")
    return NameAddr.parse(values[0], "Refer-To")
