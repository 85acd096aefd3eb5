"""Feed damaged session descriptions to offer/answer: python fuzz_sdp.py [iterations] [seed].

Ends with a traceback if anything but SdpError comes out, or if a description that was accepted
does not survive printing and parsing again.
"""

import random
import sys

from hookswitch.codecs.g711 import PCMA, PCMU
from hookswitch_transport_sip.rtp.keys import SrtpKeys
from hookswitch_transport_sip.sdp.audio import LocalAudio
from hookswitch_transport_sip.sdp.description import SessionDescription
from hookswitch_transport_sip.sdp.errors import SdpError
from hookswitch_transport_sip.sdp.negotiation import AudioNegotiation
from hookswitch_transport_sip.sdp.streams import offered_codecs

KEYS = SrtpKeys.generate()
LOCAL = LocalAudio((PCMU, PCMA), "192.0.2.1", 4000, 1, srtp="preferred", keys=KEYS)
SEED = (
    b"v=0\r\no=- 1 2 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7/1\r\nt=0 0\r\na=sendonly\r\n"
    b"m=audio 5002 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
    b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^31|1:4 KDR=1\r\na=crypto:2 "
    b"AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n"
    b"m=video 7000/2 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n"
    b"m=audio 5000 RTP/AVP 0 97 101\r\nc=IN IP6 2001:db8::7\r\na=rtpmap:97 opus/48000/2\r\n"
    b"a=fmtp:97 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
    b"a=ptime:20\r\na=maxptime:40\r\na=rtcp:5009 IN IP4 192.0.2.8\r\na=rtcp-mux\r\n"
)
PIECES = [b"\r\n", b"\n", b"=", b":", b"/", b" ", b"a=", b"m=", b"\0", b"\xff", b"0", b"9" * 30]


def damage(data: bytes, source: random.Random) -> bytes:
    """Cut, insert, repeat or flip at a few random places."""
    for _ in range(source.randint(1, 5)):
        at = source.randrange(len(data) + 1)
        cut = at + source.choice((0, 1, 1, 2, 8, 40))
        piece = source.choice((*PIECES, source.randbytes(2), data[at : at + 30] * 2))
        data = data[:at] + piece + data[cut:]
    return data


def check(data: bytes) -> bool:
    """Offer and answer with one input; return whether it was accepted."""
    try:
        description = SessionDescription.parse(data)
        offered_codecs(description)
    except SdpError:
        return False
    assert SessionDescription.parse(bytes(description)) == description
    accepted = False
    for offers in (False, True):
        negotiation = AudioNegotiation(LOCAL)
        try:
            if offers:
                negotiation.offer()
                negotiation.receive_answer(data)
            else:
                SessionDescription.parse(negotiation.answer(data)[0])
                SessionDescription.parse(negotiation.offer())
            accepted = True
        except SdpError:
            continue
    return accepted


def main(iterations: int = 20000, seed: int = 1) -> None:
    source = random.Random(seed)
    accepted = sum(check(damage(SEED, source)) for _ in range(iterations))
    print(f"{iterations} inputs, {accepted} accepted")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
