"""Feed damaged text packets to a stream: python fuzz_text.py [iterations] [seed].

Ends with a traceback if anything comes out but text that can be written as UTF-8, or if the stream
no longer reads afterwards.
"""

import random
import sys

from hookswitch_transport_sip.text.packets import TextPacket
from hookswitch_transport_sip.text.receiver import ReceiveFormat
from hookswitch_transport_sip.text.redundancy import Block, RedundantPayload
from hookswitch_transport_sip.text.sender import FirstNumbers, SendFormat
from hookswitch_transport_sip.text.stream import TextParams, TextStream

PEER = ("192.0.2.7", 5004)
PARAMS = TextParams(SendFormat(98, 99), ReceiveFormat((98,), (99,)), PEER, None)


def packet(number: int, text: str, ssrc: int = 7) -> bytes:
    """One of a stream in which each packet repeats its own text, as if it had been sent before."""
    data = text.encode()
    payload = RedundantPayload((Block(600, data), Block(300, data)), data).pack(98)
    return TextPacket(99, number, number * 300, ssrc, payload).pack()


def damage(data: bytes, source: random.Random) -> bytes:
    """Flip, cut or insert at a few random places."""
    for _ in range(source.randint(0, 3)):
        at = source.randrange(len(data) + 1)
        data = (
            data[:at]
            + source.randbytes(source.choice((0, 1, 4)))
            + data[at + source.choice((0, 1, 3)) :]
        )
    return data


def main(iterations: int = 20000, seed: int = 1) -> None:
    source = random.Random(seed)
    stream = TextStream(PARAMS, FirstNumbers(1, 2, 3), 0.0, lambda: 0.0)
    now, read = 0.0, 0
    for number in range(iterations):
        now += source.choice((0.0, 0.1, 1.0))
        text = stream.receive(damage(packet(number, "a\u00e4\U0001f600\b"), source), PEER, now)
        text += stream.handle_timer(max(now, stream.next_timer()))
        read += len(text.encode())
        stream.to_send()
        stream.rtcp_to_send()
    for number in range(3):
        text = stream.receive(packet(number, f"<{number}>", ssrc=0xFEED), PEER, now + 10)
    assert text.endswith("<2>"), text
    print(f"{iterations} packets, {read} bytes of text")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
