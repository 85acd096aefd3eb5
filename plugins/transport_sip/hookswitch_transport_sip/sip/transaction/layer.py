"""The transaction layer: all transactions, one heap of their timers (RFC 3261 section 17)."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import count

from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.locating import default_port
from hookswitch_transport_sip.sip.message import Request, Response

from .base import ClientTransaction, ServerTransaction, Transaction
from .events import AckReceived, RequestReceived, ResponseReceived, TransactionEvent
from .invite_client import InviteClient
from .invite_server import InviteServer
from .matching import Key, client_key, server_key, stamp_via
from .non_invite_client import NonInviteClient
from .non_invite_server import NonInviteServer
from .timers import Timers


class TransactionLayer:
    """Finds the transaction of each message and drives its timers."""

    def __init__(self, timers: Timers | None = None) -> None:
        self.timers = timers or Timers()
        self.counters: Counter[str] = Counter()
        self._clients: dict[Key, ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._merges: dict[Key, ServerTransaction] = {}
        self._keys: dict[Transaction, Key] = {}
        self._by_hop: dict[Hop, set[Transaction]] = {}
        self._heap: list[tuple[float, int, Transaction]] = []
        self._order = count()
        self._outbox: list[tuple[bytes, Hop]] = []
        self._events: list[TransactionEvent] = []

    def __len__(self) -> int:
        return len(self._keys)

    def request(
        self,
        request: Request,
        hop: Hop,
        now: float,
        user: Callable[[ResponseReceived, float], None] | None = None,
    ) -> ClientTransaction:
        """Send a request in a transaction of its own; ACK has none (use `send`)."""
        kind = InviteClient if request.method == "INVITE" else NonInviteClient
        transaction = kind(request, hop, self.timers, user)
        key = client_key(request)
        self._clients[key] = transaction
        self._keys[transaction] = key
        self._by_hop.setdefault(hop, set()).add(transaction)
        transaction.start(now)
        self._settle(transaction)
        return transaction

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Send a response in its transaction; after a transport error there is no one to get it."""
        if transaction.is_terminated:
            self.counters["responses_too_late"] += 1
            return
        transaction.respond(response, now)
        self._settle(transaction)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send outside any transaction: the ACK of a 2xx, a stateless error."""
        self._outbox.append((data, hop))

    def receive(self, message: Request | Response, source: Hop, now: float) -> None:
        """Take a message from the network."""
        if isinstance(message, Response):
            self._receive_response(message, source, now)
        else:
            self._receive_request(message, source, now)

    def _receive_response(self, response: Response, source: Hop, now: float) -> None:
        transaction = self._clients.get(client_key(response))
        if transaction is None:
            self.counters["responses_stray"] += 1
            return
        transaction.receive(response, source, now)
        self._settle(transaction)

    def _receive_request(self, request: Request, source: Hop, now: float) -> None:
        key = server_key(request)
        known = self._servers.get(key)
        stamp_via(request, source)
        if known is not None:
            self.counters["requests_repeated"] += request.method != "ACK"
            known.receive(request, source, now)
            self._settle(known)
        elif request.method == "ACK":
            self._events.append(AckReceived(request, source))
        else:
            self._open_server(key, request, source, now)

    def _open_server(self, key: Key, request: Request, source: Hop, now: float) -> None:
        kind = InviteServer if request.method == "INVITE" else NonInviteServer
        hop = response_hop(request, source)
        transaction = kind(request, hop, self.timers, source)
        self._servers[key] = transaction
        self._keys[transaction] = key
        self._by_hop.setdefault(hop, set()).add(transaction)
        path = transaction.path
        merged = path is not None and self._merges.setdefault(path, transaction) is not transaction
        self._events.append(RequestReceived(transaction, request, source, merged))
        transaction.start(now)
        self._settle(transaction)

    def invite_of(self, cancel: Request) -> InviteServer | None:
        """Find the transaction a CANCEL means (section 9.2)."""
        found = self._servers.get(server_key(cancel, "INVITE"))
        return found if isinstance(found, InviteServer) else None

    def terminate(self, transaction: ClientTransaction) -> None:
        """Give a client transaction up; its user hears of a 408."""
        if not transaction.is_terminated:
            transaction.fail(408)
            self._settle(transaction)

    def transport_failed(self, hop: Hop) -> None:
        """End all transactions towards a destination that cannot be reached (section 17.1.4).

        Responses that cannot go back over their connection go to where its Via says (18.2.2).
        """
        for transaction in list(self._by_hop.get(hop, ())):
            if isinstance(transaction, ClientTransaction):
                transaction.fail(503)
            elif isinstance(transaction, ServerTransaction) and hop.flow:
                self._reroute(transaction)
            elif isinstance(transaction, ServerTransaction):
                transaction.fail()
            self._settle(transaction)

    def hop_lost(self, hop: Hop) -> None:
        """End what was sent to a hop and has not been answered at all."""
        for transaction in list(self._by_hop.get(hop, ())):
            if isinstance(transaction, ClientTransaction) and transaction.is_unheard:
                transaction.fail(503)
                self._settle(transaction)

    def _reroute(self, transaction: ServerTransaction) -> None:
        via, old = transaction.request.via, transaction.hop
        hop = Hop(old.host, via.port or default_port(old.transport), old.transport)
        self._leave(transaction)
        self._by_hop.setdefault(hop, set()).add(transaction)
        transaction.reroute(hop)

    def _leave(self, transaction: Transaction) -> None:
        neighbours = self._by_hop.get(transaction.hop)
        if neighbours is not None:
            neighbours.discard(transaction)
            if not neighbours:
                del self._by_hop[transaction.hop]

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
        while self._heap:
            when, _, transaction = self._heap[0]
            if transaction.scheduled == when and transaction in self._keys:
                return when
            heapq.heappop(self._heap)
        return None

    def handle_timer(self, now: float) -> None:
        """Drive the transactions whose time has come."""
        while (when := self.next_timer()) is not None and when <= now:
            _, _, transaction = heapq.heappop(self._heap)
            transaction.scheduled = None
            transaction.handle_timer(now)
            self._settle(transaction)

    def _settle(self, transaction: Transaction) -> None:
        """Collect what a transaction did, and note its next timer or its end."""
        self._outbox += transaction.to_send()
        self._events += transaction.events()
        if transaction.is_terminated:
            self._forget(transaction)
            return
        when = transaction.next_timer()
        if when is not None and when != transaction.scheduled:
            transaction.scheduled = when
            heapq.heappush(self._heap, (when, next(self._order), transaction))
        elif when is None:
            transaction.scheduled = None

    def _forget(self, transaction: Transaction) -> None:
        key = self._keys.pop(transaction, None)
        if key is None:
            return
        self._leave(transaction)
        if isinstance(transaction, ClientTransaction):
            del self._clients[key]
            return
        del self._servers[key]
        assert isinstance(transaction, ServerTransaction)
        path = transaction.path
        if path is not None and self._merges.get(path) is transaction:
            del self._merges[path]


def response_hop(request: Request, source: Hop) -> Hop:
    """Where responses go: back over a connection, else as the Via says (section 18.2.2)."""
    if source.reliable:
        return source
    host, port = request.via.response_address()
    return Hop(host, port, source.transport)
