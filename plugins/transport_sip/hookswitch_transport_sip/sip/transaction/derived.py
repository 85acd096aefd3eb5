"""Requests that follow from an INVITE hop by hop: CANCEL, and ACK of a failure."""

from hookswitch_transport_sip.sip.grammar import split_commas
from hookswitch_transport_sip.sip.headers import Headers
from hookswitch_transport_sip.sip.message import Request, Response


def ack_of_failure(invite: Request, response: Response) -> Request:
    """Build the ACK of a 3xx-6xx response (RFC 3261 section 17.1.1.3)."""
    return _derive(invite, "ACK", response.headers.get("To") or "")


def cancel_of(invite: Request) -> Request:
    """Build the CANCEL of an INVITE (RFC 3261 section 9.1)."""
    return _derive(invite, "CANCEL", invite.headers.get("To") or "")


def _derive(invite: Request, method: str, to: str) -> Request:
    source = invite.headers
    items = [
        ("Via", split_commas(source.get("Via") or "")[0]),
        ("Max-Forwards", "70"),
        ("From", source.get("From") or ""),
        ("To", to),
        ("Call-ID", invite.call_id),
        ("CSeq", f"{invite.cseq.number} {method}"),
        *(("Route", value) for value in source.get_all("Route")),
    ]
    return Request(method, invite.uri, Headers.of_canonical(items))
