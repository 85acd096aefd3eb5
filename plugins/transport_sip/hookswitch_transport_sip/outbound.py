"""Calls we place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookswitch.plugin import Leg

from .calls import SipCall
from .media import MEDIA_ERRORS
from .reasons import reason_of
from .referred import Watcher
from .sip.errors import StateError
from .sip.events import Answered, CallEvent, Failed, OfferReceived, Progressed
from .sip.status import reason_phrase
from .sip.uac import OutboundCall

if TYPE_CHECKING:
    from .transport import SipTransport


class OutboundSipCall(SipCall):
    """An INVITE that was sent."""

    dialogue: OutboundCall

    def __init__(self, transport: SipTransport, leg: Leg, dialogue: OutboundCall) -> None:
        super().__init__(transport, leg, dialogue)
        self.watch: Watcher | None = None
        """Told how the INVITE goes."""
        self.is_absent_user = False
        """Whether the callee is a user of ours who is not registered."""
        self._failed = False
        self._answers: dict[str, bytes] = {}
        """What the branches of a fork answered, by their tags."""

    def hang_up(self, reason: str) -> None:
        if self.dialogue.is_confirmed:
            self.dialogue.bye(self.now())
            self._end(reason)
        elif self.leg.is_unanswered and not self._failed:
            self.dialogue.cancel(self.now())
            self._end(reason)
        self.settle()

    def handle(self, event: CallEvent) -> None:
        if isinstance(event, Progressed):
            self._tell(event.status, event.response.reason)
            if event.sdp:
                if not event.is_offer:
                    # at once: an UPDATE may replace it before the media is open
                    self._answers[event.tag] = event.sdp
                self.spawn(self._progressed(event, event.sdp))
        elif isinstance(event, Answered):
            self.spawn(self._answered(event))
        elif isinstance(event, Failed):
            self._failed = True
            self._tell(event.status, event.reason)
            reason = reason_of(event.status, local=event.local)
            nowhere = self.is_absent_user and reason == "connect_failed"
            self._end("unavailable" if nowhere else reason)
        elif isinstance(event, OfferReceived):
            # what a branch answered before holds no longer
            self._answers.pop(event.request.from_.tag or "", None)
            super().handle(event)
        else:
            super().handle(event)

    def release(self) -> None:
        super().release()
        self._tell(487, reason_phrase(487))

    def _tell(self, status: int, reason: str) -> None:
        """Tell who watches; the last word is said once."""
        if self.watch is not None:
            watch, self.watch = self.watch, self.watch if status < 200 else None
            watch(status, reason)

    async def _progressed(self, event: Progressed, sdp: bytes) -> None:
        """Early media (RFC 3960); of a fork, the branch that spoke last is heard."""
        if not self.leg.is_unanswered:
            return
        try:
            if event.is_offer:
                answer = await self._answer(sdp)
                event.call.accept_progress(event, answer, self.now())
                self.settle()
            else:
                await self.apply(self.opened_media.negotiation.receive_answer(sdp))
        except (*MEDIA_ERRORS, StateError) as error:
            if self._answers.get(event.tag) is sdp:
                del self._answers[event.tag]
            self.leg.log.info("no early media: %s", error)
            return
        await self.leg.early_media_started()

    async def _answered(self, event: Answered) -> None:
        """The 2xx decides: on the session it brings, or the one its branch agreed on before."""
        sdp = event.sdp or self._answers.get(event.response.to.tag or "")
        try:
            if event.is_offer and sdp is not None:
                await self._accept(sdp)
            elif sdp is not None:
                await self.apply(self.opened_media.negotiation.receive_answer(sdp))
        except MEDIA_ERRORS as error:
            self.leg.log.info("the answer does not fit: %s", error)
            self.leg.hang_up("not_acceptable")
            return
        if self.media is None or self.media.agreed is None:
            self.leg.hang_up("not_acceptable")
            return
        self.media.answered()
        await self.leg.connected()
        await self.hold_state.note_answer(self.media.agreed)
        self._tell(event.response.status, event.response.reason)

    async def _accept(self, offer: bytes) -> None:
        """Acknowledge the 2xx with the answer to the offer in it."""
        answer = await self._answer(offer)
        if self.dialogue.is_confirmed:
            self.dialogue.acknowledge(answer, self.now())
            self.settle()

    async def _answer(self, offer: bytes) -> bytes:
        answer, agreed = self.opened_media.negotiation.answer(offer)
        await self.apply(agreed)
        return answer
