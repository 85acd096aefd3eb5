"""Media of calls whose signalling is SIPp's: says a tone, remembers when it heard what."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from tests.sound import level, tone

from . import processes
from .g711 import pack_ulaw, unpack_ulaw
from .speakers import Speaker, all_speaking

RATE, FRAME = 8000, 160
RUN = 10
"""Packets in a row (200 ms) that count as hearing something."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A packet that arrived."""

    at: float
    source: tuple[str, int]
    audio: bytes


class RtpPeer(Speaker):
    """One RTP socket, PCMU in packets of 20 ms."""

    def __init__(self, frequency: float) -> None:
        super().__init__()
        self.frequency, self._ssrc = frequency, int(frequency)
        self.heard: list[Heard] = []
        self.target: tuple[str, int] | None = None
        """Whereto it speaks; unless set, to where it last heard somebody."""
        self.sent = 0
        self._say = pack_ulaw(tone(frequency, 1.0, RATE))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) == 12 + FRAME:
            at = asyncio.get_running_loop().time()
            self.heard.append(Heard(at, addr, data[12:]))

    def speak(self) -> None:
        target = self.target or (self.heard[-1].source if self.heard else None)
        if target is not None:
            header = struct.pack(
                "!BBHII", 0x80, 0, self.sent & 0xFFFF, self.sent * FRAME, self._ssrc
            )
            begin = self.sent * FRAME % len(self._say)
            packet = self.sealed(header + self._say[begin : begin + FRAME])
            self._transport.sendto(packet, target)
            self.sent += 1

    def sealed(self, packet: bytes) -> bytes:
        """A packet as it is sent."""
        return packet

    def heard_from(self, frequency: float, since: float, dbfs: float = -12.0) -> float | None:
        """When it first heard a tone, 200 ms of it in a row, after some time."""
        packets = [p for p in self.heard if p.at > since]
        for first in range(len(packets) - RUN + 1):
            run = packets[first : first + RUN]
            audio = unpack_ulaw(b"".join(p.audio for p in run))
            if run[-1].at - run[0].at < 0.4 and abs(level(audio, frequency, RATE) - dbfs) < 1.5:
                return run[0].at
        return None

    async def hears(
        self, frequency: float, since: float = 0.0, within: float = 10.0, dbfs: float = -12.0
    ) -> None:
        """Wait until it hears a tone, after some time of the loop."""
        await processes.until(lambda: self.heard_from(frequency, since, dbfs) is not None, within)

    def audio(self, since: float, until: float) -> np.ndarray:
        """What it heard between two times of the loop, int16."""
        packets = [p.audio for p in self.heard if since < p.at < until]
        return unpack_ulaw(b"".join(packets))

    async def hears_after(self, when: float, within: float = 10.0) -> None:
        """Wait until it hears anything after some time of the loop."""
        await processes.until(lambda: bool(self.heard) and self.heard[-1].at > when, within)


@asynccontextmanager
async def rtp_peers(frequencies: np.ndarray) -> AsyncIterator[list[RtpPeer]]:
    """Peers that speak all the time, each at its own frequency."""
    makes = [partial(RtpPeer, frequency) for frequency in frequencies.tolist()]
    async with all_speaking(makes) as peers:
        yield peers
