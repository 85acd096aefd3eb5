"""What the four state machines share: timers, output, the last message sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum

from hookswitch_transport_sip.sip.errors import StateError
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Message, Request, Response

from .events import ResponseReceived, TransactionEvent
from .matching import Key, merge_key
from .timers import Timers


class State(Enum):
    """States of RFC 3261 figures 5 to 8 and RFC 6026."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


_LINGERING = (State.ACCEPTED, State.COMPLETED)
"""States that are only left for half a minute's silence: all has been said."""


class Transaction(ABC):
    """One request with its responses; subclasses say what happens in each state."""

    def __init__(self, request: Request, hop: Hop, timers: Timers) -> None:
        self.request = request
        self.hop = hop
        self.timers = timers
        self.reliable = hop.reliable
        self.state = State.TRYING
        self.scheduled: float | None = None
        self._armed: dict[str, float] = {}
        self._interval = timers.t1
        self._outbox: list[tuple[bytes, Hop]] = []
        self._events: list[TransactionEvent] = []

    @property
    def is_terminated(self) -> bool:
        """Whether nothing more will happen."""
        return self.state is State.TERMINATED

    def to_send(self) -> list[tuple[bytes, Hop]]:
        """Take the messages to send now."""
        outbox, self._outbox = self._outbox, []
        return outbox

    def events(self) -> list[TransactionEvent]:
        """Take what the user must know."""
        events, self._events = self._events, []
        return events

    def next_timer(self) -> float | None:
        """Return when `handle_timer` must be called."""
        return min(self._armed.values()) if self._armed else None

    def handle_timer(self, now: float) -> None:
        """Fire the timers that are due, in their order."""
        due = sorted((when, name) for name, when in self._armed.items() if when <= now)
        for _, name in due:
            if self._armed.pop(name, None) is not None:
                self._fired(name, now)

    @abstractmethod
    def _fired(self, timer: str, now: float) -> None:
        """The time of a timer has come."""

    def _send(self, data: bytes) -> None:
        self._outbox.append((data, self.hop))

    def _arm(self, timer: str, when: float) -> None:
        self._armed[timer] = when

    def _back_off(self, timer: str, now: float, limit: float | None) -> None:
        """Double the retransmission interval and arm its timer again."""
        doubled = self._interval * 2
        self._interval = doubled if limit is None else min(doubled, limit)
        self._arm(timer, now + self._interval)

    def _enter(self, state: State, timer: str | None = None, when: float = 0.0) -> None:
        """Change state; the timers of the old one die with it."""
        self.state = state
        if state in _LINGERING:
            self.request.forget_views()
        self._armed.clear()
        if timer is not None:
            self._arm(timer, when)


class ClientTransaction(Transaction):
    """Sends a request, gets responses; `user` is called by its owner with each of them."""

    def __init__(
        self,
        request: Request,
        hop: Hop,
        timers: Timers,
        user: Callable[[ResponseReceived, float], None] | None = None,
    ) -> None:
        super().__init__(request, hop, timers)
        self.user = user
        self._data = bytes(request)

    @abstractmethod
    def start(self, now: float) -> None:
        """Send the request."""

    @abstractmethod
    def receive(self, response: Response, source: Hop, now: float) -> None:
        """Take a response that matched this transaction."""

    @property
    def is_unheard(self) -> bool:
        """Whether nothing at all came back yet."""
        return self.state in (State.CALLING, State.TRYING)

    def fail(self, status: int) -> None:
        """End with a made-up response: 408 for silence, 503 for a transport error."""
        is_open = self.is_unheard or self.state is State.PROCEEDING
        self._enter(State.TERMINATED)
        if is_open:
            response = Response.to_request(self.request, status)
            self._events.append(ResponseReceived(self, response, None))

    def _report(self, response: Response, source: Hop) -> None:
        self._events.append(ResponseReceived(self, response, source))


class ServerTransaction(Transaction):
    """Gets a request and its retransmissions, sends responses; `source` is whence it came."""

    def __init__(
        self, request: Request, hop: Hop, timers: Timers, source: Hop | None = None
    ) -> None:
        super().__init__(request, hop, timers)
        self.source = source or hop
        self.path: Key | None = merge_key(request)
        """By which the same request is known that comes another way."""
        self._last: bytes | None = None

    def start(self, now: float) -> None:
        """Begin to wait for the user."""

    @abstractmethod
    def receive(self, request: Request, source: Hop, now: float) -> None:
        """Take a retransmission, or the ACK of an INVITE."""

    @abstractmethod
    def respond(self, response: Response, now: float) -> None:
        """Send the user's response."""

    def fail(self) -> None:
        """End after a transport error."""
        self._enter(State.TERMINATED)

    def reroute(self, hop: Hop) -> None:
        """Go another way from now on, the last response included; a 2xx is repeated by its user."""
        self.hop = hop
        if self.state is not State.ACCEPTED:
            self._repeat()

    def _respond(self, message: Message) -> None:
        self._last = bytes(message)
        self._send(self._last)

    def _repeat(self) -> None:
        if self._last is not None:
            self._send(self._last)

    def _refuse_late(self, response: Response) -> StateError:
        return StateError(f"{response.status} after a final response ({self.state.value})")
