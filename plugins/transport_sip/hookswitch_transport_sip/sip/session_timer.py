"""How long a session lives without a refresh, and who refreshes it (RFC 4028).

Each 2xx to an INVITE or UPDATE settles both anew. Whoever refreshes does so after half of the
time; if nobody did, both hang up shortly before it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alarms import Alarm
from .errors import ParseError
from .events import RefreshDue
from .hop import Hop
from .message import Request, Response
from .session_expires import LEAST, Role, SessionExpires, min_se_of

if TYPE_CHECKING:
    from .call import Call

_TRY_AGAIN = 4.0
"""Seconds after a refresh that was refused for a passing reason."""


class SessionTimer:
    """The timer of one call."""

    def __init__(self, call: Call) -> None:
        config = call.core.config
        self._call = call
        self._interval = config.session_expires
        self._min_se = config.min_se
        self._we_refresh: bool | None = None
        self._update_refused = False
        self._refresh_alarm: Alarm | None = None
        self._expiry: Alarm | None = None

    # --- requests of ours ---------------------------------------------------

    def request_headers(self) -> list[tuple[str, str]]:
        """What an INVITE or UPDATE of ours says about the session's time (section 7.1)."""
        if not self._interval:
            return []
        roles: dict[bool | None, Role | None] = {None: None, True: "uac", False: "uas"}
        wanted = SessionExpires(self._interval, roles[self._we_refresh])
        headers = [("Session-Expires", str(wanted))]
        if self._min_se != LEAST:
            headers.append(("Min-SE", str(self._min_se)))
        return headers

    def too_small(self, response: Response) -> bool:
        """Take a 422; tell whether to try again, asking for the longer time it wants."""
        try:
            minimum = min_se_of(response)
        except ParseError:
            return False
        if minimum is None or minimum <= self._interval:
            return False
        self._interval = minimum
        self._min_se = max(self._min_se, minimum)
        return True

    def accepted(self, response: Response, now: float) -> None:
        """A 2xx to such a request: it decides (section 7.2)."""
        self._call.note_allow(response)
        expires = _expires_of(response)
        if expires is None:
            self.stop()
        else:
            self._start(expires.seconds, expires.refresher != "uas", now)

    # --- requests of theirs -------------------------------------------------

    def answer_headers(self, request: Request, now: float) -> list[tuple[str, str]]:
        """What our 2xx says (section 9); the session's time runs from now."""
        self._call.note_allow(request)
        asked = _expires_of(request)
        knows_timers = "timer" in (tag.lower() for tag in request.supported)
        if asked is None and not (knows_timers and self._interval):
            self.stop()
            return []
        refresher = self._refresher(asked, knows_timers)
        settled = SessionExpires(self._seconds(asked, request), refresher)
        self._start(settled.seconds, refresher == "uas", now)
        headers = [("Session-Expires", str(settled))]
        return [("Require", "timer"), *headers] if refresher == "uac" else headers

    def _seconds(self, asked: SessionExpires | None, request: Request) -> int:
        """Ours or theirs, whichever is shorter, but no shorter than they can bear."""
        least = max(min_se_of(request) or LEAST, self._min_se)
        if asked is None:
            return max(self._interval, least)
        return min(asked.seconds, max(self._interval or asked.seconds, least))

    def _refresher(self, asked: SessionExpires | None, knows_timers: bool) -> Role:
        if not knows_timers:
            return "uas"
        if asked is not None and asked.refresher is not None:
            return asked.refresher
        return "uas" if self._we_refresh else "uac"

    # --- the timer ----------------------------------------------------------

    def stop(self) -> None:
        """The session has no end of its own, or is over."""
        self._we_refresh = None
        for alarm in (self._refresh_alarm, self._expiry):
            if alarm is not None:
                alarm.cancel()

    def _start(self, seconds: int, we_refresh: bool, now: float) -> None:
        self.stop()
        self._we_refresh = we_refresh
        alarms = self._call.core.alarms
        if we_refresh:
            self._refresh_alarm = alarms.set(now + seconds / 2, self._refresh)
        # section 10: before the end, since the BYE should still find the way
        self._expiry = alarms.set(now + seconds - min(32.0, seconds / 3), self._expire)

    def _expire(self, now: float) -> None:
        self._call.expire(now)

    def _refresh(self, now: float) -> None:
        if not self._call.is_confirmed:
            return
        if "UPDATE" in (self._call.peer_allows or ()) and not self._update_refused:
            self._call.exchange(self._update, self._refreshed, now)
        else:
            self._call.core.emit(RefreshDue(self._call))

    def _update(self) -> Request:
        core = self._call.core
        request = self._call.confirmed_dialog.request("UPDATE")
        request.headers.add("Contact", str(core.contact))
        request.headers.extend([*core.capabilities(), *self.request_headers()])
        return request

    def _refreshed(self, response: Response, source: Hop | None, now: float) -> None:
        status = response.status
        if status < 200 or not self._call.is_confirmed:
            return
        if status < 300:
            self._call.confirmed_dialog.refresh_target(response)
            self.accepted(response, now)
        elif status in (408, 481):
            self._call.lose(status, now)
        elif status in (405, 501):
            self._update_refused = True
            self._refresh(now)
        elif status != 422 or self.too_small(response):
            delay = 0.0 if status == 422 else _TRY_AGAIN
            self._refresh_alarm = self._call.core.alarms.set(now + delay, self._refresh)


def refusal_of(request: Request, min_se: int) -> tuple[int, tuple[tuple[str, str], ...]] | None:
    """Why an INVITE or UPDATE cannot be had for its session's time; status and headers."""
    try:
        asked, _ = SessionExpires.of(request), min_se_of(request)
    except ParseError as error:
        return 400, (("Warning", f'399 hookswitch "{error.where}"'),)
    # section 9: who does not know timers cannot do anything about a 422
    knows_timers = "timer" in (tag.lower() for tag in request.supported)
    if asked is not None and asked.seconds < min_se and knows_timers:
        return 422, (("Min-SE", str(min_se)),)
    return None


def _expires_of(message: Request | Response) -> SessionExpires | None:
    """A response that says nonsense about time says nothing."""
    try:
        return SessionExpires.of(message)
    except ParseError:
        return None
