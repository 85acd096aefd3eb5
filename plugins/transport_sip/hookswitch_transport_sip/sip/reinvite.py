"""Our own re-INVITE (RFC 3261 section 14.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alarms import Alarm
from .errors import StateError
from .events import ReinviteAnswered, ReinviteFailed
from .exchange import InviteExchange
from .hop import Hop
from .message import Request, Response

if TYPE_CHECKING:
    from .call import Call


class Reinvite:
    """One change of the session that we want: waits its turn, retries after glare."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._body: bytes | None = None
        self._exchange: InviteExchange | None = None
        self._in_progress = False
        self._retry: Alarm | None = None

    @property
    def in_progress(self) -> bool:
        """Whether our INVITE is under way, so that theirs gets 491."""
        return self._in_progress

    def request(self, sdp: bytes, now: float) -> None:
        """Ask for a new session."""
        if self._body is not None:
            raise StateError("a re-INVITE of ours is still pending")
        self._body = sdp
        self.advance(now)

    def advance(self, now: float) -> None:
        """Send it if nothing stands in its way."""
        idle = not self._in_progress and self._retry is None
        if self._body is not None and idle and not self._call.is_answering_invite:
            self._send(now)

    def stop(self) -> None:
        """Drop what has not been sent."""
        self._body = None
        if self._retry is not None:
            self._retry.cancel()

    def _send(self, now: float) -> None:
        self._in_progress = True
        core, dialog = self._call.core, self._call.confirmed_dialog
        hop = core.hop_to(dialog.next_hop)
        exchange = InviteExchange(core, self._build, hop, self._received, self._call.digest)
        self._exchange = exchange
        exchange.start(now)

    def _build(self) -> Request:
        request = self._call.confirmed_dialog.request("INVITE")
        request.headers.add("Contact", str(self._call.core.contact))
        request.headers.extend(self._call.core.capabilities())
        request.set_body(self._body or b"", "application/sdp")
        return request

    def _received(self, response: Response, source: Hop | None, now: float) -> None:
        if response.status < 200 or self._exchange is None:
            return
        if response.status < 300:
            self._accepted(self._exchange, response)
        elif response.status == 491 and self._call.is_confirmed:
            self._in_progress = False
            self._retry = self._call.core.alarms.set(now + self._glare_delay(), self._try_again)
        else:
            self._refused(response, now)

    def _accepted(self, exchange: InviteExchange, response: Response) -> None:
        dialog = self._call.confirmed_dialog
        dialog.refresh_target(response)
        exchange.acknowledge(dialog, response)
        self._finish()
        if self._call.is_confirmed:
            self._call.core.emit(ReinviteAnswered(self._call, response, response.sdp))

    def _refused(self, response: Response, now: float) -> None:
        self._finish()
        if not self._call.is_confirmed:
            return
        if response.status in (408, 481):
            self._call.lose(response.status, now)
            return
        event = ReinviteFailed(self._call, response.status, response.reason, response)
        self._call.core.emit(event)

    def _finish(self) -> None:
        self._in_progress = False
        self._body = None

    def _glare_delay(self) -> float:
        """Choose a wait: the owner of the Call-ID waits longer, in steps of 10 ms."""
        low, high = (210, 400) if self._call.owns_call_id else (0, 200)
        return self._call.core.random.randint(low, high) / 100

    def _try_again(self, now: float) -> None:
        self._retry = None
        self.advance(now)
