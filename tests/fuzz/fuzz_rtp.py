"""Feed damaged RTP, RTCP and telephone events to an open port: python fuzz_rtp.py [rounds] [seed].

Each round is 16 datagrams over loopback and a tick. Ends with a traceback if anything is raised, if
a digit is reported that is none, or if the port no longer hears its phone afterwards.
"""

import os
import random
import socket
import struct
import sys

import numpy as np

from hookswitch.codecs.g711 import PCMU
from hookswitch.mixer.bank import PortSpec
from hookswitch_transport_sip.rtp import rtcp
from hookswitch_transport_sip.rtp.bank import RtpBank
from hookswitch_transport_sip.rtp.params import RtpParams
from hookswitch_transport_sip.rtp.telephone_events import DIGITS, EventPayload

PER_ROUND = 16
EVENTS_PT = 101
SSRC, OURS = 0x1234, 0xABCD


class Phone:
    """The sockets of both sides, and what a well-behaved phone would send next."""

    def __init__(self) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        for each in self.sockets:
            each.bind(("127.0.0.1", 0))
        self.rtp, self.rtcp, self.bank_rtp, self.bank_rtcp = self.sockets
        self.sequence, self.timestamp = 65500, 2**32 - 4000

    def header(self, kind: int, first: int = 0x80) -> bytes:
        self.sequence = self.sequence + 1 & 0xFFFF
        self.timestamp = self.timestamp + 160 & 0xFFFFFFFF
        return struct.pack("!BBHII", first, kind, self.sequence, self.timestamp, SSRC)

    def packets(self, source: random.Random) -> list[bytes]:
        """One of each kind."""
        audio = source.randbytes(160)
        event = EventPayload(source.randrange(20), source.random() < 0.3, 10, 800)
        sender = rtcp.SenderInfo(rtcp.ntp_time(0.0), self.timestamp, 10, 1600)
        block = rtcp.ReportBlock(OURS, 3, 5, 70000, 12, 1, 2)
        return [
            self.header(0) + audio,
            self.header(0, 0xB2) + bytes(8) + b"\xbe\xde\x00\x01" + bytes(4) + audio + b"\0\0\3",
            self.header(EVENTS_PT | 0x80) + event.pack(),
            self.header(13) + b"\x40",
            rtcp.build(SSRC, "phone@fuzz", sender, [block], bye=source.random() < 0.2),
        ]

    def close(self) -> None:
        for each in self.sockets:
            each.close()


def damage(data: bytes, source: random.Random) -> bytes:
    """Flip, cut, insert or repeat at a few random places."""
    for _ in range(source.choice((0, 1, 1, 2, 5))):
        at = source.randrange(min(len(data), 40) + 1)
        piece = source.choice(
            (b"", b"\xff", b"\0" * 4, source.randbytes(2), data[at : at + 12] * 2)
        )
        data = data[:at] + piece + data[at + source.choice((0, 0, 1, 2, 4, 400)) :]
    return data


class Target:
    """A bank with one port, and its clock."""

    def __init__(self, phone: Phone, *, mux: bool) -> None:
        self.now = 1000.0
        self.bank = RtpBank(capacity=4, clock=lambda: self.now)
        self.frames = {8000: np.zeros((4, 160), np.float32)}
        self.sent: dict[str, int] = {}
        params = RtpParams(
            codec=PCMU.batch,
            payload_type=0,
            ssrc=OURS,
            started_at=self.now,
            telephone_event={EVENTS_PT: 8000},
            telephone_event_pt=EVENTS_PT,
            remote=phone.rtp.getsockname(),
            remote_rtcp=phone.rtcp.getsockname(),
            rtcp_mux=mux,
        )
        fds = tuple(os.dup(each.fileno()) for each in (phone.bank_rtp, phone.bank_rtcp))
        self.bank.open(PortSpec("fuzzed", 8000, "bank:RtpBank", params.pack(), fds), 0)

    def tick(self) -> float:
        """20 ms; how loud the port's input is."""
        self.now += 0.02
        self.bank.pull(self.frames, self.now)
        self.bank.push(self.frames, self.now)
        for report in self.bank.reports():
            self.sent[report.kind] = self.sent.get(report.kind, 0) + 1
            if report.kind in ("digit", "digit_ended"):
                assert report.data["digit"] in DIGITS, report
        assert np.isfinite(self.frames[8000]).all()
        return float(np.abs(self.frames[8000][0]).max())


def main(rounds: int = 2000, seed: int = 1) -> dict[str, int]:
    """Run; return how many reports of each kind the port made."""
    source = random.Random(seed)
    phone = Phone()
    target = Target(phone, mux=bool(seed % 2))
    try:
        for _ in range(rounds):
            for _ in range(PER_ROUND):
                data = damage(source.choice(phone.packets(source)), source)
                other = source.random() < 0.2
                to = phone.bank_rtcp if other else phone.bank_rtp
                (phone.rtcp if other else phone.rtp).sendto(data, to.getsockname())
            target.tick()
        loudest = 0.0
        for _ in range(50):
            phone.rtp.sendto(phone.header(0) + b"\x80" * 160, phone.bank_rtp.getsockname())
            loudest = target.tick()
        assert loudest > 30000, "the phone is no longer heard"
    finally:
        target.bank.shutdown()
        phone.close()
    return target.sent


if __name__ == "__main__":
    print(main(*map(int, sys.argv[1:])))
