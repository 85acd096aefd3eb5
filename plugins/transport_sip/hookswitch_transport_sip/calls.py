"""SIP calls as the kernel's legs see them: what both directions share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hookswitch.plugin import Call, Conflict, Leg, OperationFailed

from .info_sender import InfoSender
from .media import MEDIA_ERRORS, CallMedia
from .sdp.audio import NegotiatedAudio
from .sip.call import Call as Dialogue
from .sip.events import (
    AckTimedOut,
    ByeReceived,
    DialogLost,
    Event,
    InfoReceived,
    ReinviteAcknowledged,
    ReinviteReceived,
    RequestAnswered,
)
from .sip.info_digits import unpack_digit

if TYPE_CHECKING:
    from .transport import SipTransport


class SipCall(Call):
    """One leg's SIP call. Events of the SIP core come in by `handle`, in order."""

    def __init__(self, transport: SipTransport, leg: Leg, dialogue: Dialogue) -> None:
        self.leg = leg
        self.dialogue = dialogue
        self.media: CallMedia | None = None
        self._transport = transport
        self._info = InfoSender(self._send_info, self._digits_failed)
        self._changing = asyncio.Lock()
        """One change of the media at a time."""

    # -- what the kernel asks

    def send_dtmf(self, digits: str) -> None:
        agreed = self.media.agreed if self.media else None
        if self.media is None or agreed is None:
            raise Conflict(f"leg {self.leg.id} is {self.leg.state}: it has no media yet")
        if self.media.takes_events:
            if not agreed.direction.sends:
                raise Conflict(f"leg {self.leg.id} is on hold: its peer takes no events")
            self.media.send_dtmf(digits)
        elif self._info.refused:
            raise OperationFailed(f"DTMF writer unavailable: {self._info.refused}")
        elif not self.dialogue.is_confirmed:
            raise Conflict("the peer takes no telephone events, and INFO only once it has answered")
        else:
            self._info.send(digits)

    @property
    def takes_dtmf(self) -> bool:
        agreed = self.media.agreed if self.media else None
        if self.media is None or agreed is None:
            return False
        if self.media.takes_events:
            return agreed.direction.sends
        return self.dialogue.is_confirmed and not self._info.refused

    def send_text(self, text: str) -> None:
        if self.media is None or not self.media.text.can_send:
            super().send_text(text)
        else:
            self.media.text.send(text)

    @property
    def takes_text(self) -> bool:
        return self.media is not None and self.media.text.can_send

    def release(self) -> None:
        """The leg is over."""
        self._info.close()
        if self.media is not None:
            self.media.close()
        self._transport.forget(self)

    # -- what the SIP core tells

    def handle(self, event: Event) -> None:
        """Something happened to this call."""
        if isinstance(event, ByeReceived):
            self._end("remote_bye")
        elif isinstance(event, AckTimedOut | DialogLost):
            self._end("timeout")
        elif isinstance(event, ReinviteReceived):
            self.spawn(self._reinvited(event.sdp))
        elif isinstance(event, ReinviteAcknowledged) and event.sdp:
            self.spawn(self._take_late_answer(event.sdp))
        elif isinstance(event, InfoReceived):
            self._take_info(event)
        elif isinstance(event, RequestAnswered) and event.method == "INFO":
            self._info.answered(event.response.status, event.response.reason)

    # -- for both directions

    def now(self) -> float:
        return self._transport.signalling.now()

    def settle(self) -> None:
        """To be called after anything was done with `dialogue`."""
        self._transport.signalling.settle()

    def spawn(self, work: object) -> None:
        self._transport.switch.spawn(work)  # type: ignore[arg-type]  # a coroutine

    def _end(self, reason: str) -> None:
        self.spawn(self.leg.disconnected(reason))

    async def apply(self, agreed: NegotiatedAudio) -> None:
        """Have the media be as agreed, and the leg held or not."""
        assert self.media is not None
        async with self._changing:
            await self.media.apply(agreed)
        if agreed.held_by_peer:
            self.leg.held()
        else:
            self.leg.unheld()

    async def _reinvited(self, sdp: bytes | None) -> None:
        """The peer offers another session, or asks for our offer (RFC 3264 section 8)."""
        if self.media is None:
            self.dialogue.reject_reinvite(self.now())
            self.settle()
            return
        try:
            if sdp is None:
                answer = self.media.negotiation.offer()
            else:
                answer, agreed = self.media.negotiation.answer(sdp)
                await self.apply(agreed)
        except MEDIA_ERRORS as error:
            self.leg.log.info("re-INVITE refused: %s", error)
            if self.dialogue.is_answering_invite:
                self.dialogue.reject_reinvite(self.now(), getattr(error, "status", 488))
        else:
            if self.dialogue.is_confirmed and self.dialogue.is_answering_invite:
                self.dialogue.accept_reinvite(answer, self.now())
        self.settle()

    async def _take_late_answer(self, sdp: bytes) -> None:
        """The answer to an offer we made in a 2xx came with its ACK."""
        assert self.media is not None
        try:
            await self.apply(self.media.negotiation.receive_answer(sdp))
        except MEDIA_ERRORS as error:
            self.leg.log.info("answer in ACK: %s", error)

    def _send_info(self, body: bytes, content_type: str) -> None:
        if self.dialogue.is_confirmed:  # else the call has just ended
            self.dialogue.request("INFO", self.now(), body=body, content_type=content_type)
            self.settle()

    def _digits_failed(self, error: str) -> None:
        self.leg.command_failed("dtmf", error)

    def _take_info(self, event: InfoReceived) -> None:
        """Digits of phones that send them by INFO."""
        request = event.request
        digit = unpack_digit(request.content_type or "", request.body)
        if digit is None:
            return
        if self.media is None or self.media.is_new_digit(digit, "info"):
            self.leg.digit_received(digit)
