"""Feed damaged SIP messages to the parser: python fuzz_sip_message.py [iterations] [seed].

Ends with a traceback if anything but ParseError comes out, or if a message that
was accepted does not survive printing and parsing again.
"""

import random
import sys

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.parser import parse, salvage

SEED = (
    b"INVITE sip:bob@biloxi.example.com;transport=udp SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK74bf9;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "A, \\"l" <sip:alice@atlanta.example.com>;tag=9f\r\n'
    b"To: Bob <sip:bob@biloxi.example.com?a=b>\r\n"
    b"Call-ID: 38@atlanta.example.com\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:alice@192.0.2.1:5060>;q=0.5, sip:x@y\r\n"
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    b"Require: timer\r\n"
    b"Content-Length: 3\r\n\r\nv=0"
)
PIECES = [b"\r\n", b"\r\n\t", b'"', b"<", b">", b",", b";", b"\\", b"%", b"@", b"[", b"\0", b"\xc3"]


def damage(data: bytes, source: random.Random) -> bytes:
    """Cut, insert, repeat or flip at a few random places."""
    for _ in range(source.randint(1, 5)):
        at = source.randrange(len(data) + 1)
        cut = at + source.choice((0, 1, 1, 2, 8, 40))
        piece = source.choice((*PIECES, source.randbytes(2), data[at : at + 30] * 2))
        data = data[:at] + piece + data[cut:]
    return data


def check(data: bytes) -> bool:
    """Parse one input; return whether it was accepted."""
    salvage(data)
    try:
        message = parse(data)
    except ParseError:
        return False
    printed = bytes(message)
    if bytes(parse(printed)) != printed:
        raise AssertionError(f"does not round-trip: {data!r}")
    return True


def main(iterations: int = 20_000, seed: int = 0) -> int:
    """Run; return how many inputs were accepted."""
    source = random.Random(seed)
    return sum(check(damage(SEED, source)) for _ in range(iterations))


if __name__ == "__main__":
    print("accepted", main(*map(int, sys.argv[1:])))
