"""Calls we place."""

from __future__ import annotations

from hookswitch.plugin import LegState

from .calls import SipCall
from .media import MEDIA_ERRORS
from .reasons import reason_of
from .sip.events import Answered, Event, Failed, Progressed
from .sip.uac import OutboundCall


class OutboundSipCall(SipCall):
    """An INVITE that was sent."""

    dialogue: OutboundCall
    _failed = False

    def hang_up(self, reason: str) -> None:
        if self.dialogue.is_confirmed:
            self.dialogue.bye(self.now())
            self._end(reason)
        elif self.leg.is_unanswered and not self._failed:
            self.dialogue.cancel(self.now())
            self._end(reason)
        self.settle()

    def handle(self, event: Event) -> None:
        if isinstance(event, Progressed):
            if event.sdp:
                self.spawn(self._progressed(event.sdp))
        elif isinstance(event, Answered):
            self.spawn(self._answered(event.sdp))
        elif isinstance(event, Failed):
            self._failed = True
            self._end(reason_of(event.status, local=event.local))
        else:
            super().handle(event)

    async def _progressed(self, sdp: bytes) -> None:
        """Early media (RFC 3960); of a fork, the branch that spoke last is heard."""
        assert self.media is not None
        if not self.leg.is_unanswered:
            return
        try:
            async with self._changing:
                await self.media.apply(self.media.negotiation.receive_answer(sdp))
        except MEDIA_ERRORS as error:
            self.leg.log.info("no early media: %s", error)
            return
        await self.leg.early_media_started()

    async def _answered(self, sdp: bytes | None) -> None:
        assert self.media is not None
        try:
            async with self._changing:
                if sdp is not None:
                    await self.media.apply(self.media.negotiation.receive_answer(sdp))
        except MEDIA_ERRORS as error:
            self.leg.log.info("the answer does not fit: %s", error)
            self.leg.hang_up("not_acceptable")
            return
        if self.media.agreed is None:
            self.leg.hang_up("not_acceptable")
            return
        await self.leg.connected()
        if self.leg.state is LegState.CONNECTED and self.media.agreed.held_by_peer:
            self.leg.held()
