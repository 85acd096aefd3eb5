"""A transfer that we ask the peer for (RFC 3515), blind or attended (RFC 5589)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hookswitch.plugin import (
    BadRequest,
    Conflict,
    Leg,
    LegTransferCompleted,
    LegTransferFailed,
    LegTransferInitiated,
    LegTransferProgressed,
)

from .sip.address import NameAddr
from .sip.errors import ParseError, StateError
from .sip.events import ReferFinished, ReferProgressed
from .sip.replaces import Replaces
from .sip.uri import Uri, without_passwords

if TYPE_CHECKING:
    from .calls import SipCall


class Transfer:
    """The REFER on one leg and what becomes of it."""

    def __init__(self, call: SipCall) -> None:
        self._call = call
        self._replaced: Leg | None = None

    def begin(self, target: str, replaced: Leg | None) -> None:
        """Ask for it. Raises BadRequest, Conflict."""
        call, leg = self._call, self._call.leg
        uri = _target(target)
        if replaced is not None:
            uri = replace(uri, headers=(_replaces(replaced).to_uri_header(),))
        if not call.dialogue.is_confirmed:
            raise Conflict(f"leg {leg.id} is not connected but {leg.state}")
        referred_by = f"<{call.dialogue.confirmed_dialog.local.uri}>"
        try:
            call.dialogue.refer(NameAddr(uri), call.now(), [("Referred-By", referred_by)])
        except StateError as error:
            raise Conflict(str(error)) from None
        self._replaced = replaced
        leg.emit(
            LegTransferInitiated(
                leg_id=leg.id,
                kind="blind" if replaced is None else "attended",
                target=without_passwords(target),
                replaces_leg_id=None if replaced is None else replaced.id,
            )
        )
        call.settle()

    def handle(self, event: ReferProgressed | ReferFinished) -> None:
        """The peer told something."""
        leg = self._call.leg
        status, reason = event.status, event.reason
        if isinstance(event, ReferProgressed):
            leg.emit(LegTransferProgressed(leg_id=leg.id, status_code=status, reason=reason))
        elif event.error is None and status < 300:
            leg.emit(LegTransferCompleted(leg_id=leg.id, status_code=status, reason=reason))
            for done in (leg, self._replaced):
                if done is not None:
                    done.hang_up("transfer_completed")
        else:
            error = event.error or f"the target answered {status} {reason}"
            leg.emit(
                LegTransferFailed(leg_id=leg.id, status_code=status, reason=reason, error=error)
            )


def _target(text: str) -> Uri:
    """Whom the peer is to call: by any transport, since what we have does not matter to it."""
    try:
        uri = Uri.parse(text)
    except ParseError as error:
        raise BadRequest(f"target: {error}") from None
    if not uri.is_sip:
        raise BadRequest("target: must be a sip: URI, such as sip:bob@example.com")
    return uri


def _replaces(replaced: Leg) -> Replaces:
    """How the other leg's peer knows that call."""
    dialogue = getattr(replaced.call, "dialogue", None)
    if dialogue is None or not dialogue.is_confirmed:
        raise Conflict("replaces_leg_id: names no connected SIP leg")
    return Replaces.seen_by_peer(dialogue.confirmed_dialog)
