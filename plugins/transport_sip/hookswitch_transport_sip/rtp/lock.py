"""Symmetric RTP: whose packets a port accepts, and where it sends (RFC 4961, RFC 7362).

How much a source is believed is its `Standing`. While searching, the address of the peer's SDP
needs one packet, a host that SDP or the signalling knows a few in sequence; anybody else must go on
for a while and be the only one. From then on the source is kept, and others are ignored, but one of
higher standing takes over as soon as its own stream is seen: a stranger that came first keeps
nothing from the peer. Otherwise a lock is given up in two cases only: new SDP named another
address, or the source fell silent and another one continues the very same stream. Where packets
are authenticated (SRTP), a single one is proof by itself, and nothing else is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum, auto

from .params import Address

SILENCE_S = 1.5
"""Seconds without a packet after which the stream may continue from another address."""

STRANGER_RUN = 3
KNOWN_HOST_RUN = 2
"""Consecutive packets a source must send that is not the signalled address."""

BETTER_RUN = 3
"""Consecutive packets by which a source of higher standing takes over."""

ALONE_S = 0.3
"""Seconds for which a source nobody named must go on, and no other one be heard."""

FORMER_RUN = 50
"""After new SDP, consecutive packets by which the former source shows that it is still the one."""

_MAX_CANDIDATES = 64
_MAX_GAP = 50


class Standing(IntEnum):
    """What speaks for a source: nothing, the host of the peer's SIP, the host or all of its SDP."""

    UNKNOWN = auto()
    SIGNALLING_HOST = auto()
    NAMED_HOST = auto()
    NAMED = auto()


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
    """``run`` is of consecutive packets; ``since`` is when the stream began, losses or not."""

    last: Heard
    since: float
    run: int = 1


class SourceLock:
    """The lock of one port. ``locked`` is the source, if there is or was one."""

    def __init__(
        self,
        remote: Address | None,
        signalling_ip: str | None,
        clock_rate: int,
        *,
        authenticated: bool = False,
        learned: Address | None = None,
    ) -> None:
        """``learned`` is the source another lock of the same call had found, which is believed."""
        self.state = LockState.SEARCHING
        self.locked: Address | None = None
        self._remote = remote
        self._signalling_ip = signalling_ip
        self._clock_rate = clock_rate
        self._authenticated = authenticated
        self._learned = learned
        self._last: Heard | None = None
        self._destination = learned or remote
        self._candidates: dict[Address, _Candidate] = {}

    @property
    def destination(self) -> Address | None:
        """Where to send to now."""
        return self._destination

    @property
    def is_final(self) -> bool:
        """Locked to a source that nobody can take over from."""
        if self.state is not LockState.LOCKED or self.locked is None:
            return False
        return self._authenticated or self._standing(self.locked) is Standing.NAMED

    def renegotiate(
        self, remote: Address | None, signalling_ip: str | None, *, authenticated: bool = False
    ) -> bool:
        """New SDP; True if the search is open again: it named another address, or keys came.

        SDP that names none (a hold with 0.0.0.0) leaves the lock as it is.
        """
        self._signalling_ip = signalling_ip
        keyed = authenticated and not self._authenticated
        self._authenticated = authenticated
        moved = remote != self._remote and not (remote is None and self.locked)
        if not moved and not keyed:
            return False
        behind_nat = self.locked is not None and self.locked != self._remote
        if moved:
            self._remote, self._learned = remote, None
        if remote == self.locked and remote is not None:
            return False
        self.state = LockState.SEARCHING
        self._candidates.clear()
        if moved and (not behind_nat or remote is None):
            self._destination = remote
        return True

    def lose(self, last: Heard) -> None:
        """The locked source has been silent for `SILENCE_S`; ``last`` is the last from it."""
        if self.state is LockState.LOCKED:
            self.state = LockState.SILENT
            self._last = last
            self._candidates.clear()

    def may_take_over(self, source: Address) -> bool:
        """Whether packets of ``source`` matter although the port is locked to another one."""
        if self._authenticated or self.locked is None:
            return False
        return self._standing(source) > self._standing(self.locked)

    def offer(self, source: Address, packet: Heard) -> bool:
        """Whether to accept a packet; may lock."""
        accept = source == self.locked
        if accept and self.state is LockState.LOCKED:
            return True
        needed = self._needed(source, packet)
        if needed is None or self._run(source, packet) < needed:
            return accept
        if self._must_be_alone(source) and not self._alone(source, packet.at):
            return accept
        self._lock(source)
        return True

    def _standing(self, source: Address) -> Standing:
        if source == self._remote:
            return Standing.NAMED
        if self._remote is not None and source[0] == self._remote[0]:
            return Standing.NAMED_HOST
        if source[0] == self._signalling_ip:
            return Standing.SIGNALLING_HOST
        return Standing.UNKNOWN

    def _needed(self, source: Address, packet: Heard) -> int | None:
        """Length of the run that locks to ``source``; None: not with this packet."""
        if self.state is LockState.SEARCHING:
            if source in (self._remote, self._learned):
                return 1
            if source == self.locked:
                return FORMER_RUN
            if self._authenticated:
                return 1
            known = self._standing(source) > Standing.UNKNOWN
            return KNOWN_HOST_RUN if known else STRANGER_RUN
        if self.may_take_over(source):
            return BETTER_RUN
        if self.state is LockState.LOCKED:
            return None
        if source == self.locked or self._authenticated:
            return 1
        return STRANGER_RUN if self._continues(source, packet) else None

    def _must_be_alone(self, source: Address) -> bool:
        """Whether nothing speaks for a source but that it sends."""
        if self.state is not LockState.SEARCHING or self._authenticated:
            return False
        believed = source in (self._learned, self.locked)
        return not believed and self._standing(source) is Standing.UNKNOWN

    def _alone(self, source: Address, now: float) -> bool:
        """Whether a candidate has sent for long enough, and no other one meanwhile."""
        if now - self._candidates[source].since < ALONE_S:
            return False
        return not any(
            other != source and each.run >= STRANGER_RUN and now - each.last.at < ALONE_S
            for other, each in self._candidates.items()
        )

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
            if len(self._candidates) >= _MAX_CANDIDATES:
                self._forget_one(packet.at)
            self._candidates[source] = _Candidate(packet, packet.at)
            return 1
        last = candidate.last
        ahead = (packet.sequence - last.sequence) & 0xFFFF if packet.ssrc == last.ssrc else 0
        candidate.run = candidate.run + 1 if ahead == 1 else 1
        if not 0 < ahead <= _MAX_GAP or packet.at - last.at > ALONE_S:
            candidate.since = packet.at
        candidate.last = packet
        return candidate.run

    def _forget_one(self, now: float) -> None:
        """Make room: whoever stopped goes first, then who has least to show."""

        def worth(source: Address) -> tuple[bool, Standing, int]:
            candidate = self._candidates[source]
            return now - candidate.last.at < ALONE_S, self._standing(source), candidate.run

        del self._candidates[min(self._candidates, key=worth)]

    def _lock(self, source: Address) -> None:
        self.state = LockState.LOCKED
        self.locked = self._destination = source
        self._candidates.clear()
