"""The load: N phones that talk PCMU over real sockets and time what they hear.

Every phone sends 50 packets a second, at its own moment of the 20 ms. Most are quiet noise; once a
second some of them are loud, and the time until the other side hears a loud packet is the latency
that was added: packet in to packet out.
"""

from __future__ import annotations

import heapq
import random
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass, field

from hookswitch_transport_sip.sip.config import Config
from hookswitch_transport_sip.sip.endpoint import UserAgent
from hookswitch_transport_sip.sip.events import InviteReceived

from .processes import say

PERIOD = 0.02
PULSERS = 5
"""Phones of a room that are loud once a second, 200 ms apart."""

_PULSE = bytes([0x8F]) * 160
"""A constant at about -6 dBFS: no sample of it can be taken for noise."""

_HEADER = struct.Struct("!BBHII")


@dataclass
class Phone:
    """One phone: its socket and its place in a room."""

    number: int
    sock: socket.socket
    room: int
    member: int
    ssrc: int = field(default_factory=lambda: random.getrandbits(32))
    sequence: int = 0
    timestamp: int = 0
    frame: int = 0
    received: int = 0
    connected: bool = False
    loud: bool = False

    @property
    def port(self) -> int:
        return int(self.sock.getsockname()[1])


class Load:
    """All phones, and what they measured."""

    def __init__(self, phones: int, room_size: int) -> None:
        self.room_size = room_size
        self.phones = [self._phone(n) for n in range(phones)]
        self.pulsed: dict[int, list[tuple[float, int]]] = {}
        self.latencies: list[float] = []
        self.sent = 0
        self.measuring = False
        self._noise = [bytes(random.choices((0x5F, 0xDF, 0x65, 0xE5, 0x6B, 0xEB), k=160))
                       for _ in range(64)]  # fmt: skip
        self._buffer = memoryview(bytearray(2048))
        self._poll = select.epoll()
        self._by_fd = {}
        for phone in self.phones:
            self._poll.register(phone.sock.fileno(), select.EPOLLIN)
            self._by_fd[phone.sock.fileno()] = phone

    def _phone(self, number: int) -> Phone:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        return Phone(number, sock, number // self.room_size, number % self.room_size)

    def run(self, warm_up: float, seconds: float) -> None:
        """Talk; measure after the warm-up."""
        start = time.monotonic()
        queue = [(start + random.random() * PERIOD, p.number) for p in self.phones]
        heapq.heapify(queue)
        end = start + warm_up + seconds
        while (now := time.monotonic()) < end:
            self.measuring = now > start + warm_up
            while queue[0][0] <= now:
                due, number = queue[0]
                self._send(self.phones[number])
                heapq.heapreplace(queue, (due + PERIOD, number))
            left = max(queue[0][0] - time.monotonic(), 0.0)
            for fd, _ in self._poll.poll(left, 256):
                self._receive(self._by_fd[fd])

    def _send(self, phone: Phone) -> None:
        pulse = phone.member < PULSERS and phone.frame % 50 == phone.member * 10
        payload = _PULSE if pulse else self._noise[(phone.frame * 7 + phone.number) & 63]
        header = _HEADER.pack(0x80, 0, phone.sequence, phone.timestamp, phone.ssrc)
        phone.frame += 1
        phone.sequence = phone.sequence + 1 & 0xFFFF
        phone.timestamp = phone.timestamp + 160 & 0xFFFFFFFF
        if pulse:
            self.pulsed.setdefault(phone.room, []).append((time.monotonic(), phone.number))
        try:
            phone.sock.send(header + payload)
        except OSError:
            return
        self.sent += self.measuring

    def _receive(self, phone: Phone) -> None:
        try:
            size = phone.sock.recv_into(self._buffer)
        except OSError:
            return
        phone.received += self.measuring
        loud = size == 172 and self._buffer[92] & 0x7F < 0x20
        if loud and not phone.loud and self.measuring:
            self._heard(phone, time.monotonic())
        phone.loud = loud

    def _heard(self, phone: Phone, now: float) -> None:
        """Match with the last pulse that another phone of the room (or, alone, itself) sent."""
        for when, number in reversed(self.pulsed.get(phone.room, ())):
            if number != phone.number or self.room_size == 1:
                if now - when < 0.19:
                    self.latencies.append(now - when)
                return


def _answer(agent: UserAgent, event: InviteReceived, load: Load, now: float) -> None:
    """Answer an INVITE to ``sip:NUMBER@…`` with that phone."""
    number = int(event.request.uri.username or 0)
    phone = load.phones[number]
    offer = (event.request.sdp or b"").decode()
    port = int(next(line for line in offer.splitlines() if line.startswith("m=")).split()[1])
    phone.sock.connect(("127.0.0.1", port))
    phone.connected = True
    lines = ["v=0", f"o=- {number} 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
             f"m=audio {phone.port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000"]  # fmt: skip
    event.call.answer("\r\n".join([*lines, ""]).encode(), now)


def take_calls(load: Load, signalling: socket.socket) -> UserAgent:
    """Answer until every phone has its call."""
    agent = UserAgent(Config("127.0.0.1", signalling.getsockname()[1]))
    last = None
    while last is None or time.monotonic() < last + 0.5:
        if last is None and all(phone.connected for phone in load.phones):
            last = time.monotonic()  # the last ACKs are on their way
        due = agent.next_timer()
        wait = 0.1 if due is None else min(max(due - time.monotonic(), 0), 0.1)
        if select.select([signalling], [], [], wait)[0]:
            data, source = signalling.recvfrom(65535)
            agent.receive_datagram(data, source, ("127.0.0.1", 0), time.monotonic())
        agent.handle_timer(time.monotonic())
        for event in agent.events():
            if isinstance(event, InviteReceived):
                _answer(agent, event, load, time.monotonic())
        for data, hop in agent.to_send():
            signalling.sendto(data, hop.address)
    return agent


def main() -> None:
    """Usage: ``python -m bench.generator PHONES ROOM_SIZE WARM_UP SECONDS [PORT…]``.

    With ports, the phones talk to these; without, they take calls on a SIP port it says first.
    """
    phones, room_size = int(sys.argv[1]), int(sys.argv[2])
    load = Load(phones, room_size)
    if len(sys.argv) > 5:
        for phone, port in zip(load.phones, sys.argv[5:], strict=True):
            phone.sock.connect(("127.0.0.1", int(port)))
    else:
        signalling = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        signalling.bind(("127.0.0.1", 0))
        say(port=signalling.getsockname()[1])
        take_calls(load, signalling)
    say(ready=True)
    sys.stdin.readline()
    load.run(float(sys.argv[3]), float(sys.argv[4]))
    say(
        sent=load.sent,
        received=sum(phone.received for phone in load.phones),
        latencies_ms=[round(latency * 1000, 2) for latency in load.latencies],
    )
    sys.stdin.readline()


if __name__ == "__main__":
    main()
