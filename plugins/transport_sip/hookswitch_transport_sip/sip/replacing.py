"""An INVITE that wants to take the place of another call (RFC 3891 section 3)."""

from __future__ import annotations

from .call import Call, CallState
from .core import Core
from .errors import ParseError
from .message import Request
from .replaces import Replaces


def replaced_by(core: Core, request: Request) -> Call | int | None:
    """The call an INVITE replaces, None if it is a new one; a status if it must be refused."""
    values = request.headers.get_all("Replaces")
    if not values:
        return None
    if len(values) > 1 or "Join" in request.headers:
        return 400
    try:
        replaces = Replaces.parse(values[0])
    except ParseError:
        return 400
    found = [core.dialogs[key] for key in replaces.dialog_ids if key in core.dialogs]
    return _usable(found[0], replaces) if found else 481


def _usable(call: Call, replaces: Replaces) -> Call | int:
    if call.state is CallState.ENDED:
        return 603
    if call.state is CallState.CONFIRMED:
        return 486 if replaces.early_only else call
    return call if call.owns_call_id else 481
