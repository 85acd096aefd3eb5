"""Two user agents joined by a network in memory, under a clock that jumps."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Iterator

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.call import Call
from hookswitch_transport_sip.sip.config import Config
from hookswitch_transport_sip.sip.core import LookUp
from hookswitch_transport_sip.sip.endpoint import UserAgent
from hookswitch_transport_sip.sip.events import Event
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.locating import Question, Record
from hookswitch_transport_sip.sip.uac import OutboundCall
from hookswitch_transport_sip.sip.uri import Uri

Address = tuple[str, int]
A: Address = ("192.0.2.1", 5060)
B: Address = ("192.0.2.2", 5060)
OFFER = b"v=0\r\no=offer\r\n"
ANSWER = b"v=0\r\no=answer\r\n"


class Network:
    """Carries datagrams with loss, copies and delays; keeps all that was sent and said."""

    def __init__(
        self, seed: int = 0, loss: float = 0.0, copies: float = 0.0, jitter: float = 0.0
    ) -> None:
        self.random = random.Random(seed)
        self.loss, self.copies, self.jitter = loss, copies, jitter
        self.now = 100.0
        self.agents: dict[Address, UserAgent] = {}
        self.log: dict[Address, list[Event]] = {}
        self.sent: list[tuple[Address, bytes]] = []
        self.slow: dict[Address, float] = {}
        """Seconds that everything an address sends is late."""
        self.targets: list[tuple[Address, bytes, Address]] = []
        self.react: dict[Address, Callable[[Event], None]] = {}
        self.drop: Callable[[bytes], bool] = lambda data: False
        self.dns: dict[Question, list[Record]] = {}
        """What is not in it is nothing, or for A records a host that never answers."""
        self._flying: list[tuple[float, int, bytes, Address, Address]] = []
        self._order = itertools.count()
        for address in (A, B):
            self.add(address)

    def add(self, address: Address, **options: object) -> UserAgent:
        source = random.Random(self.random.random())
        config = Config(*address, **options)  # type: ignore[arg-type]
        self.agents[address] = UserAgent(config, source=source)
        self.log[address] = []
        return self.agents[address]

    def call(self, target: str = "sip:bob@192.0.2.2", **options: object) -> OutboundCall:
        from_ = NameAddr(Uri.parse("sip:alice@192.0.2.1"), "Alice")
        uri = Uri.parse(target)
        return self.agents[A].invite(uri, from_, OFFER, self.now, **options)  # type: ignore[arg-type]

    def inject(self, data: bytes, source: Address, target: Address) -> None:
        self.agents[target].receive_datagram(data, source, target, self.now)
        self.flush()

    def flush(self) -> None:
        """Let events be handled and datagrams take off, until nothing stirs."""
        busy = True
        while busy:
            busy = False
            for address, agent in self.agents.items():
                for event in agent.events():
                    busy = True
                    self.log[address].append(event)
                    self.react.get(address, lambda event: None)(event)
                for look_up in agent.look_ups():
                    busy = True
                    agent.found(look_up, self._look_up(look_up), self.now)
                for data, hop in agent.to_send():
                    self._launch(data, address, hop.address)

    def _look_up(self, look_up: LookUp) -> list[Hop]:
        answers = None
        while True:
            try:
                asked = look_up.questions.send(answers)  # type: ignore[arg-type]
            except StopIteration as done:
                hops: list[Hop] = done.value
                return hops
            answers = [
                self.dns.get(question, ["198.51.100.1"] if question.kind == "A" else [])
                for question in asked
            ]

    def _launch(self, data: bytes, source: Address, target: Address) -> None:
        self.sent.append((source, data))
        self.targets.append((source, data, target))
        if self.drop(data):
            return
        for _ in range(1 + (self.random.random() < self.copies)):
            if self.random.random() >= self.loss:
                arrival = self.now + 0.01 + self.random.random() * self.jitter
                arrival += self.slow.get(source, 0.0)
                entry = (arrival, next(self._order), data, source, target)
                heapq.heappush(self._flying, entry)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.flush()
        while (when := self._next()) is not None and when <= end:
            self.now = max(self.now, when)
            self._arrivals()
            for agent in self.agents.values():
                due = agent.next_timer()
                if due is not None and due <= self.now:
                    agent.handle_timer(self.now)
            self.flush()
        self.now = end

    def _next(self) -> float | None:
        times = [agent.next_timer() for agent in self.agents.values()]
        times.append(self._flying[0][0] if self._flying else None)
        return min((time for time in times if time is not None), default=None)

    def _arrivals(self) -> None:
        while self._flying and self._flying[0][0] <= self.now:
            _, _, data, source, target = heapq.heappop(self._flying)
            if target in self.agents:
                self.agents[target].receive_datagram(data, source, target, self.now)

    def names(self, address: Address) -> list[str]:
        return [type(event).__name__ for event in self.log[address]]

    def find(self, address: Address, kind: type) -> list[Event]:
        return [event for event in self.log[address] if isinstance(event, kind)]

    def starts(self, address: Address) -> list[str]:
        """What an agent sent, by method or status."""
        lines = [data.split(b"\r\n")[0].decode() for who, data in self.sent if who == address]
        return [line.split()[1] if line.startswith("SIP/") else line.split()[0] for line in lines]

    def flights(self, address: Address, method: str) -> Iterator[str]:
        """Where the requests of an agent went, retransmissions left out."""
        seen = set()
        for source, data, target in self.targets:
            if source == address and data.startswith(method.encode()) and data not in seen:
                seen.add(data)
                yield target[0]

    @property
    def callee(self) -> Call:
        return next(event.call for event in self.log[B] if hasattr(event, "call"))
