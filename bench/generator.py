"""The load: N phones that talk over real sockets, maybe under SRTP, and time what they hear.

Every phone sends 50 packets a second, at its own moment of the 20 ms. With G.711 most are quiet
noise; once a second some of them are loud, and the time until the other side hears a loud packet is
the latency that was added: packet in to packet out. With other codecs nothing is timed.
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

from pylibsrtp import Error, Policy, Session

from hookswitch_transport_sip.rtp.libsrtp import PROFILES
from hookswitch_transport_sip.sdp.audio import LocalAudio
from hookswitch_transport_sip.sdp.negotiation import AudioNegotiation
from hookswitch_transport_sip.sip.config import Config
from hookswitch_transport_sip.sip.endpoint import UserAgent
from hookswitch_transport_sip.sip.events import InviteReceived

from .payloads import CLEAR, Sound, codec_named, keys_of
from .processes import say

PERIOD = 0.02
PULSERS = 5
"""Phones of a room that are loud once a second, 200 ms apart."""

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
    payload_type: int = 0
    sends: Session | None = None
    receives: Session | None = None

    @property
    def port(self) -> int:
        return int(self.sock.getsockname()[1])


class Load:
    """All phones, and what they measured."""

    def __init__(self, phones: int, room_size: int, codec: str, suite: str | None) -> None:
        self.room_size, self.suite = room_size, suite
        self.codec = codec_named(codec)
        self._sound = Sound.of(self.codec)
        self._step = self.codec.clock_rate // 50
        self.phones = [self._phone(n) for n in range(phones)]
        self.pulsed: dict[int, list[tuple[float, int]]] = {}
        self.latencies: list[float] = []
        self.sent = 0
        self.measuring = False
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
                # Who is late for lack of a processor leaves packets out: all made up for at once,
                # they would keep it from hearing anything.
                heapq.heapreplace(queue, (max(due + PERIOD, now - PERIOD), number))
            left = max(queue[0][0] - time.monotonic(), 0.0)
            for fd, _ in self._poll.poll(left, 256):
                self._receive(self._by_fd[fd])

    def _send(self, phone: Phone) -> None:
        sound = self._sound
        pulse = (
            bool(sound.pulse) and phone.member < PULSERS and phone.frame % 50 == phone.member * 10
        )
        turn = phone.frame if not sound.pulse else phone.frame * 7 + phone.number
        payload = sound.pulse if pulse else sound.payloads[turn % len(sound.payloads)]
        kind = phone.payload_type
        packet = _HEADER.pack(0x80, kind, phone.sequence, phone.timestamp, phone.ssrc) + payload
        phone.frame += 1
        phone.sequence = phone.sequence + 1 & 0xFFFF
        phone.timestamp = phone.timestamp + self._step & 0xFFFFFFFF
        if phone.sends is not None:
            packet = phone.sends.protect(packet)
        if pulse:
            self.pulsed.setdefault(phone.room, []).append((time.monotonic(), phone.number))
        try:
            phone.sock.send(packet)
        except OSError:
            return
        self.sent += self.measuring

    def _receive(self, phone: Phone) -> None:
        try:
            size = phone.sock.recv_into(self._buffer)
        except OSError:
            return
        if not self._sound.pulse:
            phone.received += self.measuring
            return
        packet: memoryview | bytes = self._buffer
        if phone.receives is not None:
            try:
                packet = phone.receives.unprotect(bytes(self._buffer[:size]))
            except Error:
                return
            size = len(packet)
        phone.received += self.measuring
        loud = size == 172 and self._sound.loud[packet[92]] == 1
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
    phone, suite = load.phones[number], load.suite
    keys = {suite: keys_of(suite).sends} if suite else {}
    local = LocalAudio((load.codec,), "127.0.0.1", phone.port, number, keys=keys)
    answer, agreed = AudioNegotiation(local).answer(event.request.sdp or b"")
    assert agreed.remote is not None
    phone.sock.connect(agreed.remote)
    phone.connected, phone.payload_type = True, agreed.payload_type
    if agreed.srtp is not None:
        ours, theirs, profile = agreed.srtp.sends, agreed.srtp.receives, PROFILES[agreed.srtp.suite]
        phone.sends = Session(Policy(ours, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        phone.receives = Session(Policy(theirs, Policy.SSRC_ANY_INBOUND, 0, profile))
    event.call.answer(answer, now)


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
    """Usage: ``python -m bench.generator PHONES ROOM_SIZE WARM_UP SECONDS CODEC SUITE [PORT…]``.

    SUITE is - in the clear. With ports, the phones talk to these; without, they take calls on a SIP
    port it says first.
    """
    phones, room_size, codec, suite = int(sys.argv[1]), int(sys.argv[2]), sys.argv[5], sys.argv[6]
    load = Load(phones, room_size, codec, None if suite == CLEAR else suite)
    if len(sys.argv) > 7:
        for phone, port in zip(load.phones, sys.argv[7:], strict=True):
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
