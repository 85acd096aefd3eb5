"""Which messages are a leg's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hookswitch_transport_sip.sip.call import Call
from hookswitch_transport_sip.sip.uas import InboundCall

from .ladder import Message

_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE)
_CSEQ = re.compile(rb"\r\ncseq[ \t]*:[ \t]*(\d+)", re.IGNORECASE)
_TAGS = re.compile(rb"\r\n([Ff]rom|[Tt]o|[fFtT])[ \t]*:[^\r\n]*?;[ \t]*tag[ \t]*=[ \t]*([^\s;,]+)")


def call_id_of(data: bytes) -> str | None:
    """The Call-ID of a message, if it has one."""
    found = _CALL_ID.search(data)
    return None if found is None else found[1].decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class View:
    """What a leg sees of a Call-ID: two legs of one are told apart by their tags."""

    call_id: str
    tag: str
    invite: int | None = None
    """Of a call that came in, the CSeq of its INVITE: that and its CANCEL lack our tag. A caller
    that was refused may try again with the same Call-ID."""

    @classmethod
    def of(cls, call: Call) -> View:
        """The messages of one call of the SIP core."""
        number = call.invite_request.cseq.number if isinstance(call, InboundCall) else None
        return cls(call.call_id, call.local_tag, number)

    def shows(self, message: Message) -> bool:
        """Whether a message of the Call-ID is one of this leg's."""
        head = message.data.partition(b"\r\n\r\n")[0]
        tags: dict[bytes, bytes] = {name[:1].lower(): tag for name, tag in _TAGS.findall(head)}
        is_request = not head.startswith(b"SIP/")
        ours = tags.get(b"f" if message.sent == is_request else b"t", b"")
        if ours:
            return ours == self.tag.encode()
        number = _CSEQ.search(head)
        return number is not None and int(number[1]) == self.invite


@dataclass(slots=True)
class LegViews:
    """All a leg sees: a call to several targets has a Call-ID for each of them."""

    call_id: str
    """What the leg is known by."""
    views: list[View] = field(default_factory=list)
    closed: int = 0
    """How many of them, from the first, are over."""
