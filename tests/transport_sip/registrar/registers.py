"""REGISTERs as the wire has them, and a location service to put them into."""

from __future__ import annotations

import itertools

from hookswitch_transport_sip.registrar.location import Change, Location
from hookswitch_transport_sip.registrar.registration import Policy, Registration
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.parser import parse

AOR = "sip:alice@example.com"
PHONE = Hop("192.0.2.10", 5060)
POLICY = Policy(default_expires=3600, min_expires=60, max_expires=7200, max_contacts=3)


def register(*fields: str, call_id: str = "c1", cseq: int = 1, rport: bool = True) -> Request:
    """A REGISTER with further header fields."""
    lines = [
        "REGISTER sip:example.com SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK{call_id}{cseq}{';rport' if rport else ''}",
        "Max-Forwards: 70",
        "From: <sip:alice@example.com>;tag=1",
        "To: <sip:alice@example.com>",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} REGISTER",
        *fields,
    ]
    message = parse("\r\n".join([*lines, "", ""]).encode())
    assert isinstance(message, Request)
    return message


def registration(
    *fields: str,
    call_id: str = "c1",
    cseq: int = 1,
    source: Hop = PHONE,
    policy: Policy = POLICY,
    rport: bool = True,
) -> Registration:
    """What such a REGISTER asks for."""
    request = register(*fields, call_id=call_id, cseq=cseq, rport=rport)
    return Registration.from_request(request, AOR, source, policy)


def location(policy: Policy = POLICY) -> Location:
    """An empty location service with ids 1, 2, …"""
    ids = itertools.count(1)
    return Location(policy, lambda: str(next(ids)))


def kinds(changes: list[Change]) -> list[tuple[str, str]]:
    """What happened to which contact."""
    return [(change.kind.value, str(change.binding.contact)) for change in changes]
