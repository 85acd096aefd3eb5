"""An offer passes the check exactly if it can be answered: a call that rings is no dead end."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sdp.audio import LocalAudio, Srtp
from hookswitch_transport_sip.sdp.description import SessionDescription
from hookswitch_transport_sip.sdp.errors import SdpError
from hookswitch_transport_sip.sdp.negotiation import AudioNegotiation, check

from .test_negotiation import ALICE, offer_of

LINES = [
    "m=audio 4000 RTP/AVP 0 8 101",
    "m=audio 4000 RTP/SAVP 8",
    "m=audio 0 RTP/AVP 0",
    "m=audio 4000 RTP/AVP 18",
    "m=video 4002 RTP/AVP 96",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtpmap:0 OPUS",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
    "a=ptime:soon",
    "a=ptime:30",
    "a=rtcp:",
    "a=rtcp-mux",
    "a=sendonly",
    "c=IN IP4 0.0.0.0",
]


@given(
    st.lists(st.sampled_from(LINES), max_size=8),
    st.sampled_from(["c=IN IP4 198.51.100.7", ""]),
    st.sampled_from(["off", "preferred", "required"]),
)
def test_it_says_what_the_answer_would(lines: list[str], session: str, srtp: Srtp) -> None:
    local = LocalAudio(ALICE.codecs, "192.0.2.1", 4000, 77, srtp=srtp)
    offer = offer_of(*lines, session=session)
    assert outcome(lambda: check(SessionDescription.parse(offer), local)) == outcome(
        lambda: AudioNegotiation(local).answer(offer)
    )


def outcome(job: Callable[[], object]) -> str | None:
    """What it raises, in words."""
    try:
        job()
    except SdpError as error:
        return f"{type(error).__name__} {error}"
    return None
