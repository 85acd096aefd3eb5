"""CPU of the RTP bank per leg-second, beside the floor: the same packets by a bare socket loop.

Run: python bench/rtp_bank.py [--legs 500] [--seconds 8]. A generator in another process sends each
leg 50 PCMU packets per second over loopback and discards what comes back.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

from hookswitch.mixer.bank import PortSpec
from hookswitch_transport_sip.rtp.bank import RtpBank
from hookswitch_transport_sip.rtp.params import RtpParams

TICK_S = 0.02
PAYLOAD = 160


def bound_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def generate(pipe: Connection) -> None:
    """Own one socket per leg; tell their ports, learn the peers', send until told to stop."""
    count = pipe.recv()
    socks = [bound_socket() for _ in range(count)]
    pipe.send([sock.getsockname()[1] for sock in socks])
    for sock, port in zip(socks, pipe.recv(), strict=True):
        sock.connect(("127.0.0.1", port))
    packets = [bytearray(12 + PAYLOAD) for _ in socks]
    due, number = time.monotonic(), 0
    while not pipe.poll():
        for leg, (sock, packet) in enumerate(zip(socks, packets, strict=True)):
            struct.pack_into("!BBHII", packet, 0, 0x80, 0, number & 0xFFFF, number * PAYLOAD, leg)
            try:
                sock.send(packet)
                while True:
                    sock.recv(2048)
            except OSError:
                pass
        number += 1
        due += TICK_S
        time.sleep(max(0.0, due - time.monotonic()))


def run_ticks(tick: Callable[[float], None], seconds: float) -> tuple[float, float]:
    """Call ``tick`` every 20 ms: (CPU seconds used, longest tick in seconds)."""
    due = time.monotonic() + TICK_S
    for _ in range(250):
        time.sleep(max(0.0, due - time.monotonic()))
        tick(time.monotonic())
        due += TICK_S
    longest, used = 0.0, time.process_time()
    for _ in range(int(seconds / TICK_S)):
        time.sleep(max(0.0, due - time.monotonic()))
        begun = time.monotonic()
        tick(begun)
        longest = max(longest, time.monotonic() - begun)
        due += TICK_S
    return time.process_time() - used, longest


def floor_tick(socks: list[socket.socket], ports: list[int]) -> Callable[[float], None]:
    """Receive one packet per ready socket and send one on each, as barely as Python can."""
    poll = select.epoll()
    for sock, port in zip(socks, ports, strict=True):
        sock.connect(("127.0.0.1", port))
        poll.register(sock.fileno(), select.EPOLLIN)
    receive = {sock.fileno(): sock.recv_into for sock in socks}
    sends = [sock.send for sock in socks]
    staging = memoryview(bytearray(2048))
    packets = [memoryview(bytearray(12 + PAYLOAD)) for _ in socks]

    def tick(now: float) -> None:
        while ready := poll.poll(0, len(socks)):
            for fd, _ in ready:
                receive[fd](staging)
        for send, packet in zip(sends, packets, strict=True):
            send(packet)

    return tick


def bank_tick(
    socks: list[socket.socket], ports: list[int]
) -> tuple[RtpBank, Callable[[float], None]]:
    """The bank with one port per socket."""
    bank = RtpBank()
    for row, (sock, port) in enumerate(zip(socks, ports, strict=True)):
        params = RtpParams(
            codec="hookswitch.codecs.g711:MuLaw",
            payload_type=0,
            ssrc=row,
            started_at=time.monotonic(),
            remote=("127.0.0.1", port),
        )
        fds = (os.dup(sock.fileno()), bound_socket().detach())
        bank.open(PortSpec(str(row), 8000, "", params.pack(), fds), row)
    inputs = {8000: np.zeros((len(socks), PAYLOAD), np.float32)}
    noise = np.random.default_rng(1).normal(0, 3000, (len(socks), PAYLOAD))
    outputs = {8000: noise.astype(np.float32)}

    def tick(now: float) -> None:
        bank.pull(inputs, now)
        bank.push(outputs, now)

    return bank, tick


def measure(kind: str, legs: int, seconds: float) -> float:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=generate, args=(theirs,))
    process.start()
    ours.send(legs)
    ports = ours.recv()
    socks = [bound_socket() for _ in range(legs)]
    if kind == "floor":
        tick = floor_tick(socks, ports)
    else:
        bank, tick = bank_tick(socks, ports)
    ours.send([sock.getsockname()[1] for sock in socks])
    used, longest = run_ticks(tick, seconds)
    micros = used / (legs * seconds) * 1e6
    print(f"{kind:6} {legs:5} legs: {micros:6.1f} us per leg-second, longest tick {longest:.4f} s")
    if kind == "bank":
        bank.shutdown()
        finals = [dict(r.data) for r in bank.reports() if r.kind == "stats"][-legs:]
        received = sum(each["packets_received"] for each in finals)
        lost = sum(each["packets_lost"] for each in finals)
        jitter = np.median([each["jitter_ms"] for each in finals])
        print(f"       received {received}, lost {lost}, median jitter {jitter:.2f} ms")
    ours.send("stop")
    process.join()
    for sock in socks:
        sock.close()
    return micros


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--legs", type=int, nargs="+", default=[500])
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    for legs in options.legs:
        floor = measure("floor", legs, options.seconds)
        bank = measure("bank", legs, options.seconds)
        print(f"       overhead {bank - floor:.1f} us per leg-second ({bank / floor:.2f} x floor)")


if __name__ == "__main__":
    main()
