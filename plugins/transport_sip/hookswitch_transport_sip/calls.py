"""SIP calls as the kernel's legs see them: what both directions share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hookswitch.mixer.topology import CommandError
from hookswitch.plugin import Call, HookswitchError, Leg

from .media import CallMedia
from .sdp.audio import NegotiatedAudio
from .sdp.errors import SdpError
from .sip.call import Call as Dialogue
from .sip.events import (
    AckTimedOut,
    ByeReceived,
    DialogLost,
    Event,
    InfoReceived,
    ReinviteAcknowledged,
    ReinviteReceived,
)

if TYPE_CHECKING:
    from .transport import SipTransport

MEDIA_ERRORS = (CommandError, OSError, HookswitchError, SdpError)
"""What opening or changing media may raise."""


class SipCall(Call):
    """One leg's SIP call. Events of the SIP core come in by `handle`, in order."""

    def __init__(self, transport: SipTransport, leg: Leg, dialogue: Dialogue) -> None:
        self.leg = leg
        self.dialogue = dialogue
        self.media: CallMedia | None = None
        self._transport = transport
        self._changing = asyncio.Lock()
        """One change of the media at a time."""

    # -- what the kernel asks

    def send_dtmf(self, digits: str) -> None:
        if self.media is None or not self.media.send_dtmf(digits):
            super().send_dtmf(digits)

    @property
    def takes_dtmf(self) -> bool:
        agreed = self.media.agreed if self.media else None
        return agreed is not None and agreed.telephone_event_pt is not None

    def send_text(self, text: str) -> None:
        if self.media is None or not self.media.takes_text:
            super().send_text(text)
        else:
            self.media.send_text(text)

    @property
    def takes_text(self) -> bool:
        return self.media is not None and self.media.takes_text

    def release(self) -> None:
        """The leg is over."""
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

    def _take_info(self, event: InfoReceived) -> None:
        """Digits of phones that send them by INFO."""
        text = event.request.body.decode("utf-8", "replace")
        kind = event.request.content_type
        if kind == "application/dtmf-relay":
            fields = dict(
                line.strip().partition("=")[::2] for line in text.splitlines() if "=" in line
            )
            text = next((v for k, v in fields.items() if k.strip().lower() == "signal"), "")
        elif kind != "application/dtmf":
            return
        digit = text.strip().upper()[:1]
        if digit and digit in "0123456789*#ABCD":
            self.leg.digit_received(digit)
