"""A bank on loopback sockets in virtual time, and a phone to talk to it."""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from hookswitch.codecs.g711 import PCMU, MuLaw
from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch_transport_sip.rtp.bank import RtpBank
from hookswitch_transport_sip.rtp.params import RtpParams

MU_LAW = MuLaw()
ROWS = 16
RATES = (8000, 16000, 48000)


def tone(frequency: float, start: int, count: int, level: float = 8000.0) -> np.ndarray:
    at = np.arange(start, start + count)
    return np.rint(level * np.sin(2 * np.pi * frequency * at / 8000)).astype(np.int16)


def rtp(payload: bytes, sequence: int, timestamp: int, ssrc: int, pt: int = 0, **more) -> bytes:
    second = pt | (0x80 if more.get("marker") else 0)
    first = more.get("first", 0x80)
    head = struct.pack(
        "!BBHII", first, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc & 0xFFFFFFFF
    )
    return head + payload


class Phone:
    """Sends and receives RTP; numbers continue from packet to packet."""

    def __init__(self, family: int = socket.AF_INET, sequence: int = 100, ssrc: int = 0x1234):
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.rtp = socket.socket(family, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self.rtp.setblocking(False)
        self.rtcp = socket.socket(family, socket.SOCK_DGRAM)
        self.rtcp.bind((host, 0))
        self.rtcp.setblocking(False)
        self.sequence, self.timestamp, self.ssrc = sequence, 1000, ssrc
        self.target = (host, 0)
        self.position = 0

    def move(self, host: str) -> None:
        """To another address of this machine."""
        self.rtp.close()
        self.rtp = socket.socket(self.rtp.family, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self.rtp.setblocking(False)

    @property
    def address(self) -> tuple[str, int]:
        return self.rtp.getsockname()[:2]

    def packet(self, samples: np.ndarray, pt: int = 0, **more) -> bytes:
        payload = MU_LAW.encode(np.zeros(1, np.intp), samples[None, :])[0].tobytes()
        data = rtp(payload, self.sequence, self.timestamp, self.ssrc, pt, **more)
        self.sequence += 1
        self.timestamp += len(samples)
        return data

    def tone_packet(self, count: int = 160, frequency: float = 500.0) -> bytes:
        samples = tone(frequency, self.position, count)
        self.position += count
        return self.packet(samples)

    def send(self, data: bytes) -> None:
        self.rtp.sendto(data, self.target)

    def received(self) -> list[bytes]:
        return list(self._drain(self.rtp))

    def received_rtcp(self) -> list[bytes]:
        return list(self._drain(self.rtcp))

    def _drain(self, sock: socket.socket) -> Iterator[bytes]:
        while True:
            try:
                yield sock.recv(2048)
            except BlockingIOError:
                return

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


class Rig:
    """A bank whose clock is moved by `tick`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.bank = RtpBank(capacity=ROWS, clock=lambda: self.now)
        self.inputs = {rate: np.zeros((ROWS, rate // 50), np.float32) for rate in RATES}
        self.outputs = {rate: np.zeros((ROWS, rate // 50), np.float32) for rate in RATES}
        self.reported: list[PortReport] = []
        self.phones: list[Phone] = []
        self.kept: dict[str, tuple[socket.socket, socket.socket]] = {}
        self._names = (f"port{i}" for i in itertools.count())

    def phone(self, **options) -> Phone:
        self.phones.append(Phone(**options))
        return self.phones[-1]

    def open(
        self, phone: Phone, row: int = 0, port: str | None = None, rate: int = 8000, **params
    ) -> str:
        port = port or next(self._names)
        host = phone.address[0]
        if port not in self.kept:
            pair = tuple(socket.socket(phone.rtp.family, socket.SOCK_DGRAM) for _ in range(2))
            for sock in pair:
                sock.bind((host, 0))
            self.kept[port] = pair
        phone.target = self.kept[port][0].getsockname()[:2]
        defaults = {
            "codec": PCMU.batch,
            "payload_type": 0,
            "ssrc": 0xABCD,
            "started_at": self.now,
            "sequence": 65530,
            "timestamp": 2**32 - 320,
            "remote": phone.address,
            "remote_rtcp": phone.rtcp.getsockname()[:2],
            "telephone_event": {101: 8000},
            "telephone_event_pt": 101,
            "cname": "test@host",
        }
        fds = tuple(os.dup(sock.fileno()) for sock in self.kept[port])
        packed = RtpParams(**(defaults | params)).pack()
        self.bank.open(PortSpec(port, rate, "bank:RtpBank", packed, fds), row)
        return port

    def tick(self, output: np.ndarray | None = None, rate: int = 8000) -> np.ndarray:
        """One tick: returns a copy of the input rows."""
        self.now += 0.02
        self.bank.pull(self.inputs, self.now)
        self.outputs[rate][:] = 0 if output is None else output
        self.bank.push(self.outputs, self.now)
        self.reported += self.bank.reports()
        return self.inputs[rate].copy()

    def kinds(self) -> list[str]:
        return [report.kind for report in self.reported]

    def data(self, kind: str) -> list[dict]:
        return [dict(report.data) for report in self.reported if report.kind == kind]

    def close(self) -> None:
        self.bank.shutdown()
        for phone in self.phones:
            phone.close()
        for pair in self.kept.values():
            for sock in pair:
                sock.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.close()
