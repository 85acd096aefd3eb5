"""An offer that came in a PRACK or UPDATE and waits for the user's answer (RFC 3311, RFC 3262)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dialog import Dialog
from .errors import StateError
from .events import OfferReceived
from .message import Request
from .pending import Pending
from .transaction.base import ServerTransaction

if TYPE_CHECKING:
    from .call import Call


class Offered:
    """At most one at a time: `Dialog.pending` says when another may come."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._waiting: tuple[ServerTransaction, Dialog] | None = None

    @property
    def is_waiting(self) -> bool:
        return self._waiting is not None

    def refusal(self, dialog: Dialog) -> tuple[int, list[tuple[str, str]]] | None:
        """Why no offer of theirs can be taken now (RFC 3311 section 5.2)."""
        if dialog.pending is Pending.OURS:
            return 491, []
        if dialog.pending is Pending.THEIRS or self.is_waiting:
            return 500, [("Retry-After", str(self._call.core.random.randint(0, 10)))]
        return None

    def take(self, transaction: ServerTransaction, dialog: Dialog) -> None:
        """Hand an offer to the user."""
        dialog.pending = Pending.THEIRS
        self._waiting = transaction, dialog
        request = transaction.request
        self._call.core.emit(OfferReceived(self._call, request, request.sdp or b""))

    def accept(self, sdp: bytes, now: float) -> None:
        """Answer it."""
        transaction, dialog = self._done()
        dialog.refresh_target(transaction.request)
        self._call.respond(
            transaction, 200, now, success_headers(self._call, transaction, now), sdp
        )

    def reject(self, status: int, now: float) -> None:
        """Refuse it; the session stays as it is."""
        self._call.respond(self._done()[0], status, now)

    def drop(self, now: float) -> None:
        """The session is over."""
        if self._waiting is not None:
            self.reject(487, now)

    def _done(self) -> tuple[ServerTransaction, Dialog]:
        if self._waiting is None:
            raise StateError("no offer waits for an answer")
        waiting, self._waiting = self._waiting, None
        waiting[1].pending = Pending.NONE
        return waiting


def handle_update(call: Call, transaction: ServerTransaction, request: Request, now: float) -> None:
    """Take an UPDATE: at once if it brings no offer."""
    dialog = call.dialog_of(request)
    if dialog is None:
        call.respond(transaction, 481, now)
    elif request.sdp is None:
        dialog.refresh_target(request)
        call.respond(transaction, 200, now, success_headers(call, transaction, now))
    elif (refusal := call.offered.refusal(dialog)) is not None:
        call.respond(transaction, refusal[0], now, refusal[1])
    else:
        call.offered.take(transaction, dialog)


def success_headers(
    call: Call, transaction: ServerTransaction, now: float
) -> list[tuple[str, str]]:
    """What a 2xx to an UPDATE or PRACK says beside the session."""
    if transaction.request.method != "UPDATE":
        return []
    contact = ("Contact", str(call.contact_for(transaction)))
    timer = call.timer.answer_headers(transaction.request, now) if call.is_confirmed else []
    return [contact, *call.core.capabilities(), *timer]
