"""Calls that come in: rung, given early media, answered or turned away by the application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookswitch.plugin import BadRequest, Conflict, Leg, LegState

from .calls import SipCall
from .demands import ChallengeCaller
from .media import MEDIA_ERRORS, CallMedia
from .reasons import status_of
from .sdp.errors import NotAcceptable, SdpError
from .settings import Way
from .sip.call import CallState
from .sip.events import (
    Acknowledged,
    CallEvent,
    Cancelled,
    EarlyOfferUnanswered,
    ProvisionalAcknowledged,
)
from .sip.uas import InboundCall

if TYPE_CHECKING:
    from .transport import SipTransport


_OF_STRANGERS = (403, 404)
"""Refusals that a source collects which tries what numbers and users there are."""


class InboundSipCall(SipCall):
    """An INVITE that was received."""

    dialogue: InboundCall

    def __init__(
        self,
        transport: SipTransport,
        leg: Leg,
        dialogue: InboundCall,
        offered: tuple[str, ...] | None,
        way: Way,
    ) -> None:
        """``offered``: names of the codecs of the offer, None if the offer is left to us; ``way``:
        the family of its media."""
        super().__init__(transport, leg, dialogue)
        self._way = way
        self._offered = offered
        self._sdp: bytes | None = None
        self._answering = False
        self._early = False
        self.replaces: SipCall | None = None
        """The call whose place this one takes, once it is up."""

    def answer(self, codec: str | None) -> None:
        if self._answering:
            raise Conflict(f"leg {self.leg.id} is being answered already")
        self._check_codec(codec)
        self._answering = True
        self.spawn(self._answer(codec))

    def ring(self) -> None:
        self.dialogue.ring(self.now())
        self.settle()

    def early_media(self, codec: str | None) -> None:
        if self._early or self._answering:
            raise Conflict(f"leg {self.leg.id} has its media opened already")
        self._check_codec(codec)
        self._early = True
        self.spawn(self._early_media(codec))

    def challenge(self, request: ChallengeCaller) -> None:
        """Have the caller prove a password; its next try is another leg."""
        if self._answering or self._early:
            raise Conflict(f"leg {self.leg.id} is being answered already")
        self._transport.challenge(self.leg, self.dialogue, request)
        self.settle()
        self._end("challenged")

    def hang_up(self, reason: str) -> None:
        if self.dialogue.state is CallState.EARLY:
            status = status_of(reason)
            self.dialogue.reject(status, self.now())
            if status in _OF_STRANGERS:
                self._transport.doorkeeper.failed(self.dialogue.source, self.now())
        elif self.dialogue.is_confirmed:
            self.dialogue.bye(self.now())
        self.settle()
        self._end(reason)

    def handle(self, event: CallEvent) -> None:
        if isinstance(event, Cancelled):
            self._end("caller_cancel")
        elif isinstance(event, Acknowledged):
            self.spawn(self._acknowledged(event.sdp))
        elif isinstance(event, ProvisionalAcknowledged):
            self.spawn(self._early_answer(event.sdp))
        elif isinstance(event, EarlyOfferUnanswered):
            self.leg.command_failed("early_media", "the PRACK brought no answer to our offer")
            self._end("not_acceptable")
        else:
            super().handle(event)

    async def _answer(self, codec: str | None) -> None:
        try:
            sdp = await self._session(codec)
        except MEDIA_ERRORS as error:
            self._refuse("answer", error)
            return
        if self.leg.state is not LegState.HUNG_UP and not self.dialogue.is_confirmed:
            self.dialogue.answer(sdp, self.now())
            self._transport.doorkeeper.succeeded(self.dialogue.source, self.now())
            self.settle()

    async def _early_media(self, codec: str | None) -> None:
        try:
            if self._offered is None and not self.dialogue.takes_early_offer:
                raise NotAcceptable("the caller made no offer, and can answer none this early")
            sdp = await self._session(codec)
        except MEDIA_ERRORS as error:
            self._early = False
            if self.media is not None:
                self.media.close()  # the next attempt takes ports of its own
                self.media = None
            self.leg.command_failed("early_media", str(error))
            return
        if self.leg.state is LegState.RINGING:
            self.dialogue.progress(sdp, self.now())
            self.settle()
            if self.opened_media.agreed is not None:
                await self.leg.early_media_started()

    async def _early_answer(self, sdp: bytes) -> None:
        """The offer we made in early media is answered by the PRACK."""
        try:
            await self.apply(self.opened_media.negotiation.receive_answer(sdp))
        except MEDIA_ERRORS as error:
            self._refuse("early_media", error)  # no other offer may follow
            return
        await self.leg.early_media_started()

    async def _session(self, codec: str | None) -> bytes:
        """Our description, with the media open: the answer, or an offer if none was made."""
        async with self.changing:
            if self._sdp is not None:
                return self._sdp  # an answer repeats what early media promised
            chosen = self._transport.codecs.named(codec) if codec else None
            source = self.dialogue.source.host
            media = self.media = self._transport.open_media(self.leg, source, self._way, chosen)
            offer = self.dialogue.invite_request.sdp
            if offer is None:
                self._sdp = media.negotiation.offer()
            else:
                self._sdp, agreed = media.negotiation.answer(offer)
                await media.apply(agreed)
            return self._sdp

    async def _acknowledged(self, answer: bytes | None) -> None:
        media = self.opened_media
        if media.agreed is None:
            try:
                if answer is None:
                    raise NotAcceptable("the ACK brought no answer to our offer")
                await self.apply(media.negotiation.receive_answer(answer))
            except MEDIA_ERRORS as error:
                self.leg.log.info("no media: %s", error)
                self.leg.hang_up("not_acceptable")
                return
        media.answered()
        await self.leg.connected()
        if media.agreed is not None:
            await self.hold_state.note_answer(media.agreed)
        if self.replaces is not None:
            self.replaces.leg.hang_up("replaced")

    def _refuse(self, command: str, error: Exception) -> None:
        self._answering = False
        self.leg.command_failed(command, str(error))
        if self.leg.state is not LegState.HUNG_UP:
            fits = not isinstance(error, SdpError)
            self.leg.hang_up("service_unavailable" if fits else "not_acceptable")

    def _check_codec(self, codec: str | None) -> None:
        """Raise BadRequest unless the codec was offered and is the one used so far, if any."""
        if codec is None:
            return
        known = self._transport.codecs.named(codec)
        if known is None or (self._offered is not None and known.name not in self._offered):
            offered = ", ".join(self._offered or ()) or "none"
            raise BadRequest(f"codec: {codec} is not in the offer ({offered})")
        agreed: CallMedia | None = self.media
        if agreed is not None and agreed.agreed and agreed.agreed.codec.name != known.name:
            raise BadRequest(f"codec: early media uses {agreed.agreed.codec.name} already")
