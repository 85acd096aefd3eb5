"""SIP calls as the kernel's legs see them: what both directions share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from hookswitch.plugin import Call, Conflict, Leg, OperationFailed

from .hold import Hold
from .info_sender import InfoSender
from .media import CallMedia
from .referred import Referred
from .renegotiation import Renegotiation
from .sdp.audio import NegotiatedAudio
from .sip.call import Call as Dialogue
from .sip.events import (
    AckTimedOut,
    ByeReceived,
    CallEvent,
    DialogLost,
    InfoReceived,
    OfferReceived,
    PrackTimedOut,
    ReferFinished,
    ReferProgressed,
    ReferReceived,
    RefreshDue,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteFailed,
    ReinviteReceived,
    RequestAnswered,
    SessionExpired,
)
from .sip.info_digits import unpack_digit
from .transfer import Transfer

if TYPE_CHECKING:
    from .transport import SipTransport


class SipCall(Call):
    """One leg's SIP call. Events of the SIP core come in by `handle`, in order."""

    def __init__(self, transport: SipTransport, leg: Leg, dialogue: Dialogue) -> None:
        self.leg = leg
        self.dialogue = dialogue
        self._media: CallMedia | None = None
        self._transport = transport
        self._info = InfoSender(self._send_info, self._digits_failed)
        self.changing = asyncio.Lock()
        """One change of the media at a time."""
        self.renegotiation = Renegotiation(self)
        self.hold_state = Hold(self)
        self._transfer = Transfer(self)
        self._referred: Referred | None = None

    @property
    def dialogues(self) -> list[Dialogue]:
        """All it takes part in; a call to several targets has several."""
        return [self.dialogue]

    @property
    def media(self) -> CallMedia | None:
        """None before there is any."""
        return self._media

    @media.setter
    def media(self, media: CallMedia | None) -> None:
        self._media = media
        if media is not None:
            media.on_worn_keys = self._replace_keys

    # -- what the kernel asks

    def hold(self) -> None:
        self.hold_state.change(True)

    def unhold(self) -> None:
        self.hold_state.change(False)

    def transfer(self, target: str, replaces: Leg | None) -> None:
        self._transfer.begin(target, replaces)

    def accept_transfer(self) -> None:
        self._undecided().accept()

    def report_transfer(self, status: int, reason: str | None) -> None:
        self._undecided().report(status, reason)

    def decline_transfer(self, status: int, reason: str | None) -> None:
        self._undecided().report(status, reason)

    def _undecided(self) -> Referred:
        if self._referred is None:
            raise Conflict(f"the peer of leg {self.leg.id} asked for no transfer")
        return self._referred

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
        elif not self.dialogue.may_take("INFO"):
            raise Conflict("the peer takes neither telephone events nor INFO")
        else:
            self._info.send(digits)

    @property
    def takes_dtmf(self) -> bool:
        agreed = self.media.agreed if self.media else None
        if self.media is None or agreed is None:
            return False
        if self.media.takes_events:
            return agreed.direction.sends
        takes_info = self.dialogue.is_confirmed and self.dialogue.may_take("INFO")
        return takes_info and not self._info.refused

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
        self.hold_state.close()
        self.renegotiation.close()
        if self._referred is not None:
            self._referred.close()
        if self.media is not None:
            self.media.close()
        self._transport.forget(self)

    # -- what the SIP core tells

    def handle(self, event: CallEvent) -> None:
        """Something happened to this call."""
        if isinstance(event, ByeReceived):
            self._end("remote_bye")
        elif isinstance(event, AckTimedOut | DialogLost | PrackTimedOut):
            self._end("timeout")
        elif isinstance(event, SessionExpired):
            self._end("session_expired")
        elif isinstance(event, InfoReceived):
            self._take_info(event)
        elif isinstance(event, RequestAnswered) and event.method == "INFO":
            response = event.response
            accept = response.headers.split("Accept")
            self._info.answered(response.status, response.reason, accept)
        else:
            self._handle_session(event)
            self._handle_transfer(event)

    def _handle_session(self, event: CallEvent) -> None:
        if isinstance(event, ReinviteReceived):
            self.spawn(self.renegotiation.reinvited(event.sdp))
        elif isinstance(event, ReinviteAcknowledged) and event.answers_offer:
            self.spawn(self.renegotiation.acknowledged(event.sdp))
        elif isinstance(event, ReinviteAnswered | ReinviteFailed):
            self.renegotiation.handle(event)
        elif isinstance(event, OfferReceived):
            self.spawn(self.renegotiation.offered(event))
        elif isinstance(event, RefreshDue):
            self.spawn(self.renegotiation.refresh())

    def _handle_transfer(self, event: CallEvent) -> None:
        if isinstance(event, ReferProgressed | ReferFinished):
            self._transfer.handle(event)
        elif isinstance(event, ReferReceived):
            self._referred = Referred(self._transport, self, event)
            self._referred.begin()

    # -- for both directions

    def now(self) -> float:
        return self._transport.signalling.now()

    def settle(self) -> None:
        """To be called after anything was done with `dialogue`."""
        self._transport.signalling.settle()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._transport.switch.spawn(work)

    def _end(self, reason: str) -> None:
        self.spawn(self.leg.disconnected(reason))

    @property
    def opened_media(self) -> CallMedia:
        """The media. Raises Conflict before there is any."""
        if self.media is None:
            raise Conflict(f"leg {self.leg.id} has no media")
        return self.media

    async def apply(self, agreed: NegotiatedAudio) -> None:
        """Have the media be as agreed."""
        async with self.changing:
            await self.opened_media.apply(agreed)

    def _replace_keys(self) -> None:
        if self.dialogue.is_confirmed:  # else there is nothing to renegotiate yet
            self.spawn(self.renegotiation.rekey())

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
        if self.media is None or self.media.is_new_digit_by_info(digit):
            self.leg.digit_received(digit)
