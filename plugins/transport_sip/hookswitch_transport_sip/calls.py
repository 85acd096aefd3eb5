"""SIP calls as the kernel's legs see them: what both directions share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hookswitch.plugin import Call, Conflict, Leg

from .hold import Hold
from .media import CallMedia
from .referred import Referred
from .renegotiation import Renegotiation
from .sdp.audio import NegotiatedAudio
from .sip.call import Call as Dialogue
from .sip.events import (
    AckTimedOut,
    ByeReceived,
    DialogLost,
    Event,
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
    SessionExpired,
)
from .transfer import Transfer

if TYPE_CHECKING:
    from .transport import SipTransport


class SipCall(Call):
    """One leg's SIP call. Events of the SIP core come in by `handle`, in order."""

    def __init__(self, transport: SipTransport, leg: Leg, dialogue: Dialogue) -> None:
        self.leg = leg
        self.dialogue = dialogue
        self.media: CallMedia | None = None
        self._transport = transport
        self.changing = asyncio.Lock()
        """One change of the media at a time."""
        self.renegotiation = Renegotiation(self)
        self.hold_state = Hold(self)
        self._transfer = Transfer(self)
        self._referred: Referred | None = None

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
        if self.media is None or not self.media.send_dtmf(digits):
            super().send_dtmf(digits)

    @property
    def takes_dtmf(self) -> bool:
        agreed = self.media.agreed if self.media else None
        return agreed is not None and agreed.telephone_event_pt is not None

    def release(self) -> None:
        """The leg is over."""
        self.renegotiation.close()
        if self._referred is not None:
            self._referred.close()
        if self.media is not None:
            self.media.close()
        self._transport.forget(self)

    # -- what the SIP core tells

    def handle(self, event: Event) -> None:
        """Something happened to this call."""
        if isinstance(event, ByeReceived):
            self._end("remote_bye")
        elif isinstance(event, AckTimedOut | DialogLost | PrackTimedOut):
            self._end("timeout")
        elif isinstance(event, SessionExpired):
            self._end("session_expired")
        elif isinstance(event, InfoReceived):
            self._take_info(event)
        else:
            self._handle_session(event)
            self._handle_transfer(event)

    def _handle_session(self, event: Event) -> None:
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

    def _handle_transfer(self, event: Event) -> None:
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

    def spawn(self, work: object) -> None:
        self._transport.switch.spawn(work)  # type: ignore[arg-type]  # a coroutine

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
