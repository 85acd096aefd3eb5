"""CPU of the RTP bank per leg-second, beside the floor: the same packets by a bare socket loop.

Run: python -m bench.rtp_bank [--legs 500] [--seconds 8] [--codec PCMU G722 opus]
[--srtp clear AES_CM_128_HMAC_SHA1_80 AEAD_AES_128_GCM]. A generator in another process sends each
leg 50 packets per second over loopback and discards what comes back.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
from pylibsrtp import Policy, Session

from hookswitch.codecs.base import CodecInfo
from hookswitch.mixer.bank import PortSpec
from hookswitch_transport_sip.rtp.bank import RtpBank
from hookswitch_transport_sip.rtp.libsrtp import PROFILES
from hookswitch_transport_sip.rtp.params import RtpParams

from .clock import TICK_S, Beat
from .payloads import CLEAR, CYCLE, codec_named, keys_of, voice


def bound_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def generate(pipe: Connection, codec: str, suite: str | None) -> None:
    """Own one socket per leg; tell their ports, learn the peers', send until told to stop."""
    count, info = pipe.recv(), codec_named(codec)
    payloads, step = voice(info), info.clock_rate // 50
    sessions = []
    if suite:
        key = bytes(keys_of(suite).sends)
        kind = Policy.SSRC_ANY_OUTBOUND
        sessions = [Session(Policy(key, kind, 0, PROFILES[suite])) for _ in range(count)]
    socks = [bound_socket() for _ in range(count)]
    pipe.send([sock.getsockname()[1] for sock in socks])
    for sock, port in zip(socks, pipe.recv(), strict=True):
        sock.connect(("127.0.0.1", port))
    beat, number = Beat(), 0
    while not pipe.poll():
        payload = payloads[number % CYCLE]
        for leg, sock in enumerate(socks):
            packet = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * step, leg) + payload
            if sessions:
                packet = sessions[leg].protect(packet)
            try:
                sock.send(packet)
                while True:
                    sock.recv(2048)
            except OSError:
                pass
        number += 1
        beat.wait()


def run_ticks(tick: Callable[[float], None], seconds: float) -> tuple[float, float]:
    """Call ``tick`` every 20 ms: (CPU seconds used, longest tick in seconds)."""
    beat = Beat()
    for _ in range(250):
        beat.wait()
        tick(time.monotonic())
    longest, used = 0.0, time.process_time()
    for _ in range(int(seconds / TICK_S)):
        beat.wait()
        begun = time.monotonic()
        tick(begun)
        longest = max(longest, time.monotonic() - begun)
    return time.process_time() - used, longest


def floor_tick(socks: list[socket.socket], ports: list[int], size: int) -> Callable[[float], None]:
    """Receive one packet per ready socket and send one on each, as barely as Python can."""
    poll = select.epoll()
    for sock, port in zip(socks, ports, strict=True):
        sock.connect(("127.0.0.1", port))
        poll.register(sock.fileno(), select.EPOLLIN)
    receive = {sock.fileno(): sock.recv_into for sock in socks}
    sends = [sock.send for sock in socks]
    staging = memoryview(bytearray(2048))
    packets = [memoryview(bytearray(size)) for _ in socks]

    def tick(now: float) -> None:
        while ready := poll.poll(0, len(socks)):
            for fd, _ in ready:
                receive[fd](staging)
        for send, packet in zip(sends, packets, strict=True):
            send(packet)

    return tick


def bank_tick(
    socks: list[socket.socket], ports: list[int], codec: CodecInfo, suite: str | None
) -> tuple[RtpBank, Callable[[float], None]]:
    """The bank with one port per socket."""
    bank = RtpBank()
    for row, (sock, port) in enumerate(zip(socks, ports, strict=True)):
        params = RtpParams(
            codec=codec.batch,
            clock_rate=codec.clock_rate,
            payload_type=0,
            ssrc=row,
            fmtp=codec.fmtp,
            srtp=keys_of(suite) if suite else None,
            started_at=time.monotonic(),
            remote=("127.0.0.1", port),
        )
        fds = (os.dup(sock.fileno()), bound_socket().detach())
        bank.open(PortSpec(str(row), codec.sample_rate, "", params.pack(), fds), row)
    samples = codec.sample_rate // 50
    inputs = {codec.sample_rate: np.zeros((len(socks), samples), np.float32)}
    t = np.arange(codec.sample_rate) / codec.sample_rate
    voice = sum(3000 / k * np.sin(2 * np.pi * 140 * k * t) for k in range(1, 12))
    voice = voice * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))
    frames = voice.astype(np.float32).reshape(CYCLE, -1)
    outputs = {codec.sample_rate: np.zeros((len(socks), samples), np.float32)}
    counter = itertools.count()

    def tick(now: float) -> None:
        outputs[codec.sample_rate][:] = frames[next(counter) % CYCLE]
        bank.pull(inputs, now)
        bank.push(outputs, now)

    return bank, tick


def measure(kind: str, legs: int, seconds: float, codec: str, suite: str | None) -> float:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(
        target=generate, args=(theirs, codec, suite)
    )
    process.start()
    ours.send(legs)
    ports = ours.recv()
    socks = [bound_socket() for _ in range(legs)]
    if kind == "floor":
        size = 12 + max(map(len, voice(codec_named(codec))))
        tick = floor_tick(socks, ports, size)
    else:
        bank, tick = bank_tick(socks, ports, codec_named(codec), suite)
    ours.send([sock.getsockname()[1] for sock in socks])
    used, longest = run_ticks(tick, seconds)
    micros = used / (legs * seconds) * 1e6
    what = f"{codec} {suite or ''}"
    print(
        f"{kind:6} {what} {legs:5} legs: {micros:6.1f} us per leg-second, longest {longest:.4f} s"
    )
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
    parser.add_argument("--codec", nargs="+", default=["PCMU"])
    parser.add_argument("--srtp", nargs="+", default=[CLEAR], help=f"suites; or {CLEAR}")
    options = parser.parse_args()
    for codec, legs in itertools.product(options.codec, options.legs):
        floor = measure("floor", legs, options.seconds, codec, None)
        for suite in options.srtp:
            wanted = None if suite == CLEAR else suite
            bank = measure("bank", legs, options.seconds, codec, wanted)
            above, times = bank - floor, bank / floor
            print(f"       overhead {above:.1f} us per leg-second ({times:.2f} x floor)")


if __name__ == "__main__":
    main()
