"""Offer and answer between two of ours, and against other people's descriptions."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch.codecs.base import CodecInfo
from hookswitch.codecs.g711 import PCMA, PCMU
from hookswitch_transport_sip.sdp.audio import LocalAudio
from hookswitch_transport_sip.sdp.description import SessionDescription
from hookswitch_transport_sip.sdp.direction import Direction
from hookswitch_transport_sip.sdp.errors import NotAcceptable, ParseError, SdpError, StateError
from hookswitch_transport_sip.sdp.negotiation import AudioNegotiation
from hookswitch_transport_sip.sdp.streams import offered_codecs

WIDE = CodecInfo("opus", 48000, 48000, "nowhere:Opus", channels=2, fmtp="useinbandfec=1")
ALICE = LocalAudio((PCMU, PCMA), "192.0.2.1", 4000, 77, rtcp_port=4001)
BOB = LocalAudio((PCMA, PCMU), "192.0.2.2", 6000, 88, rtcp_port=6010)


def offer_of(*lines: str, session: str = "c=IN IP4 198.51.100.7") -> bytes:
    head = ("v=0", "o=x 1 1 IN IP4 198.51.100.7", "s=-", session, "t=0 0")
    return "".join(line + "\r\n" for line in (*head, *lines) if line).encode()


def media_of(description: bytes) -> list[str]:
    return [str(each.media) for each in SessionDescription.parse(description).media]


def test_two_of_ours_agree() -> None:
    alice, bob = AudioNegotiation(ALICE), AudioNegotiation(BOB)
    answer, heard = bob.answer(alice.offer())
    said = alice.receive_answer(answer)
    assert heard.codec == said.codec == PCMA
    assert (heard.payload_type, said.payload_type, said.receive_payload_type) == (8, 8, 8)
    assert (heard.remote, heard.remote_rtcp) == (("192.0.2.1", 4000), ("192.0.2.1", 4001))
    assert (said.remote, said.remote_rtcp) == (("192.0.2.2", 6000), ("192.0.2.2", 6010))
    assert heard.telephone_event == said.telephone_event == {101: 8000}
    assert heard.telephone_event_pt == said.telephone_event_pt == 101
    assert heard.direction is said.direction is Direction.SENDRECV
    assert (heard.ptime_ms, heard.rtcp_mux) == (20, False)
    assert b"c=IN IP4 192.0.2.2\r\n" in answer


def test_explicit_codec() -> None:
    offer = AudioNegotiation(ALICE).offer()
    answer, agreed = AudioNegotiation(BOB).answer(offer, codec="PCMU")
    assert agreed.codec == PCMU
    assert media_of(answer) == ["audio 6000 RTP/AVP 0 101"]
    with pytest.raises(NotAcceptable):
        AudioNegotiation(BOB).answer(offer, codec="opus")


def test_offered_codecs() -> None:
    offer = offer_of(
        "m=audio 5000 RTP/AVP 8 97 0 101 13",
        "a=rtpmap:97 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
    )
    assert offered_codecs(SessionDescription.parse(offer)) == [
        {"name": "PCMA", "payload_type": 8, "clock_rate": 8000, "priority": 0},
        {"name": "opus", "payload_type": 97, "clock_rate": 48000, "priority": 1},
        {"name": "PCMU", "payload_type": 0, "clock_rate": 8000, "priority": 2},
    ]


def test_events_at_the_clock_rate_of_the_codec_are_preferred_and_others_serve() -> None:
    audio = ("m=audio 5000 RTP/AVP 97 100 101", "a=rtpmap:97 opus/48000/2")
    wide = replace(BOB, codecs=(WIDE,))
    for events, wanted in (
        (("a=rtpmap:100 telephone-event/8000", "a=rtpmap:101 telephone-event/48000"), (101, 48000)),
        (("a=rtpmap:101 telephone-event/8000",), (101, 8000)),
        (("a=rtpmap:100 telephone-event/16000",), (100, 16000)),
        (("a=rtpmap:100 telephone-event/0",), (None, None)),
    ):
        answer, agreed = AudioNegotiation(wide).answer(offer_of(*audio, *events))
        payload_type, rate = wanted
        assert agreed.telephone_event_pt == payload_type
        assert (f"a=rtpmap:{payload_type} telephone-event/{rate}\r\n".encode() in answer) == (
            payload_type is not None
        )
        assert agreed.telephone_event == ({payload_type: rate} if payload_type else {})


def test_other_media_are_refused_in_their_place() -> None:
    offer = offer_of(
        "m=video 7000 RTP/AVP 31 32",
        "m=audio 5000 RTP/SAVP 0",
        "m=audio 5002 RTP/AVP 0",
        "m=image 5004 udptl t38",
    )
    bob = AudioNegotiation(BOB)
    answer, agreed = bob.answer(offer)
    assert media_of(answer) == [
        "video 0 RTP/AVP 31 32",
        "audio 0 RTP/SAVP 0",
        "audio 6000 RTP/AVP 0",
        "image 0 udptl t38",
    ]
    assert agreed.remote == ("198.51.100.7", 5002)
    assert agreed.telephone_event == {}
    again = bob.offer()
    assert [each.split()[:2] for each in media_of(again)] == [
        ["video", "0"],
        ["audio", "0"],
        ["audio", "6000"],
        ["image", "0"],
    ]


def test_dynamic_types_are_the_offerers_and_stay() -> None:
    local = replace(BOB, codecs=(WIDE, PCMU))
    bob = AudioNegotiation(local)
    offer = offer_of(
        "m=audio 5000 RTP/AVP 0 120 96 121",
        "a=rtpmap:120 OPUS/48000/2",
        "a=fmtp:120 maxplaybackrate=16000",
        "a=rtpmap:96 telephone-event/8000",
        "a=rtpmap:121 telephone-event/48000",
    )
    answer, agreed = bob.answer(offer)
    assert (agreed.codec, agreed.payload_type, agreed.fmtp) == (WIDE, 120, "maxplaybackrate=16000")
    assert (agreed.telephone_event, agreed.telephone_event_pt) == ({121: 48000}, 121)
    assert b"a=fmtp:120 useinbandfec=1\r\n" in answer
    assert media_of(bob.offer()) == ["audio 6000 RTP/AVP 120 0 121 96"]


def test_an_answer_may_use_other_types_than_the_offer() -> None:
    alice = AudioNegotiation(replace(ALICE, codecs=(WIDE,)))
    assert media_of(alice.offer()) == ["audio 4000 RTP/AVP 96 101"]
    agreed = alice.receive_answer(
        offer_of(
            "m=audio 5000 RTP/AVP 107 110",
            "a=rtpmap:107 opus/48000/2",
            "a=rtpmap:110 telephone-event/48000",
        )
    )
    assert (agreed.payload_type, agreed.receive_payload_type) == (107, 96)
    assert agreed.telephone_event == {110: 48000, 101: 48000}
    assert agreed.telephone_event_pt == 110


@pytest.mark.parametrize("ours", Direction)
@pytest.mark.parametrize("theirs", Direction)
def test_directions(ours: Direction, theirs: Direction) -> None:
    bob = AudioNegotiation(BOB)
    answer, agreed = bob.answer(
        offer_of("m=audio 5000 RTP/AVP 0", f"a={theirs.value}"), direction=ours
    )
    assert agreed.direction.sends == (ours.sends and theirs.receives)
    assert agreed.direction.receives == (ours.receives and theirs.sends)
    assert f"a={agreed.direction.value}\r\n".encode() in answer


@pytest.mark.parametrize("zeros", ["IN IP4 0.0.0.0", "IN IP6 ::"])
def test_hold_by_the_zero_address(zeros: str) -> None:
    offer = offer_of("m=audio 5000 RTP/AVP 0", session=f"c={zeros}")
    answer, agreed = AudioNegotiation(BOB).answer(offer)
    assert agreed.direction is Direction.RECVONLY
    assert agreed.held_by_peer
    assert (agreed.remote, agreed.remote_rtcp) == (None, None)
    assert b"a=recvonly\r\n" in answer


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((), 20),
        (("a=ptime:30",), 30),
        (("a=ptime:50",), 40),
        (("a=ptime:5",), 10),
        (("a=ptime:60", "a=maxptime:40"), 40),
        (("a=maxptime:10",), 10),
        (("a=ptime:20.0",), 20),
    ],
)
def test_packet_time(lines: tuple[str, ...], expected: int) -> None:
    offer = offer_of("m=audio 5000 RTP/AVP 0", *lines)
    assert AudioNegotiation(BOB).answer(offer)[1].ptime_ms == expected


def test_rtcp_addresses() -> None:
    offer = offer_of("m=audio 5000 RTP/AVP 0", "a=rtcp:5009 IN IP4 203.0.113.5")
    assert AudioNegotiation(BOB).answer(offer)[1].remote_rtcp == ("203.0.113.5", 5009)
    offer = offer_of("m=audio 5000 RTP/AVP 0", "a=rtcp-mux")
    answer, agreed = AudioNegotiation(BOB).answer(offer)
    assert agreed.rtcp_mux
    assert agreed.remote_rtcp == agreed.remote
    assert b"a=rtcp-mux\r\n" in answer


def version_of(description: bytes) -> int:
    return SessionDescription.parse(description).origin.version


def test_the_version_grows_with_changes_only() -> None:
    alice, bob = AudioNegotiation(ALICE), AudioNegotiation(BOB)
    first = alice.offer()
    alice.receive_answer(bob.answer(first)[0])
    second = alice.offer()
    alice.receive_answer(bob.answer(second)[0])
    assert (second, version_of(first)) == (first, 77)
    held = alice.offer(direction=Direction.SENDONLY)
    answer, agreed = bob.answer(held)
    assert alice.receive_answer(answer).direction is Direction.SENDONLY
    assert agreed.direction is Direction.RECVONLY
    assert version_of(held) == 78
    assert version_of(alice.offer(direction=Direction.SENDRECV)) == 79


def test_an_abandoned_offer_changes_nothing() -> None:
    alice, bob = AudioNegotiation(ALICE), AudioNegotiation(BOB)
    alice.receive_answer(bob.answer(alice.offer())[0])
    before = alice.current
    alice.offer(direction=Direction.INACTIVE)
    with pytest.raises(StateError):
        alice.offer()
    with pytest.raises(StateError):
        alice.answer(bob.offer())
    alice.abandon_offer()
    assert alice.current == before
    assert alice.local.direction is Direction.SENDRECV


def test_answers_that_do_not_fit() -> None:
    for lines, error in [
        ((), NotAcceptable),
        (("m=audio 0 RTP/AVP 0",), NotAcceptable),
        (("m=video 5000 RTP/AVP 0",), NotAcceptable),
        (("m=audio 5000 RTP/AVP 9",), NotAcceptable),
        (("m=audio 5000 RTP/AVP 0", "a=rtpmap:x"), ParseError),
    ]:
        alice = AudioNegotiation(ALICE)
        alice.offer()
        with pytest.raises(error):
            alice.receive_answer(offer_of(*lines))
    with pytest.raises(StateError):
        AudioNegotiation(ALICE).receive_answer(offer_of("m=audio 5000 RTP/AVP 0"))


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("m=audio 0 RTP/AVP 0",),
        ("m=audio 5000 RTP/AVP 9 18",),
        ("m=audio 5000 RTP/SAVP 0",),
        ("m=video 5000 RTP/AVP 31",),
    ],
)
def test_offers_without_anything_in_common(lines: tuple[str, ...]) -> None:
    bob = AudioNegotiation(BOB)
    with pytest.raises(NotAcceptable) as caught:
        bob.answer(offer_of(*lines))
    assert caught.value.status == 488
    assert bob.current is None


def test_a_stream_without_an_address_is_malformed() -> None:
    with pytest.raises(ParseError, match="c="):
        AudioNegotiation(BOB).answer(offer_of("m=audio 5000 RTP/AVP 0", session=""))


pieces = st.sampled_from(
    [
        "m=audio 5000 RTP/AVP 0 8 96",
        "m=audio 1 RTP/AVP 0",
        "a=rtpmap:96 telephone-event/8000",
        "a=rtpmap:0 x/1/1",
        "a=rtpmap:",
        "a=rtcp:",
        "a=rtcp:9 IN",
        "a=ptime:",
        "a=ptime:0",
        "a=fmtp:",
        "a=inactive",
        "c=IN IP4 0.0.0.0",
        "c=IN IP4 x/",
        "m=audio 5000 RTP/AVP " + "9" * 5000,
        "a=maxptime:99999999999999999999999",
    ]
)


@given(st.lists(pieces))
def test_hostile_offers_raise_only_typed_errors(lines: list[str]) -> None:
    data = offer_of(*lines)
    for attempt in (AudioNegotiation(BOB).answer, AudioNegotiation(BOB).receive_answer):
        with contextlib.suppress(SdpError):
            attempt(data)
    alice = AudioNegotiation(ALICE)
    alice.offer()
    with contextlib.suppress(SdpError):
        alice.receive_answer(data)


OTHER_FAMILY = "c=IN IP6 2001:db8::7"


def test_an_offer_of_the_other_family_cannot_be_heard() -> None:
    with pytest.raises(NotAcceptable):
        AudioNegotiation(BOB).answer(offer_of("m=audio 9 RTP/AVP 0", session=OTHER_FAMILY))


def test_of_two_families_ours_is_taken() -> None:
    both = offer_of("m=audio 9 RTP/AVP 0", OTHER_FAMILY, "m=audio 7 RTP/AVP 0")
    answer, agreed = AudioNegotiation(BOB).answer(both)
    assert agreed.remote == ("198.51.100.7", 7)
    assert media_of(answer) == ["audio 0 RTP/AVP 0", "audio 6000 RTP/AVP 0"]


def test_an_answer_of_the_other_family_does_not_suit() -> None:
    ours = AudioNegotiation(replace(ALICE, host="2001:db8::1"))
    ours.offer()
    with pytest.raises(NotAcceptable):
        ours.receive_answer(offer_of("m=audio 9 RTP/AVP 0"))
    assert ours.current is None


def test_a_name_may_be_of_any_family() -> None:
    offer = offer_of("m=audio 9 RTP/AVP 0", session="c=IN IP6 host.example.com")
    _, agreed = AudioNegotiation(BOB).answer(offer)
    assert agreed.remote == ("host.example.com", 9)
