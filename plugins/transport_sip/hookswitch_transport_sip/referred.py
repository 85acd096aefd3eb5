"""A transfer that the peer asks for: decided by the application, or carried out by us."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, cast

from hookswitch.plugin import (
    BadRequest,
    Conflict,
    HookswitchError,
    LegTransferCompleted,
    LegTransferFailed,
    LegTransferProgressed,
    LegTransferRequested,
)

from .create import CreateSipLeg
from .sip.events import ReferReceived
from .sip.status import reason_phrase

if TYPE_CHECKING:
    from .calls import SipCall
    from .transport import SipTransport

GRACE = 2.0
"""Seconds in which who transferred a call successfully may hang up by itself."""


Watcher = Callable[[int, str], None]


class Watched(Protocol):
    """A call of ours that tells how its INVITE goes, by status and reason."""

    watch: Watcher | None


class Decision(Enum):
    """Whose turn it is."""

    AWAITED = "awaited"
    ACCEPTED = "accepted"
    DIALLING = "dialling"
    OVER = "over"


class Referred:
    """One REFER of the peer of a leg."""

    def __init__(self, transport: SipTransport, call: SipCall, event: ReferReceived) -> None:
        self._transport, self._call = transport, call
        self._event = event
        self._decision = Decision.AWAITED
        self._timer: asyncio.TimerHandle | None = None

    @property
    def target(self) -> str:
        """Whom we are asked to call."""
        return str(self._event.refer_to.uri.without_headers())

    def begin(self) -> None:
        """Tell the application, and wait for it or dial."""
        leg, replaces = self._call.leg, self._event.replaces
        leg.emit(
            LegTransferRequested(
                leg_id=leg.id,
                kind="blind" if replaces is None else "attended",
                target=self.target,
                replaces_call_id=None if replaces is None else replaces.call_id,
            )
        )
        settings = self._transport.settings
        if settings.sip_refer_auto_dial:
            self._decision = Decision.DIALLING
            self._call.spawn(self._dial())
        else:
            self._after(settings.sip_refer_consult_timeout_ms / 1000, self._nobody_decided)

    # -- decisions of the application

    def accept(self) -> None:
        """The application sees to it. Raises Conflict."""
        if self._decision is not Decision.AWAITED:
            raise Conflict(f"the transfer of leg {self._call.leg.id} is {self._decision.value}")
        self._decision = Decision.ACCEPTED
        self._quiet()

    def report(self, status: int, reason: str | None) -> None:
        """How it goes, or ended. Raises Conflict."""
        if self._decision is Decision.AWAITED:
            self.accept()
        if self._decision is not Decision.ACCEPTED:
            raise Conflict(f"the transfer of leg {self._call.leg.id} is {self._decision.value}")
        self._report(status, reason)

    def close(self) -> None:
        """The leg is over; a call we are dialling goes on, and its outcome is told."""
        if self._decision in (Decision.AWAITED, Decision.ACCEPTED):
            self._report(603, None, "the leg hung up")
        self._quiet()

    # -- by ourselves

    async def _dial(self) -> None:
        """Call the target; the new leg takes this one's place in its room."""
        leg = self._call.leg
        try:
            new = await self._transport.originate(self._request())
        except HookswitchError as error:
            status = 400 if isinstance(error, BadRequest) else 503
            self._report(status, None, re.sub("^to: ", "target: ", str(error)))
            return
        new.role, new.muted, new.deaf = leg.role, leg.muted, leg.deaf
        cast(Watched, new.call).watch = self._told

    def _request(self) -> CreateSipLeg:
        leg, dialog = self._call.leg, self._call.dialogue.confirmed_dialog
        event, webhook = self._event, leg.options.webhook
        referred_by = event.request.headers.get("Referred-By") or f"<{dialog.remote.uri}>"
        headers = {"Referred-By": referred_by}
        if event.replaces is not None:
            headers["Replaces"] = str(event.replaces)
        fields: dict[str, Any] = {
            "type": "sip",
            "to": self.target,
            "from": str(dialog.local.uri),
            "headers": headers,
            "room_id": leg.room_id,
            "app_id": leg.app_id,
            "accept_dtmf": leg.accept_dtmf,
            "speech_detection": leg.options.speech_detection,
        }
        if webhook is not None:
            fields |= {"webhook_url": webhook.url, "webhook_secret": webhook.secret}
        return CreateSipLeg.model_validate(fields)

    def _told(self, status: int, reason: str) -> None:
        """The new call went on."""
        if self._decision is not Decision.DIALLING:
            return
        if 200 <= status < 300:
            self._call.spawn(self._leave_room())
        self._report(status, reason)

    async def _leave_room(self) -> None:
        leg = self._call.leg
        if leg.room_id is not None:
            with suppress(HookswitchError):  # it has just gone by itself
                await self._transport.switch.rooms.remove(leg.room_id, leg)

    # -- within

    def _nobody_decided(self) -> None:
        self._report(603, None, "nobody decided in time")

    def _report(self, status: int, reason: str | None, error: str | None = None) -> None:
        """Tell the peer and the application; when it went well, the leg is done."""
        call, leg = self._call, self._call.leg
        reason = reason or reason_phrase(status)
        if call.dialogue.referral.is_open:
            call.dialogue.referral.report(status, reason, call.now())
            call.settle()
        if status < 200:
            leg.emit(LegTransferProgressed(leg_id=leg.id, status_code=status, reason=reason))
            return
        self._quiet()
        self._decision = Decision.OVER
        if status < 300:
            leg.emit(LegTransferCompleted(leg_id=leg.id, status_code=status, reason=reason))
            self._after(GRACE, lambda: leg.hang_up("transfer_completed"))
        else:
            error = error or f"the target answered {status} {reason}"
            leg.emit(
                LegTransferFailed(leg_id=leg.id, status_code=status, reason=reason, error=error)
            )

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, action)

    def _quiet(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
