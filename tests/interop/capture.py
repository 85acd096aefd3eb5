"""Captures (pcap) of RTP streams with digits, as events or as tones, for SIPp to play."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.sound import tone

from .g711 import pack_ulaw

EVENTS = "0123456789*#ABCD"
TELEPHONE_EVENT = 101
RATE = 8000
_STEP = 160
"""Samples at 8 kHz in 20 ms."""


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet and when it is sent."""

    at: float
    data: bytes


def digits(text: str, steps: int = 5) -> list[Packet]:
    """The digits as RFC 4733 events of ``steps`` packets, then the end three times."""
    packets: list[Packet] = []
    clock = 0
    for digit in text:
        reports = [(step, False) for step in range(1, steps + 1)] + [(steps, True)] * 3
        for number, (duration, is_end) in enumerate(reports):
            header = struct.pack(
                "!BBHII",
                0x80,
                TELEPHONE_EVENT | (0x80 if number == 0 else 0),
                len(packets) + 1,
                10_000 + clock * _STEP,
                0x5EED,
            )
            flags = 10 | (0x80 if is_end else 0)
            event = struct.pack("!BBH", EVENTS.index(digit), flags, duration * _STEP)
            packets.append(Packet((clock + number) * 0.02, header + event))
        clock += len(reports) + 3
    return packets


def tones(text: str, ms: int = 60, gap_ms: int = 60) -> list[Packet]:
    """The digits as tones in PCMU, as a telephone without events plays them."""
    audio = [np.zeros(RATE // 5, np.int16)]
    for digit in text:
        row, column = divmod("123A456B789C*0#D".index(digit), 4)
        low, high = (697, 770, 852, 941)[row], (1209, 1336, 1477, 1633)[column]
        audio.append(tone(low, ms / 1000, RATE, -12) + tone(high, ms / 1000, RATE, -10))
        audio.append(np.zeros(gap_ms * RATE // 1000, np.int16))
    payload = pack_ulaw(np.concatenate([*audio, np.zeros(RATE // 5, np.int16)]))
    return [
        Packet(
            number * 0.02,
            struct.pack("!BBHII", 0x80, 0, number, number * _STEP, 0x5EED)
            + payload[number * _STEP : (number + 1) * _STEP],
        )
        for number in range(len(payload) // _STEP)
    ]


def after(first: list[Packet], second: list[Packet], pause: float = 0.0) -> list[Packet]:
    """One stream after the other, numbered on from it as one."""
    number, stamp = struct.unpack_from("!HI", first[-1].data, 2)
    packets = list(first)
    begins = first[-1].at + 0.02 + pause
    stamp += _STEP + round(pause * RATE)
    for packet in second:
        at, clock = packet.at - second[0].at, struct.unpack_from("!I", packet.data, 4)[0]
        moved = stamp + clock - struct.unpack_from("!I", second[0].data, 4)[0]
        number += 1
        data = packet.data[:2] + struct.pack("!HI", number, moved) + packet.data[8:]
        packets.append(Packet(begins + at, data))
    return packets


def write(path: Path, packets: Iterable[Packet]) -> None:
    """Write packets as UDP over IPv4 over Ethernet."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for packet in packets:
            udp = struct.pack("!HHHH", 40000, 40000, 8 + len(packet.data), 0) + packet.data
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
                             bytes([127, 0, 0, 1]), bytes([127, 0, 0, 1]))  # fmt: skip
            frame = bytes(12) + b"\x08\x00" + ip + udp
            seconds, fraction = divmod(packet.at, 1)
            head = struct.pack("<IIII", int(seconds), int(fraction * 1e6), len(frame), len(frame))
            file.write(head + frame)
