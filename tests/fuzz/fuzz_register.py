"""Feed damaged REGISTERs to the registrar: python fuzz_register.py [iterations] [seed].

Ends with a traceback if anything but ParseError and RegistrationRefused comes out, if a binding
does not survive the disk, or if a table of bindings contradicts itself.
"""

import itertools
import json
import random
import sys

from hookswitch_transport_sip.registrar.binding import Binding
from hookswitch_transport_sip.registrar.location import Location
from hookswitch_transport_sip.registrar.registration import (
    Policy,
    Registration,
    RegistrationRefused,
)
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.parser import parse

SEED = (
    b"REGISTER sip:example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK74bf9;rport\r\n"
    b"From: <sip:alice@example.com>;tag=9f\r\n"
    b"To: <sip:alice@example.com>\r\n"
    b"Call-ID: 38@example.com\r\n"
    b"CSeq: 17 REGISTER\r\n"
    b"Contact: <sip:alice@192.0.2.1:5060;transport=udp>;q=0.5;expires=120, <sip:alice@[::1]>\r\n"
    b"Expires: 600\r\n"
    b"Path: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n"
    b"Content-Length: 0\r\n\r\n"
)
PIECES = [b"\r\n", b'"', b"<", b">", b",", b";", b"=", b"*", b"0", b"99999999999", b"%", b"\xc3"]
AORS = [f"sip:user{number}@example.com" for number in range(5)]
POLICY = Policy()


def damage(data: bytes, source: random.Random) -> bytes:
    """Take all contacts away sometimes; drop lines; cut, insert or repeat here and there."""
    lines = data.split(b"\r\n")
    if source.random() < 0.1:
        lines[6:8] = [b"Contact: *", b"Expires: 0"]
    for _ in range(source.choice((0, 0, 1, 2))):
        del lines[source.randrange(1, len(lines) - 3)]
    data = b"\r\n".join(lines).replace(b"17", str(source.randint(0, 60)).encode())
    for _ in range(source.choice((0, 0, 1, 3))):
        at = source.randrange(len(data) + 1)
        cut = at + source.choice((0, 0, 1, 2, 8))
        data = data[:at] + source.choice((*PIECES, data[at : at + 30])) + data[cut:]
    return data


def register(table: Location, data: bytes, aor: str, now: float) -> bool:
    """Do what one REGISTER asks for; tell whether it was accepted."""
    hop = Hop("192.0.2.1", 5060)
    try:
        request = parse(data)
        if not isinstance(request, Request):
            return False
        table.register(Registration.from_request(request, aor, hop, POLICY), now)
    except (ParseError, RegistrationRefused):
        return False
    return True


def check(table: Location, now: float) -> None:
    """Look for contradictions."""
    bindings = list(table)
    assert len(bindings) == len(table)
    for aor in AORS:
        contacts = [binding.contact for binding in table.of(aor)]
        assert len(contacts) <= POLICY.max_contacts
    for binding in bindings:
        assert now < binding.expires_at <= now + POLICY.max_expires
        packed = json.loads(json.dumps(binding.pack(0.0)))
        assert str(Binding.unpack(binding.id, packed, 0.0).contact) == str(binding.contact)
        assert binding.target.uri == binding.contact
    due = table.next_timer()
    assert due == min((binding.expires_at for binding in bindings), default=None)


def main(iterations: int = 20_000, seed: int = 0) -> int:
    """Run; return how many REGISTERs were accepted."""
    source, ids = random.Random(seed), itertools.count()
    table, now, accepted = Location(POLICY, lambda: str(next(ids))), 0.0, 0
    for _ in range(iterations):
        now += source.expovariate(1 / 20)
        table.handle_timer(now)
        accepted += register(table, damage(SEED, source), source.choice(AORS), now)
        check(table, now)
    return accepted


if __name__ == "__main__":
    print("accepted", main(*map(int, sys.argv[1:])))
