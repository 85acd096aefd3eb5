"""A REFER of ours, and what we are told of its outcome (RFC 3515, RFC 4488).

idle     --REFER--> asked
asked    --2xx, NOTIFY--> waiting; --3xx..6xx, silence--> idle, the transfer failed
waiting  --NOTIFY with 1xx--> waiting; --NOTIFY with a final status, its end, silence--> idle
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .address import NameAddr
from .alarms import Alarm
from .errors import ParseError, StateError
from .event_package import ALLOW_EVENTS, REFER, EventPackage
from .events import ReferFinished, ReferProgressed
from .hop import Hop
from .message import Request, Response
from .sipfrag import CONTENT_TYPE, StatusLine
from .status import reason_phrase
from .subscription_state import SubscriptionState
from .transaction.base import ServerTransaction

if TYPE_CHECKING:
    from .call import Call


class Referring:
    """At most one at a time. It may outlive the call: the last NOTIFY often comes after the BYE."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._number: int | None = None
        self._alarm: Alarm | None = None
        self.is_waiting = False
        """Whether the outcome is not known yet."""

    def request(self, refer_to: NameAddr, headers: list[tuple[str, str]], now: float) -> None:
        """Ask the peer to call somebody."""
        if self.is_waiting:
            raise StateError("a transfer is under way already")
        self.is_waiting = True

        def build() -> Request:
            request = self._call.confirmed_dialog.request("REFER")
            self._number = request.cseq.number
            contact = ("Contact", str(self._call.core.contact))
            request.headers.extend([("Refer-To", str(refer_to)), contact, *headers])
            return request

        self._call.exchange(build, self._answered, now)

    def handle_notify(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Take a NOTIFY."""
        status = self._problem(request)
        if status is not None:
            extra = [ALLOW_EVENTS] if status == 489 else []
            self._call.respond(transaction, status, now, extra)
            return
        try:
            text = request.headers.get("Subscription-State") or "active"
            state = SubscriptionState.parse(text)
            line = StatusLine.parse(request.body) if request.body else None
        except ParseError:
            self._call.respond(transaction, 400, now)
            return
        self._call.respond(transaction, 200, now)
        if self.is_waiting:
            self._told(line, state, now)

    def call_ended(self, now: float) -> None:
        """The call is over: the outcome had better come soon."""
        if self.is_waiting:
            self._await(now + self._call.core.config.timers.patience)

    def _problem(self, request: Request) -> int | None:
        try:
            event = EventPackage.parse(request.headers.get("Event") or "")
        except ParseError:
            return 400
        if event.name != REFER:
            return 489
        if not event.names(self._number, first=True):  # whoever has one at a time needs no id
            return 481
        return 415 if request.body and request.content_type != CONTENT_TYPE else None

    def _answered(self, response: Response, source: Hop | None, now: float) -> None:
        status = response.status
        if status < 200:
            return
        if not self.is_waiting:
            return  # the outcome was quicker than the answer
        if status >= 300:
            self._finish(status, response.reason, "the REFER was refused", now)
            if status in (408, 481) and self._call.is_confirmed:
                self._call.lose(status, now)
        elif (response.headers.get("Refer-Sub") or "").strip().lower().startswith("false"):
            self._finish(status, response.reason, None, now)
        elif self._alarm is None:
            self._await(now + self._call.core.config.timers.patience)

    def _told(self, line: StatusLine | None, state: SubscriptionState, now: float) -> None:
        if line is not None and line.is_final:
            self._finish(line.status, line.reason, None, now)
        elif state.is_over:
            status = line.status if line else 408
            error = f"the peer tells no more ({state.reason or 'terminated'})"
            self._finish(status, line.reason if line else reason_phrase(status), error, now)
        else:
            patience = self._call.core.config.timers.patience
            self._await(now + max(state.expires or 0, patience))
            if line is not None:
                self._call.core.emit(ReferProgressed(self._call, line.status, line.reason))

    def _await(self, when: float) -> None:
        self._quiet()
        self._alarm = self._call.core.alarms.set(when, self._silent)

    def _silent(self, now: float) -> None:
        self._finish(408, reason_phrase(408), "the peer told no outcome in time", now)

    def _finish(self, status: int, reason: str, error: str | None, now: float) -> None:
        self.is_waiting = False
        self._quiet()
        self._call.core.emit(ReferFinished(self._call, status, reason, error))
        self._call.usage_ended(now)

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
