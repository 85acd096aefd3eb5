"""Text streams in offers and answers."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.rtp.keys import SrtpKeys
from hookswitch_transport_sip.sdp.audio import Srtp
from hookswitch_transport_sip.sdp.description import SessionDescription
from hookswitch_transport_sip.sdp.direction import Direction
from hookswitch_transport_sip.sdp.errors import SdpError
from hookswitch_transport_sip.sdp.negotiation import AudioNegotiation
from hookswitch_transport_sip.sdp.session import SessionNegotiation

from .test_negotiation import ALICE, BOB, media_of, offer_of


def session(local=ALICE, *, text: bool = False, port: int | None = 7000) -> SessionNegotiation:
    keys = SrtpKeys.generate()
    return SessionNegotiation(AudioNegotiation(local), lambda: port, keys, offer_text=text)


def version(description: bytes) -> int:
    return SessionDescription.parse(description).origin.version


AUDIO = ("m=audio 5000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000")
TEXT = (
    "m=text 5002 RTP/AVP 100 98",
    "a=rtpmap:98 t140/1000",
    "a=fmtp:98 cps=12",
    "a=rtpmap:100 red/1000",
    "a=fmtp:100 98/98/98/98",
)


def test_two_of_ours_agree_on_text() -> None:
    alice, bob = session(text=True), session(BOB, port=8000)
    offer = alice.offer()
    assert media_of(offer) == ["audio 4000 RTP/AVP 0 8 101", "text 7000 RTP/AVP 99 98"]
    assert b"a=rtpmap:98 t140/1000\r\n" in offer
    assert b"a=rtpmap:99 red/1000\r\na=fmtp:99 98/98/98\r\n" in offer
    answer, _ = bob.answer(offer)
    alice.receive_answer(answer)
    assert alice.text is not None
    assert bob.text is not None
    assert (alice.text.payload_type, alice.text.red_type, alice.text.generations) == (98, 99, 2)
    assert (alice.text.remote, alice.text.remote_rtcp) == (
        ("192.0.2.2", 8000),
        ("192.0.2.2", 8001),
    )
    assert bob.text.remote == ("192.0.2.1", 7000)
    assert alice.text.direction is bob.text.direction is Direction.SENDRECV


def test_without_text_nothing_is_different() -> None:
    plain, ours = AudioNegotiation(ALICE), session()
    assert ours.offer() == plain.offer()
    ours.receive_answer(offer_of(*AUDIO))
    plain.receive_answer(offer_of(*AUDIO))
    for offer in (offer_of(*AUDIO), offer_of("m=video 7 RTP/AVP 31", *AUDIO), offer_of(*AUDIO)):
        assert ours.answer(offer) == plain.answer(offer)


def test_what_a_peer_says_of_its_text_counts() -> None:
    bob = session(BOB)
    answer, _ = bob.answer(offer_of(*AUDIO, *TEXT))
    assert media_of(answer) == ["audio 6000 RTP/AVP 0", "text 7000 RTP/AVP 100 98"]
    assert b"a=fmtp:100 98/98/98\r\n" in answer
    assert bob.text is not None
    assert (bob.text.cps, bob.text.generations) == (12, 3)
    assert (bob.text.payload_type, bob.text.red_type) == (98, 100)
    assert (bob.text.receive_types, bob.text.receive_red_types) == ((98,), (100,))


def test_text_before_audio_and_without_redundancy() -> None:
    bob = session(BOB)
    answer, _ = bob.answer(
        offer_of("m=text 5002 RTP/AVP 98", "a=rtpmap:98 T140/1000", "a=sendonly", *AUDIO)
    )
    assert media_of(answer) == ["text 7000 RTP/AVP 98", "audio 6000 RTP/AVP 0"]
    assert bob.text is not None
    assert (bob.text.red_type, bob.text.cps, bob.text.direction) == (None, 30, Direction.RECVONLY)


def test_text_that_does_not_suit_is_refused_alone() -> None:
    taken: list[int] = []

    def port() -> int:
        taken.append(1)
        return 7000

    for wrong in (
        ("m=text 5002 RTP/AVP 98",),
        ("m=text 5002 RTP/SAVP 98", "a=rtpmap:98 t140/1000"),
        ("m=text 5002 TCP/MSRP *",),
        ("m=text 5002 RTP/AVP 99", "a=rtpmap:99 red/1000"),
        ("m=text 5002 RTP/AVP 98", "a=rtpmap:98 t140/one"),
        ("m=text 0 RTP/AVP 98", "a=rtpmap:98 t140/1000"),
    ):
        bob = SessionNegotiation(AudioNegotiation(BOB), port, {}, offer_text=False)
        answer, agreed = bob.answer(offer_of(*AUDIO, *wrong))
        assert agreed.codec.name == "PCMU"
        assert SessionDescription.parse(answer).media[1].media.port == 0
        assert bob.text is None
    assert taken == []


def test_a_server_without_text_refuses_it() -> None:
    bob = session(BOB, port=None)
    answer, _ = bob.answer(offer_of(*AUDIO, *TEXT))
    assert media_of(answer) == ["audio 6000 RTP/AVP 0", "text 0 RTP/AVP 100 98"]
    assert bob.text is None


def test_without_a_port_no_text_is_offered() -> None:
    alice = session(text=True, port=None)
    assert media_of(alice.offer()) == ["audio 4000 RTP/AVP 0 8 101"]
    alice.receive_answer(offer_of(*AUDIO))
    assert alice.text is None


def secured(local=BOB, srtp: Srtp = "required"):
    return replace(local, srtp=srtp, keys=SrtpKeys.generate())


KEY = b64encode(bytes(30)).decode()
CRYPTO = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"
TEXT_CRYPTO = f"a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:{KEY[::-1]}"


@pytest.mark.parametrize(
    ("ours", "proto"), [("required", "RTP/SAVP"), ("preferred", "RTP/AVP"), ("off", None)]
)
def test_text_is_protected_under_keys_of_its_own(ours: Srtp, proto: str | None) -> None:
    alice, bob = session(secured(ALICE, ours), text=True), session(secured(BOB, "preferred"))
    offer = alice.offer()
    if proto is not None:
        assert media_of(offer)[1] == f"text 7000 {proto} 99 98"
    answer, _ = bob.answer(offer)
    agreed = alice.receive_answer(answer)
    assert alice.text is not None
    assert bob.text is not None
    if ours == "off":
        assert alice.text.srtp is bob.text.srtp is agreed.srtp is None
        return
    assert alice.text.srtp is not None
    assert bob.text.srtp is not None
    assert agreed.srtp is not None
    assert (alice.text.srtp.sends, alice.text.srtp.receives) == (
        bob.text.srtp.receives,
        bob.text.srtp.sends,
    )
    keys = {k for each in (alice.text.srtp, agreed.srtp) for k in (each.sends, each.receives)}
    assert len(keys) == 4, "no key serves two streams"
    # another offer goes on under the same keys, in the same profile
    before = bob.text.srtp
    again, _ = alice.answer(bob.offer())
    assert media_of(again)[1].split()[2] == proto
    bob.receive_answer(again)
    assert bob.text.srtp == before


def test_beside_protected_audio_there_is_no_plain_text() -> None:
    for local in (secured(), secured(srtp="off"), secured(srtp="preferred")):
        bob = session(local)
        offer = offer_of("m=audio 5000 RTP/SAVP 0", CRYPTO, *TEXT)
        answer, agreed = bob.answer(offer)
        assert media_of(answer) == ["audio 6000 RTP/SAVP 0", "text 0 RTP/AVP 100 98"]
        assert agreed.srtp is not None
        assert bob.text is None
    alice = session(secured(ALICE, "preferred"), text=True)
    alice.offer()
    alice.receive_answer(offer_of(*AUDIO, CRYPTO.replace(":1 ", ":3 "), *TEXT))
    assert alice.text is None, "an answer that leaves out the keys of the text"


def test_required_is_for_the_text_as_well() -> None:
    savp = ("m=text 5002 RTP/SAVP 98", "a=rtpmap:98 t140/1000")
    for text, port in ((savp, 0), ((*savp, TEXT_CRYPTO), 7000), ((*TEXT, TEXT_CRYPTO), 7000)):
        bob = session(secured())
        answer, _ = bob.answer(offer_of("m=audio 5000 RTP/SAVP 0", CRYPTO, *text))
        assert SessionDescription.parse(answer).media[1].media.port == port
        assert (bob.text is not None) == bool(port)
        if port:
            assert b"a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:" in answer


def test_protected_text_beside_audio_in_the_clear() -> None:
    bob = session(secured(srtp="off"))
    savp = ("m=text 5002 RTP/SAVP 98", "a=rtpmap:98 t140/1000", TEXT_CRYPTO)
    answer, agreed = bob.answer(offer_of(*AUDIO, *savp))
    assert media_of(answer) == ["audio 6000 RTP/AVP 0", "text 7000 RTP/SAVP 98"]
    assert agreed.srtp is None
    assert bob.text is not None
    assert bob.text.srtp is not None


def test_of_several_text_streams_the_first_that_suits() -> None:
    bob = session(BOB)
    answer, _ = bob.answer(offer_of(*AUDIO, "m=text 5000 RTP/SAVP 98", *TEXT, *TEXT))
    ports = [each.media.port for each in SessionDescription.parse(answer).media]
    assert ports == [6000, 0, 7000, 0]


def test_an_answer_that_refuses_or_leaves_out_the_text() -> None:
    for rest in (("m=text 0 RTP/AVP 99 98",), ()):
        alice = session(text=True)
        alice.offer()
        assert alice.receive_answer(offer_of(*AUDIO, *rest)).codec.name == "PCMU"
        assert alice.text is None
        later = alice.offer()
        assert media_of(later)[1] == "text 0 RTP/AVP 99 98", "the line stays"


def test_a_fork_of_which_one_branch_has_text() -> None:
    alice = session(text=True)
    alice.offer()
    alice.receive_answer(offer_of(*AUDIO))
    alice.receive_answer(offer_of(*AUDIO, *TEXT))
    assert alice.text is not None


def test_text_comes_and_goes_by_reinvite() -> None:
    bob = session(BOB)
    answers = [
        bob.answer(offer)[0]
        for offer in (
            offer_of(*AUDIO),
            offer_of(*AUDIO, *TEXT),
            offer_of(*AUDIO, *TEXT),
            offer_of(*AUDIO, "m=text 0 RTP/AVP 100 98"),
            offer_of(*AUDIO, *TEXT),
        )
    ]
    ports = [[m.media.port for m in SessionDescription.parse(a).media] for a in answers]
    assert ports == [[6000], [6000, 7000], [6000, 7000], [6000, 0], [6000, 7000]]
    first = version(answers[0])
    assert [version(a) - first for a in answers] == [0, 1, 1, 2, 3]
    assert bob.text is not None


def test_hold_is_for_text_as_well() -> None:
    bob = session(BOB)
    bob.answer(offer_of(*AUDIO, *TEXT))
    offer = bob.offer(direction=Direction.SENDONLY)
    assert media_of(offer) == ["audio 6000 RTP/AVP 8 0 101", "text 7000 RTP/AVP 100 98"]
    assert offer.count(b"a=sendonly") == 2
    bob.receive_answer(offer_of(*AUDIO, "a=recvonly", *TEXT, "a=recvonly"))
    assert bob.text is not None
    assert bob.text.direction is Direction.SENDONLY
    bob.answer(offer_of(*AUDIO, *TEXT, session="c=IN IP4 0.0.0.0"), direction=Direction.SENDRECV)
    assert bob.text is not None
    assert (bob.text.remote, bob.text.direction) == (None, Direction.RECVONLY)


def test_an_offer_that_failed_changes_nothing() -> None:
    bob = session(BOB)
    bob.answer(offer_of(*AUDIO, *TEXT))
    before = bob.text
    bob.offer(direction=Direction.SENDONLY)
    bob.abandon_offer()
    assert bob.text == before


LINES = st.lists(
    st.sampled_from([*AUDIO, *TEXT, "a=fmtp:98 cps=x", "a=rtpmap:98 t140/0", "a=inactive",
                     "m=text 0 RTP/AVP 98", "m=text 9 RTP/AVPF 98 98 x", "c=IN IP6 ::1",
                     "a=fmtp:100", "a=fmtp:98 cps=;cps=99999999999", "a=rtcp:1"]),
    max_size=12,
)  # fmt: skip


@given(st.lists(LINES, max_size=4))
def test_every_answer_fits_its_offer(offers: list[list[str]]) -> None:
    bob = session(BOB)
    for lines in offers:
        offer = offer_of(*lines)
        try:
            answer, _ = bob.answer(offer)
        except SdpError:
            continue
        asked, given_ = SessionDescription.parse(offer), SessionDescription.parse(answer)
        assert [m.media.kind for m in asked.media] == [m.media.kind for m in given_.media]
        assert (bob.text is not None) == any(
            m.media.kind == "text" and m.media.port for m in given_.media
        )
        again = SessionDescription.parse(bob.offer())
        assert [m.media.kind for m in again.media] == [m.media.kind for m in asked.media]
        bob.abandon_offer()


FAR_TEXT = (TEXT[0], "c=IN IP6 2001:db8::7", *TEXT[1:])


def test_text_at_an_address_of_the_other_family_is_refused_alone() -> None:
    bob = session(BOB, port=8000)
    answer, _ = bob.answer(offer_of(*AUDIO, *FAR_TEXT))
    assert media_of(answer) == ["audio 6000 RTP/AVP 0", "text 0 RTP/AVP 100 98"]
    assert bob.text is None
    alice = session(text=True)
    alice.offer()
    alice.receive_answer(offer_of(*AUDIO, *FAR_TEXT))
    assert alice.current is not None
    assert alice.text is None
