"""Who holds whom: our holds by re-INVITE, the peer's by what it offers (RFC 3264 section 8.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookswitch.plugin import Conflict

from .media import MEDIA_ERRORS
from .sdp.audio import NegotiatedAudio
from .sdp.direction import Direction

if TYPE_CHECKING:
    from .calls import SipCall


class Hold:
    """The hold of one call by both sides, each remembered while the other changes."""

    def __init__(self, call: SipCall) -> None:
        self._call = call
        self._under_way: str | None = None
        """The command whose outcome is awaited: hold or unhold."""
        self.ours = False
        """Whether we hold the peer, and it knows."""

    # -- ours

    def change(self, hold: bool) -> None:
        """Begin to hold the peer, or to go on with it. Raises Conflict."""
        leg = self._call.leg
        if not leg.is_answered or not self._call.dialogue.is_confirmed:
            raise Conflict(f"leg {leg.id} is not connected but {leg.state}")
        if self._under_way is not None:
            raise Conflict(f"leg {leg.id} is being held or resumed already")
        if hold is self.ours:
            raise Conflict(f"leg {leg.id} is {'on hold already' if hold else 'not held by us'}")
        self._under_way = "hold" if hold else "unhold"
        self._call.spawn(self._change(hold))

    def close(self) -> None:
        """The leg is over: what is under way has failed."""
        self._failed("the call ended before the peer agreed")

    def _failed(self, error: str) -> None:
        if self._under_way is not None:
            self._call.leg.command_failed(self._under_way, error)
            self._under_way = None

    async def _change(self, hold: bool) -> None:
        async def agreed(audio: NegotiatedAudio) -> None:
            self.ours = hold
            await self._call.leg.stand_apart(hold)
            if hold:
                self._call.leg.held("us")
            else:
                self._call.leg.unheld("us")
                await self.note_answer(audio)

        try:
            await self._call.renegotiation.offer(lambda: self.offered(hold), agreed)
        except MEDIA_ERRORS as error:
            self._failed(str(error))
        finally:
            self._under_way = None

    # -- directions

    def offered(self, hold: bool) -> Direction:
        """What we offer. Off hold we want both ways, and the answer tells whether the peer does."""
        if not hold:
            return Direction.SENDRECV
        return Direction.INACTIVE if "peer" in self._call.leg.holders else Direction.SENDONLY

    @property
    def answered(self) -> Direction:
        """What we want of a session that the peer offers."""
        return Direction.SENDONLY if self.ours else Direction.SENDRECV

    # -- the peer's

    def note_offer(self, agreed: NegotiatedAudio) -> None:
        """The peer's own offer tells whether it holds us."""
        if agreed.held_by_peer:
            self._call.leg.held("peer")
        else:
            self._call.leg.unheld("peer")

    async def note_answer(self, agreed: NegotiatedAudio) -> None:
        """An answer does so only where we offered both ways: some answer hold by inactive."""
        if not self.ours:
            self.note_offer(agreed)
