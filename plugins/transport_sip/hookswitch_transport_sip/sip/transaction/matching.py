"""Keys by which messages find their transaction (RFC 3261 sections 17.1.3, 17.2.3, 8.2.2.2)."""

from __future__ import annotations

from hookswitch_transport_sip.sip.grammar import split_commas
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response

Key = tuple[object, ...]


def client_key(message: Request | Response) -> Key:
    """Name the client transaction of a request we send or a response we get."""
    return message.via.branch, message.cseq.method


def server_key(request: Request, method: str | None = None) -> Key:
    """Name the server transaction of a request; `method` INVITE finds what a CANCEL means."""
    method = method or request.method
    if method == "ACK":
        method = "INVITE"
    via = request.via
    if via.is_rfc3261:
        return via.branch, via.sent_by, method
    return _old_key(request, method)


def _old_key(request: Request, method: str) -> Key:
    """Match as RFC 2543 did. The To tag of an ACK is left out: it differs from the INVITE's."""
    via = request.via
    params = via.params.without("received").without("rport")
    who = (request.from_.tag, request.call_id, request.cseq.number)
    return ("2543", str(request.uri), who, via.sent_by, str(params), method)


def merge_key(request: Request) -> Key | None:
    """Name a request independently of its path; None within a dialog."""
    if request.to.tag is not None:
        return None
    cseq = request.cseq
    return request.from_.tag, request.call_id, cseq.number, cseq.method


def stamp_via(request: Request, source: Hop) -> None:
    """Note the source of a request in its topmost Via (section 18.2.1, RFC 3581)."""
    first, *rest = split_commas(request.headers.get("Via") or "")
    stamped = str(request.via.stamped(source.host, source.port))
    if stamped != first:
        request.headers.set_first("Via", ", ".join((stamped, *rest)))
