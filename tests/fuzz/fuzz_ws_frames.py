"""Feed damaged messages to WebSocket legs' parser: python fuzz_ws_frames.py [iterations] [seed].

Ends with a traceback if anything but FrameError comes out, or if a message that was accepted does
not survive packing and unpacking.
"""

import random
import sys

from hookswitch_transport_ws.frames import FrameError, Wire

SEEDS = (
    b'{"type":"audio","audio":"AAECAwQFBgc="}',
    b'{"type":"text","text":"h\\u00e9\xc3\xa9\\ud83d\\ude00"}',
    b'{"type":"ping","event_id":12345678901234567890}',
    b'{"type":"pong","event_id":null,"more":[{"a":1e9}]}',
    b'{"type":"hangup"}',
    b'{"type":"error","error":{"a":"b"}}',
    bytes(range(64)),
)
PIECES = [
    b'"',
    b"{",
    b"}",
    b"[" * 2000,
    b"\\u",
    b"\\ud800",
    b"=",
    b"-",
    b"9" * 5000,
    b"\0",
    b"\xc3",
]


def damage(data: bytes, source: random.Random) -> bytes:
    """Cut, insert or repeat at a few random places."""
    for _ in range(source.randint(0, 3)):
        at = source.randrange(len(data) + 1)
        cut = at + source.choice((0, 1, 1, 2, 8))
        piece = source.choice((*PIECES, source.randbytes(2), data[at : at + 20] * 2))
        data = data[:at] + piece + data[cut:]
    return data


def check(wire: Wire, data: bytes | str) -> bool:
    """Unpack one input; return whether it was accepted."""
    try:
        message = wire.unpack(data)
    except FrameError:
        return False
    if wire.unpack(wire.pack(message)) != message:
        raise AssertionError(f"does not round-trip: {data!r}")
    return True


def main(iterations: int = 20_000, seed: int = 0) -> int:
    """Run; return how many inputs were accepted."""
    source = random.Random(seed)
    wires = (Wire("binary"), Wire("json_base64"))
    accepted = 0
    for _ in range(iterations):
        data = damage(source.choice(SEEDS), source)
        text = data.decode("utf-8", "replace")
        accepted += sum(check(wire, form) for wire in wires for form in (data, text))
    return accepted


if __name__ == "__main__":
    print("accepted", main(*map(int, sys.argv[1:])))
