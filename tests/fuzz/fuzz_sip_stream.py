"""Feed damaged SIP streams to the framer: python fuzz_sip_stream.py [iterations] [seed].

Ends with a traceback if anything but ParseError comes out, if octets are lost or invented, or if
the way a stream is cut changes what comes out of it.
"""

import random
import sys

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.framing import Framer, KeepAlive

MESSAGES = (
    b"BYE sip:a SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\nContent-Length: 0\r\n\r\n",
    b"SIP/2.0 200 OK\r\nl:3\r\n\r\nv=0",
    b"INFO sip:a SIP/2.0\r\nContent-Length:\t8\r\nX: y\r\n\r\n\r\n\r\nBYE ",
    b"\r\n\r\n",
    b"\r\n",
)
PIECES = (b"\r\n", b"\r", b"\n", b"Content-Length: 4\r\n", b"l: x\r\n", b"\0", b":", b"9", b" ")


def stream(source: random.Random) -> bytes:
    """Some messages, sometimes damaged in a few places."""
    data = b"".join(source.choice(MESSAGES) for _ in range(source.randint(1, 6)))
    for _ in range(source.choice((0, 0, 1, 2, 4))):
        at = source.randrange(len(data) + 1)
        piece = source.choice((*PIECES, source.randbytes(3)))
        data = data[:at] + piece + data[at + source.choice((0, 1, 5)) :]
    return data


def taken(data: bytes, cuts: list[int]) -> tuple[list[bytes], bool]:
    """What comes out of a stream that arrives in these pieces, and whether it ends in an error."""
    framer, items, start = Framer(), [], 0
    try:
        for cut in (*cuts, len(data)):
            framer.receive(data[start:cut])
            start = cut
            while (item := framer.next()) is not None:
                items.append(item.value if isinstance(item, KeepAlive) else item)
    except ParseError:
        return items, True
    if b"".join(items) + framer.rest != data:
        raise AssertionError(f"octets were lost or invented: {data!r}")
    return items, False


def check(source: random.Random) -> bool:
    """Check one stream; return whether it could be read to its end."""
    data = stream(source)
    items, broken = taken(data, [])
    cuts = sorted(source.randrange(len(data) + 1) for _ in range(source.randint(0, 8)))
    if taken(data, cuts) != (items, broken):
        raise AssertionError(f"{cuts} changes what comes out of {data!r}")
    return not broken


def main(iterations: int = 20_000, seed: int = 0) -> int:
    """Run; return how many streams could be read."""
    source = random.Random(seed)
    return sum(check(source) for _ in range(iterations))


if __name__ == "__main__":
    print("readable", main(*map(int, sys.argv[1:])))
