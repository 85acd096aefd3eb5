"""The SRTP of one stream (RFC 3711): its contexts, and how often sequence numbers have wrapped.

The rollover count of what we send follows from the running sequence number. The peer's is libsrtp's
business while a stream lasts; who comes into a running call (a restarted worker, another key in the
middle) is told what it was and tries its neighbours, one packet each.
"""

from __future__ import annotations

from collections.abc import Iterator

from .keys import SrtpKeys
from .libsrtp import Context
from .mki import Identifier


class Security:
    """The contexts of one stream, in both directions."""

    def __init__(self, keys: SrtpKeys, ssrc: int, sequence: int, rtcp_packets: int = 0) -> None:
        """``sequence`` is the extended number of the next packet of ours, ``rtcp_packets`` how
        many reports may have been sent before: their index goes on behind them."""
        self.keys = keys
        self.outbound = Context(keys.suite, keys.sends, sends=True, ssrc=ssrc)
        self.outbound.begin_at(ssrc, sequence >> 16)
        report = b"\x80\xc9\x00\x01" + ssrc.to_bytes(4, "big")
        for _ in range(rtcp_packets):
            self.outbound.protect_rtcp(report)
        self._expect(keys)

    def rekey(self, keys: SrtpKeys) -> bool:
        """Go on with another key of the peer's; False if our own is another too.

        Its rollover count goes on (RFC 3711 section 3.3.1), or begins anew as many have it.
        """
        if (keys.suite, keys.sends) != (self.keys.suite, self.keys.sends):
            return False
        self._expect(keys)
        return True

    def _expect(self, keys: SrtpKeys) -> None:
        self.keys = keys
        self.identifier = Identifier.of(keys)
        self.inbound = Context(keys.suite, keys.receives, sends=False)
        self._proven = False
        self._guesses = _neighbours(keys.rollover)

    @property
    def tag(self) -> int:
        """Bytes that protection adds to a packet."""
        return self.keys.tag

    def unprotect(self, packet: bytes, ssrc: int) -> bytes | None:
        """A single RTP packet in the clear; None when it is not genuine."""
        if self.identifier is not None:
            packet = self.identifier.cut(packet, rtcp=False) or b""
        opened = self.inbound.unprotect(packet)
        while opened is None and self.failed(ssrc):
            opened = self.inbound.unprotect(packet)
        if opened is not None:
            self.succeeded()
        return opened

    def unprotect_rtcp(self, packet: bytes) -> bytes | None:
        """A compound packet in the clear; None when it is not genuine."""
        if self.identifier is not None:
            packet = self.identifier.cut(packet, rtcp=True) or b""
        return self.inbound.unprotect_rtcp(packet)

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


def _neighbours(rollover: int | None) -> Iterator[int]:
    """What to try when zero, which libsrtp begins with, does not fit."""
    if rollover is not None:
        yield from (each for each in (rollover, rollover + 1, rollover - 1) if each >= 0)
