"""Our own re-INVITE (RFC 3261 section 14.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alarms import Alarm
from .errors import StateError
from .events import ReinviteAnswered, ReinviteFailed
from .exchange import InviteExchange
from .hop import Hop
from .message import Request, Response
from .pending import Pending
from .proposal import Proposal

if TYPE_CHECKING:
    from .call import Call

_TRIES = 5
"""How often an offer is made again that met one of theirs."""


class Reinvite:
    """One change of the session that we want: waits its turn, retries after glare."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._wanted: Proposal | None = None
        self._body: bytes | None = None
        self._offer: Response | None = None
        self._exchange: InviteExchange | None = None
        self._in_progress = False
        self._tries = 0
        self._retry: Alarm | None = None
        self._deadline: Alarm | None = None

    @property
    def in_progress(self) -> bool:
        """Whether our INVITE is under way, so that theirs gets 491."""
        return self._in_progress

    def request(self, proposal: Proposal, now: float) -> None:
        """Ask for a new session."""
        if self._wanted is not None or self._offer is not None:
            raise StateError("a re-INVITE of ours is still pending")
        self._wanted, self._tries = proposal, 0
        self.advance(now)

    def acknowledge(self, sdp: bytes | None, now: float) -> None:
        """Answer the offer in the 2xx."""
        if self._offer is None or self._exchange is None:
            raise StateError("no 2xx waits for its ACK")
        response, self._offer = self._offer, None
        dialog = self._call.confirmed_dialog
        dialog.pending = Pending.NONE
        self._exchange.acknowledge(dialog, response, sdp)
        self._in_progress = False
        self._call.offer_settled(now)

    def advance(self, now: float) -> None:
        """Send it if nothing stands in its way."""
        idle = not self._in_progress and self._retry is None
        if self._wanted is not None and idle and self._call.may_offer:
            self._send(self._wanted, now)

    def stop(self) -> None:
        """Drop what has not been sent; a 2xx must be acknowledged though."""
        if self._in_progress:
            self._withdraw()
        self._wanted = None
        if self._offer is not None and self._exchange is not None:
            self._exchange.acknowledge(self._call.confirmed_dialog, self._offer)
            self._offer = None
        for alarm in (self._retry, self._deadline):
            if alarm is not None:
                alarm.cancel()

    def _send(self, wanted: Proposal, now: float) -> None:
        self._in_progress = True
        self._body = wanted.make()
        core, dialog = self._call.core, self._call.confirmed_dialog
        if self._body:
            dialog.pending = Pending.OURS
        hop = core.hop_to(dialog.next_hop)
        exchange = InviteExchange(core, self._build, hop, self._received, self._call.digest)
        self._exchange = exchange
        self._deadline = core.alarms.set(now + core.config.timers.patience, self._overdue)
        exchange.start(now)

    def _overdue(self, now: float) -> None:
        """A peer that answers 100 and then nothing is asked to stop, and given up in the end.

        After a provisional response a transaction has no time-out of its own (RFC 3261 section
        17.1.1.2), and a session that waits for its answer cannot be changed.
        """
        exchange, core = self._exchange, self._call.core
        if exchange is None or not exchange.was_heard:
            return  # the transaction will tell
        if not exchange.cancelled:
            exchange.cancel(now)
            self._deadline = core.alarms.set(now + core.config.timers.patience, self._overdue)
        else:
            self._received(Response.to_request(exchange.request, 408), None, now)

    def _build(self) -> Request:
        request = self._call.confirmed_dialog.request("INVITE")
        request.headers.add("Contact", str(self._call.core.contact))
        request.headers.extend(self._call.core.capabilities())
        request.headers.extend(self._call.timer.request_headers())
        if self._body:
            request.set_body(self._body, "application/sdp")
        return request

    def _received(self, response: Response, source: Hop | None, now: float) -> None:
        if response.status < 200 or self._exchange is None:
            return
        if self._deadline is not None:
            self._deadline.cancel()
        if response.status < 300:
            self._accepted(self._exchange, response, now)
            return
        self._call.confirmed_dialog.pending = Pending.NONE
        self._withdraw()
        if response.status == 422 and self._call.timer.too_small(response):
            self._in_progress = False
            self.advance(now)
        elif self._call.is_confirmed and (delay := self._delay(response)) is not None:
            self._in_progress = False
            self._tries += 1
            self._retry = self._call.core.alarms.set(now + delay, self._try_again)
        else:
            self._refused(response, now)

    def _accepted(self, exchange: InviteExchange, response: Response, now: float) -> None:
        call, dialog = self._call, self._call.confirmed_dialog
        dialog.refresh_target(response)
        is_offer = self._body is None and bool(response.sdp) and call.is_confirmed
        if is_offer:
            self._offer = response
        else:
            exchange.acknowledge(dialog, response)
        dialog.pending = Pending.THEIRS if is_offer else Pending.NONE
        self._wanted, self._in_progress = None, is_offer
        if call.is_confirmed:
            call.timer.accepted(response, now)
            call.core.emit(ReinviteAnswered(call, response, response.sdp, is_offer))

    def _refused(self, response: Response, now: float) -> None:
        self._wanted, self._in_progress = None, False
        if not self._call.is_confirmed:
            return
        event = ReinviteFailed(self._call, response.status, response.reason, response)
        self._call.core.emit(event)
        if response.status in (408, 481):  # the dialog is over as well (RFC 5057 section 5.1)
            self._call.lose(response.status, now)

    def _withdraw(self) -> None:
        if self._wanted is not None:
            self._wanted.withdraw()

    def _delay(self, response: Response) -> float | None:
        """When to try again: after glare, or an offer of theirs that was in the way."""
        if self._tries >= _TRIES:
            return None
        if response.status == 491:
            return self._glare_delay()
        seconds = (response.headers.get("Retry-After") or "").strip()
        soon = len(seconds) < 3 and seconds.isascii() and seconds.isdigit()
        return float(seconds) if response.status == 500 and soon else None

    def _glare_delay(self) -> float:
        """Choose a wait: the owner of the Call-ID waits longer, in steps of 10 ms."""
        low, high = (210, 400) if self._call.owns_call_id else (0, 200)
        return self._call.core.random.randint(low, high) / 100

    def _try_again(self, now: float) -> None:
        self._retry = None
        self.advance(now)
