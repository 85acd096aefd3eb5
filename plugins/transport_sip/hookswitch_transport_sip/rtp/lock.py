"""Symmetric RTP: whose packets a port accepts, and where it sends (RFC 4961, RFC 7362).

A port locks to the first source that proves itself and ignores all others from then on. The
address of the peer's SDP needs one valid packet; another address must send several in sequence,
fewer when its host is one the signalling knows. A lock is given up in two cases only: new SDP
named another address, or the source fell silent and another one continues the very same stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from .params import Address

SILENCE_S = 1.5
"""Seconds without a packet after which the stream may continue from another address."""

STRANGER_RUN = 3
KNOWN_HOST_RUN = 2
"""Consecutive packets a source must send that is not the signalled address."""

FORMER_RUN = 50
"""After new SDP, consecutive packets by which the former source shows that it is still the one."""

_MAX_CANDIDATES = 8


class LockState(Enum):
    """``SEARCHING`` for a source, ``LOCKED`` to one, or the locked one fell ``SILENT``."""

    SEARCHING = auto()
    LOCKED = auto()
    SILENT = auto()


@dataclass(frozen=True, slots=True)
class Heard:
    """What identifies a packet within a stream, and when it came."""

    ssrc: int
    sequence: int
    timestamp: int
    at: float


@dataclass(slots=True)
class _Candidate:
    last: Heard
    run: int = 1


class SourceLock:
    """The lock of one port. ``locked`` is the source, if there is or was one."""

    def __init__(self, remote: Address | None, signalling_ip: str | None, clock_rate: int) -> None:
        self.state = LockState.SEARCHING
        self.locked: Address | None = None
        self._remote = remote
        self._signalling_ip = signalling_ip
        self._clock_rate = clock_rate
        self._last: Heard | None = None
        self._destination = remote
        self._candidates: dict[Address, _Candidate] = {}

    @property
    def destination(self) -> Address | None:
        """Where to send to now."""
        return self._destination

    def renegotiate(self, remote: Address | None, signalling_ip: str | None) -> bool:
        """New SDP; True if the search is open again because it named another address."""
        self._signalling_ip = signalling_ip
        if remote == self._remote:
            return False
        behind_nat = self.locked is not None and self.locked != self._remote
        self._remote = remote
        if remote == self.locked and remote is not None:
            return False
        self.state = LockState.SEARCHING
        self._candidates.clear()
        if not behind_nat or remote is None:
            self._destination = remote
        return True

    def lose(self, last: Heard) -> None:
        """The locked source has been silent for `SILENCE_S`; ``last`` is the last from it."""
        if self.state is LockState.LOCKED:
            self.state = LockState.SILENT
            self._last = last
            self._candidates.clear()

    def offer(self, source: Address, packet: Heard) -> bool:
        """Whether to accept a packet; may lock."""
        if self.state is LockState.LOCKED:
            return source == self.locked
        needed = self._needed(source, packet)
        accept = source == self.locked
        if needed is not None and self._run(source, packet) >= needed:
            self._lock(source)
            return True
        return accept

    def _needed(self, source: Address, packet: Heard) -> int | None:
        """Length of the run that locks to ``source``; None: not with this packet."""
        if self.state is LockState.SILENT:
            if source == self.locked:
                return 1
            return STRANGER_RUN if self._continues(source, packet) else None
        if source == self._remote:
            return 1
        if source == self.locked:
            return FORMER_RUN
        hosts = (self._signalling_ip, self._remote[0] if self._remote else None)
        return KNOWN_HOST_RUN if source[0] in hosts else STRANGER_RUN

    def _continues(self, source: Address, packet: Heard) -> bool:
        """Whether the packet follows the last one from the silent source, as far as time allows."""
        candidate = self._candidates.get(source)
        last = candidate.last if candidate else self._last
        if last is None or packet.ssrc != last.ssrc:
            return False
        elapsed = packet.at - last.at + 1.0
        ahead = (packet.sequence - last.sequence) & 0xFFFF
        units = (packet.timestamp - last.timestamp) & 0xFFFFFFFF
        return 0 < ahead <= 100 * elapsed and units <= elapsed * self._clock_rate

    def _run(self, source: Address, packet: Heard) -> int:
        """Count consecutive packets of a source; a break starts it anew."""
        candidate = self._candidates.get(source)
        if candidate is None:
            while len(self._candidates) >= _MAX_CANDIDATES:
                del self._candidates[next(iter(self._candidates))]
            self._candidates[source] = _Candidate(packet)
            return 1
        last = candidate.last
        follows = packet.ssrc == last.ssrc and packet.sequence == (last.sequence + 1) & 0xFFFF
        candidate.run = candidate.run + 1 if follows else 1
        candidate.last = packet
        return candidate.run

    def _lock(self, source: Address) -> None:
        self.state = LockState.LOCKED
        self.locked = self._destination = source
        self._candidates.clear()
