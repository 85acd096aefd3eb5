"""How the session of a call changes: by offers of the peer, and by re-INVITEs of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from hookswitch.plugin import Conflict

from .media import MEDIA_ERRORS
from .rtp.keys import SrtpKeys
from .sdp.audio import NegotiatedAudio
from .sdp.direction import Direction
from .sdp.errors import NotAcceptable
from .sip.errors import StateError
from .sip.events import OfferReceived, ReinviteAnswered, ReinviteFailed
from .sip.proposal import Proposal

if TYPE_CHECKING:
    from .calls import SipCall


OnAgreed = Callable[[NegotiatedAudio], Awaitable[None]]


class Renegotiation:
    """The offers and answers of one call once its media is open."""

    def __init__(self, call: SipCall) -> None:
        self._call = call
        self._turn = asyncio.Lock()
        """One re-INVITE of ours at a time."""
        self._outcome: asyncio.Future[ReinviteAnswered | ReinviteFailed] | None = None

    # -- ours

    async def offer(
        self, direction: Callable[[], Direction], agreed: OnAgreed, **changes: Any
    ) -> None:
        """Offer the session anew, in a direction chosen when the offer is made.

        ``changes`` are fields of `LocalAudio`. ``agreed`` is told before any later change. Raises
        one of `MEDIA_ERRORS` when it fails: the session is as before.
        """
        async with self._turn:
            media = self._call.opened_media
            negotiation = media.negotiation
            proposal = Proposal(
                lambda: negotiation.offer(direction=direction(), **changes),
                negotiation.abandon_offer,
            )
            event = await self._ask(proposal)
            if isinstance(event, ReinviteFailed):
                raise Conflict(f"the peer answered {event.status} {event.reason}")
            await self._take_answer(event.sdp, agreed)

    async def _take_answer(self, sdp: bytes | None, agreed: OnAgreed) -> None:
        negotiation = self._call.opened_media.negotiation
        async with self._call.changing:
            if sdp is None:
                negotiation.abandon_offer()
                raise NotAcceptable("the peer answered without a session description")
            audio = negotiation.receive_answer(sdp)
            await self._call.opened_media.apply(audio)
            await agreed(audio)

    async def refresh(self) -> None:
        """Offer the session as it is, since it would expire; a re-INVITE under way does that."""
        if self._turn.locked():
            return
        hold = self._call.hold_state
        try:
            await self.offer(lambda: hold.offered(hold.ours), hold.note_answer)
        except MEDIA_ERRORS as error:
            self._call.leg.log.info("the session was not refreshed: %s", error)

    async def rekey(self) -> None:
        """Offer the session with a fresh key for what we send; the answer may bring another too.

        If that fails, the keys in use are good until the end of their lifetime.
        """
        hold, keys = self._call.hold_state, SrtpKeys.generate()
        try:
            await self.offer(lambda: hold.offered(hold.ours), hold.note_answer, keys=keys)
        except MEDIA_ERRORS as error:
            self._call.leg.log.warning("the keys of SRTP were not replaced: %s", error)

    def handle(self, event: ReinviteAnswered | ReinviteFailed) -> None:
        """Our re-INVITE got its final response."""
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(event)

    def close(self) -> None:
        """The leg is over: nobody answers any more."""
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_exception(Conflict("the leg hung up"))

    async def _ask(self, proposal: Proposal) -> ReinviteAnswered | ReinviteFailed:
        call = self._call
        self._outcome = asyncio.get_running_loop().create_future()
        try:
            call.dialogue.reinvite(proposal, call.now())
        except StateError as error:
            raise Conflict(str(error)) from None
        call.settle()
        return await self._outcome

    # -- theirs

    async def reinvited(self, sdp: bytes | None) -> None:
        """The peer offers another session, or asks for our offer (RFC 3264 section 8)."""
        call = self._call
        try:
            if sdp is None:
                hold = call.hold_state
                negotiation = call.opened_media.negotiation
                answer = negotiation.offer(direction=hold.offered(hold.ours))
            else:
                answer = await self._answer(sdp)
        except MEDIA_ERRORS as error:
            call.leg.log.info("re-INVITE refused: %s", error)
            if call.dialogue.is_answering_invite:
                call.dialogue.reject_reinvite(call.now(), getattr(error, "status", 488))
        else:
            if call.dialogue.is_confirmed and call.dialogue.is_answering_invite:
                call.dialogue.accept_reinvite(answer, call.now())
        call.settle()

    async def acknowledged(self, sdp: bytes | None) -> None:
        """The answer to an offer we made in a 2xx came with its ACK, or did not."""
        try:
            await self._take_answer(sdp, self._call.hold_state.note_answer)
        except MEDIA_ERRORS as error:
            self._call.leg.log.info("answer in ACK: %s", error)

    async def offered(self, event: OfferReceived) -> None:
        """The peer offers another session by UPDATE or PRACK."""
        call = self._call
        try:
            answer = await self._answer(event.sdp)
        except MEDIA_ERRORS as error:
            call.leg.log.info("%s refused: %s", event.request.method, error)
            if call.dialogue.offered.is_waiting:
                call.dialogue.reject_offer(call.now(), getattr(error, "status", 488))
        else:
            if call.dialogue.offered.is_waiting:
                call.dialogue.accept_offer(answer, call.now())
        call.settle()

    async def _answer(self, sdp: bytes) -> bytes:
        call = self._call
        hold, media = call.hold_state, call.opened_media
        async with call.changing:
            answer, agreed = media.negotiation.answer(sdp, direction=hold.answered)
            await media.apply(agreed)
            hold.note_offer(agreed)
        return answer
