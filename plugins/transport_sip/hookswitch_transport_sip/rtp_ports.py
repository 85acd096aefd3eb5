"""Pairs of UDP ports for RTP and RTCP (RFC 3550 section 11: an even one and the next)."""

from __future__ import annotations

import random
import socket
from dataclasses import dataclass

from hookswitch.plugin import Unavailable


@dataclass(frozen=True, slots=True)
class PortPair:
    """Two bound sockets. They stay open here for the whole call, so that a media worker that dies
    leaves the ports to its successor."""

    port: int
    rtp: socket.socket
    rtcp: socket.socket

    @property
    def fds(self) -> tuple[int, int]:
        return self.rtp.fileno(), self.rtcp.fileno()

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


class RtpPorts:
    """Hands out pairs from a range: at random, since who can guess a port may send to it; and all
    of them once before any comes again, so that a port just left rests a while."""

    def __init__(self, host: str, first: int, last: int) -> None:
        self._host = host
        self._family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._first = first + first % 2
        self._pairs = max((last - self._first + 1) // 2, 0)
        self._range = f"{first}-{last}"
        self._random = random.SystemRandom()
        self._turn: list[int] = []

    def take(self) -> PortPair:
        """Bind the next free pair. Raises Unavailable when none is left."""
        for _ in range(2 * self._pairs):  # what is left of a turn, and another whole one
            if not self._turn:
                self._turn = list(range(self._pairs))
                self._random.shuffle(self._turn)
            port = self._first + 2 * self._turn.pop()
            rtp = self._bind(port)
            if rtp is None:
                continue
            rtcp = self._bind(port + 1)
            if rtcp is not None:
                return PortPair(port, rtp, rtcp)
            rtp.close()
        raise Unavailable(f"no RTP port is free (RTP_PORT_MIN to RTP_PORT_MAX: {self._range})")

    def _bind(self, port: int) -> socket.socket | None:
        bound = socket.socket(self._family, socket.SOCK_DGRAM)
        bound.setblocking(False)
        try:
            bound.bind((self._host, port))
        except OSError:
            bound.close()
            return None
        return bound
