"""The SRTP of one stream (RFC 3711): its contexts, and how often sequence numbers have wrapped.

The rollover count of what we send follows from the running sequence number. The peer's is libsrtp's
business while a stream lasts; who comes into a running call (a restarted worker, another key in the
middle) is told what it was and tries its neighbours, one packet each.

A peer that changes its key goes on with the one before until it has our answer, and packets
overtake each other: for a while both are good.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from .keys import SrtpKeys
from .libsrtp import Context
from .mki import Identifier, without

TRANSITION = 500
"""Packets after a change of key in which the key before is good too: ten seconds of speech."""


class Security:
    """The contexts of one stream, in both directions."""

    def __init__(self, keys: SrtpKeys, ssrc: int, sequence: int, rtcp_packets: int = 0) -> None:
        """``sequence`` is the extended number of the next packet of ours, ``rtcp_packets`` how
        many reports may have been sent before: their index goes on behind them."""
        self.keys = keys
        self.send_under(keys, ssrc, sequence)
        report = b"\x80\xc9\x00\x01" + ssrc.to_bytes(4, "big")
        for _ in range(rtcp_packets):
            self.outbound.protect_rtcp(report)
        self._former: tuple[Context, Identifier | None] | None = None
        self._former_left = 0
        self._expect(keys)

    def send_under(self, keys: SrtpKeys, ssrc: int, sequence: int) -> None:
        """Send under a key of ours from the packet of this extended number on."""
        self.outbound = Context(keys.suite, keys.sends, sends=True, ssrc=ssrc)
        self.outbound.begin_at(ssrc, sequence >> 16)

    def rekey(self, keys: SrtpKeys) -> None:
        """Go on with another key of the peer's, if it is another.

        Its rollover count goes on (RFC 3711 section 3.3.1), or begins anew as many have it.
        """
        before, self.keys = self.keys, keys
        if (keys.suite, keys.receives, keys.mki) == (before.suite, before.receives, before.mki):
            return
        self._former, self._former_left = (self.inbound, self.identifier), TRANSITION
        self._expect(keys)

    def _expect(self, keys: SrtpKeys) -> None:
        self.identifier = Identifier.of(keys)
        self.inbound = Context(keys.suite, keys.receives, sends=False)
        self._proven = False
        self._guesses = _neighbours(keys.rollover)

    @property
    def tag(self) -> int:
        """Bytes that protection adds to a packet."""
        return self.keys.tag

    @property
    def is_changing(self) -> bool:
        """Whether the key before the peer's is still good: `unprotect` knows."""
        return self._former is not None

    @property
    def is_proven(self) -> bool:
        """Whether a packet of the peer's was genuine under its key."""
        return self._proven

    def unprotect(self, packet: bytes, ssrc: int) -> bytes | None:
        """A single RTP packet in the clear; None when it is not genuine."""
        opened = self._unprotected_by_former(packet)
        if opened is None:
            opened = self._unprotected(packet, ssrc)
        if opened is not None and self._former is not None:
            self._former_left -= 1
            if not self._former_left:
                self._former = None
        return opened

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """A compound packet in the clear; None when it is not genuine."""
        keys = [(self.inbound, self.identifier)]
        if self._former is not None:
            keys.append(self._former)
        for context, identifier in keys:
            bare = without(identifier, packet, rtcp=True)
            opened = None if bare is None else context.unprotect_rtcp(bare)
            if opened is not None:
                return opened
        return None

    def _unprotected_by_former(self, packet: bytes) -> bytes | None:
        """Asked first: what is not the new key's must not use up guesses at its rollover count."""
        if self._former is None:
            return None
        context, identifier = self._former
        bare = without(identifier, packet, rtcp=False)
        return None if bare is None else context.unprotect(bare)

    def _unprotected(self, packet: bytes, ssrc: int) -> bytes | None:
        bare = without(self.identifier, packet, rtcp=False)
        if bare is None:
            return None
        opened = self.inbound.unprotect(bare)
        for _ in range(_GUESSES):
            if opened is not None or not self.failed(ssrc):
                break
            opened = self.inbound.unprotect(bare)
        if opened is not None:
            self.succeeded()
        return opened

    def succeeded(self) -> None:
        """A packet was genuine: the rollover count is right."""
        self._proven = True

    def failed(self, ssrc: int) -> bool:
        """A packet was not; True if another rollover count is tried from now on."""
        guess = None if self._proven else next(self._guesses, None)
        if guess is None:
            return False
        self.inbound = Context(self.keys.suite, self.keys.receives, sends=False)
        self.inbound.begin_at(ssrc, guess)
        return True

    def rollover(self, ssrc: int) -> int | None:
        """The peer's rollover count; None before its first genuine packet."""
        return self.inbound.rollover(ssrc) if self._proven else None


_GUESSES = 4
"""Rollover counts that are tried in turn."""


def _neighbours(rollover: int | None) -> Iterator[int]:
    """What to try when zero, which libsrtp begins with, does not fit; zero again after them.

    Round and round, since what did not fit may have been no packet of this key.
    """
    if rollover is None:
        return iter(())
    return itertools.cycle((rollover, rollover + 1, max(rollover - 1, 0), 0))
