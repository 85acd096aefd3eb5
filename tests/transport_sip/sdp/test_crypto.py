"""a=crypto: lines read and written, and who gets which protection."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch.codecs.g711 import PCMA, PCMU
from hookswitch_transport_sip.rtp.keys import SUITES, Secret, SrtpKeys
from hookswitch_transport_sip.sdp.audio import LocalAudio, Srtp
from hookswitch_transport_sip.sdp.crypto import Crypto
from hookswitch_transport_sip.sdp.errors import NotAcceptable, ParseError
from hookswitch_transport_sip.sdp.negotiation import AudioNegotiation

KEY_80 = Secret(bytes(range(30)))
TEXT_80 = base64.b64encode(KEY_80).decode()
TEXT_256 = base64.b64encode(bytes(range(44))).decode()
CM_80, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"


def negotiation(srtp: Srtp = "off") -> AudioNegotiation:
    keys = SrtpKeys.generate()
    return AudioNegotiation(LocalAudio((PCMU, PCMA), "192.0.2.1", 4000, 77, srtp=srtp, keys=keys))


def description(proto: str, *crypto: str, more: str = "") -> bytes:
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.9",
        "s=-",
        "c=IN IP4 192.0.2.9",
        "t=0 0",
        f"m=audio 5000 {proto} 0",
        *(f"a=crypto:{each}" for each in crypto),
    ]
    return ("\r\n".join(lines) + "\r\n" + more).encode()


def crypto_lines(sdp: bytes) -> list[Crypto]:
    return [
        Crypto.parse(line.removeprefix("a=crypto:"))
        for line in sdp.decode().splitlines()
        if line.startswith("a=crypto:")
    ]


def proto(sdp: bytes) -> str:
    (media,) = (line for line in sdp.decode().splitlines() if line.startswith("m=audio"))
    return media.split()[2]


@pytest.mark.parametrize(
    ("value", "lifetime", "mki"),
    [
        (f"1 {CM_80} inline:{TEXT_80}", None, b""),
        (f"7 {CM_80} inline:{TEXT_80}|2^20", 1 << 20, b""),
        (f"7 {CM_80} inline:{TEXT_80}|1048576", 1048576, b""),
        (f"7 {CM_80} inline:{TEXT_80}|2^31|1:4", 1 << 31, b"\0\0\0\1"),
        (f"7 {CM_80} inline:{TEXT_80}|258:2", None, b"\1\2"),
        (f"7 {CM_80} inline:{TEXT_80}|1:128", None, bytes(127) + b"\1"),
        (f"7 {CM_80} INLINE:{TEXT_80.rstrip('=')}", None, b""),
    ],
)
def test_lines_are_read(value: str, lifetime: int | None, mki: bytes) -> None:
    crypto = Crypto.parse(value)
    assert (crypto.suite, crypto.key) == (CM_80, KEY_80)
    assert (crypto.lifetime, crypto.mki) == (lifetime, mki)
    assert crypto.is_usable


def test_of_several_keys_none_is_taken() -> None:
    crypto = Crypto.parse(f"7 {CM_80} inline:{TEXT_80}|1:1;inline:{TEXT_80}|2:1")
    assert (crypto.key, crypto.mki, crypto.several) == (KEY_80, b"\1", True)
    assert not crypto.is_usable


def test_an_identifier_is_of_their_packets_and_not_of_ours() -> None:
    ours = negotiation()
    offer = description("RTP/SAVP", f"1 {CM_80} inline:{TEXT_80}|2^20|1:4")
    answer, agreed = ours.answer(offer)
    assert agreed.srtp is not None
    assert (agreed.srtp.mki, agreed.srtp.receives) == (b"\0\0\0\1", KEY_80)
    (line,) = crypto_lines(answer)
    assert (line.mki, line.lifetime) == (b"", None)
    ours = negotiation("required")
    (mine,) = (each for each in crypto_lines(ours.offer()) if each.suite == CM_80)
    back = description("RTP/SAVP", f"{mine.tag} {CM_80} inline:{TEXT_80}|7:1")
    assert ours.receive_answer(back).srtp == SrtpKeys(CM_80, mine.key, KEY_80, mki=b"\7")


@pytest.mark.parametrize(
    ("life", "usable"), [("2^16", True), ("65535", False), ("2^10", False), ("1", False)]
)
def test_a_key_that_wears_out_at_once_is_not_accepted(life: str, usable: bool) -> None:
    assert Crypto.parse(f"1 {CM_80} inline:{TEXT_80}|{life}").is_usable is usable


@pytest.mark.parametrize(
    "unwanted", [f"|1:4;inline:{TEXT_80}|2:4", "|2^10", " KDR=3", " UNAUTHENTICATED_SRTP"]
)
def test_another_line_is_taken_instead_of_one_that_asks_too_much(unwanted: str) -> None:
    ours = negotiation()
    lines = (f"1 {CM_80} inline:{TEXT_80}{unwanted}", f"2 {GCM} inline:{TEXT_256}|2^48 WSH=256")
    answer, agreed = ours.answer(description("RTP/SAVP", *lines))
    assert agreed.srtp is not None
    assert (agreed.srtp.suite, agreed.srtp.lifetime) == (GCM, 1 << 48)
    (line,) = crypto_lines(answer)
    assert (line.tag, line.suite, line.lifetime, line.mki) == (2, GCM, None, b"")
    with pytest.raises(NotAcceptable):
        negotiation().answer(description("RTP/SAVP", lines[0]))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        f"1 {CM_80}",
        f"1 {CM_80} prompt:{TEXT_80}",
        f"x {CM_80} inline:{TEXT_80}",
        f"1 {CM_80} inline:%%%%",
        f"1 {CM_80} inline:{TEXT_80}|2^49",
        f"1 {CM_80} inline:{TEXT_80}|0",
        f"1 {CM_80} inline:{TEXT_80}|soon",
        f"1 {CM_80} inline:{TEXT_80}|256:1",
        f"1 {CM_80} inline:{TEXT_80}|1:0",
        f"1 {CM_80} inline:{TEXT_80}|1:129",
        f"1 {CM_80} inline:{TEXT_80}|:4",
        f"1 {CM_80} inline:{TEXT_80}|1:",
        f"1 {CM_80} inline:{TEXT_80}|1:2:3",
        f"1 {CM_80} inline:{TEXT_80};inline:{TEXT_80}",
    ],
)
def test_what_is_no_line_is_told(value: str) -> None:
    with pytest.raises(ParseError):
        Crypto.parse(value)


@given(st.text(max_size=120))
def test_any_text_is_a_line_or_told(text: str) -> None:
    with contextlib.suppress(ParseError):
        Crypto.parse(text)


@given(st.integers(0, 10**8), st.sampled_from(sorted(SUITES)), st.binary(min_size=16, max_size=46))
def test_what_is_written_is_read(tag: int, suite: str, key: bytes) -> None:
    crypto = Crypto(tag, suite, Secret(key))
    assert Crypto.parse(str(crypto)) == crypto


@pytest.mark.parametrize("parameters", ["KDR=10", "UNENCRYPTED_SRTP", "WSH=64 KDR=1"])
def test_unknown_parameters_are_not_accepted(parameters: str) -> None:
    line = f"1 {CM_80} inline:{TEXT_80} {parameters}"
    assert not Crypto.parse(line).is_usable
    assert Crypto.parse(f"1 {CM_80} inline:{TEXT_80} -EXTRA=1").is_usable
    with pytest.raises(NotAcceptable):
        negotiation().answer(description("RTP/SAVP", line))


@pytest.mark.parametrize(
    ("srtp", "what"), [("off", "RTP/AVP"), ("preferred", "RTP/AVP"), ("required", "RTP/SAVP")]
)
def test_offers(srtp: Srtp, what: str) -> None:
    sdp = negotiation(srtp).offer()
    assert proto(sdp) == what
    lines = crypto_lines(sdp)
    assert [line.suite for line in lines] == ([] if srtp == "off" else list(SUITES))
    assert len({line.key for line in lines}) == len(lines)


@pytest.mark.parametrize("srtp", ["off", "preferred", "required"])
@pytest.mark.parametrize("what", ["RTP/SAVP", "RTP/SAVPF"])
def test_who_insists_is_answered_with_protection(srtp: Srtp, what: str) -> None:
    """The first line that suits us counts, under its tag; the answer has our own key."""
    ours = negotiation(srtp)
    unknown = f"1 AES_256_CM_HMAC_SHA1_80 inline:{TEXT_256}"
    two = f"2 {CM_80} inline:{TEXT_80}|2^31|1:1;inline:{TEXT_80}|2^31|2:1"
    sdp, agreed = ours.answer(
        description(what, unknown, two, f"3 {CM_80} inline:{TEXT_80}", f"4 {GCM} inline:x")
    )
    assert proto(sdp) == what
    (line,) = crypto_lines(sdp)
    assert (line.tag, line.suite) == (3, CM_80)
    assert agreed.srtp is not None
    assert agreed.srtp.suite == CM_80
    assert (agreed.srtp.sends, agreed.srtp.receives) == (line.key, KEY_80)
    assert line.key != KEY_80


@pytest.mark.parametrize(
    "crypto",
    [
        [],
        [f"1 AES_256_CM_HMAC_SHA1_80 inline:{TEXT_256}"],
        [f"1 {CM_80} inline:{TEXT_256}"],
        [f"1 {CM_80} inline:{TEXT_80}|1:4;inline:{TEXT_80}|2:4"],
        ["nonsense"],
    ],
)
@pytest.mark.parametrize("srtp", ["off", "preferred", "required"])
def test_what_cannot_be_protected_is_refused(srtp: Srtp, crypto: list[str]) -> None:
    with pytest.raises(NotAcceptable) as caught:
        negotiation(srtp).answer(description("RTP/SAVP", *crypto))
    assert caught.value.status == 488


@pytest.mark.parametrize(
    ("srtp", "protected"), [("off", False), ("preferred", True), ("required", True)]
)
def test_who_would_like_it_gets_it_unless_it_is_off(srtp: Srtp, protected: bool) -> None:
    sdp, agreed = negotiation(srtp).answer(description("RTP/AVP", f"9 {CM_80} inline:{TEXT_80}"))
    assert proto(sdp) == "RTP/AVP"
    assert (agreed.srtp is not None) is protected
    assert len(crypto_lines(sdp)) == protected


def test_a_call_in_the_clear_is_refused_where_protection_is_required() -> None:
    with pytest.raises(NotAcceptable):
        negotiation("required").answer(description("RTP/AVP"))


def test_of_two_streams_the_one_that_suits_is_taken() -> None:
    both = description("RTP/SAVP", f"1 UNKNOWN inline:{TEXT_80}", more="m=audio 5002 RTP/AVP 0\r\n")
    sdp, agreed = negotiation("preferred").answer(both)
    assert agreed.remote == ("192.0.2.9", 5002)
    assert b"m=audio 0 RTP/SAVP 0" in sdp


def test_answers_to_our_offers() -> None:
    ours = negotiation("preferred")
    lines = {line.suite: line for line in crypto_lines(ours.offer())}
    agreed = ours.receive_answer(
        description("RTP/AVP", f"{lines[CM_80].tag} {CM_80} inline:{TEXT_80}")
    )
    assert agreed.srtp == SrtpKeys(CM_80, lines[CM_80].key, KEY_80)
    again = crypto_lines(ours.offer())
    assert again == [lines[CM_80]], "what was agreed on stays, with the same key"


@pytest.mark.parametrize(
    ("srtp", "what", "crypto", "protected"),
    [
        ("preferred", "RTP/AVP", [], False),
        ("preferred", "RTP/SAVP", [], None),
        ("required", "RTP/SAVP", [], None),
        ("required", "RTP/AVP", [], None),
        ("required", "RTP/SAVP", [f"3 {GCM} inline:{TEXT_80}"], None),
        ("required", "RTP/SAVP", [f"99 {CM_80} inline:{TEXT_80}"], None),
        ("required", "RTP/SAVP", [f"3 {CM_80} inline:{TEXT_80}"], True),
        ("off", "RTP/AVP", [f"3 {CM_80} inline:{TEXT_80}"], None),
    ],
)
def test_answers_that_fit_or_not(
    srtp: Srtp, what: str, crypto: list[str], protected: bool | None
) -> None:
    ours = negotiation(srtp)
    ours.offer()
    if protected is None:
        with pytest.raises(NotAcceptable):
            ours.receive_answer(description(what, *crypto))
    else:
        assert (ours.receive_answer(description(what, *crypto)).srtp is not None) is protected


def test_another_key_by_another_offer() -> None:
    ours = negotiation()
    _, first = ours.answer(description("RTP/SAVP", f"1 {CM_80} inline:{TEXT_80}"))
    other = Secret(bytes(range(1, 31)))
    text = base64.b64encode(other).decode()
    _, second = ours.answer(description("RTP/SAVP", f"1 {CM_80} inline:{text}"))
    assert first.srtp is not None
    assert second.srtp is not None
    assert second.srtp.receives == other
    assert second.srtp.sends == first.srtp.sends, "our own key stays, and its count with it"
    assert proto(ours.offer()) == "RTP/SAVP"


def test_protected_audio_is_not_answered_in_the_clear() -> None:
    """Whoever insists on protection has it, also where nobody here does."""
    ours = negotiation()
    _, before = ours.answer(description("RTP/SAVP", f"1 {CM_80} inline:{TEXT_80}"))
    assert proto(ours.offer()) == "RTP/SAVP"
    with pytest.raises(NotAcceptable, match="not protected"):
        ours.receive_answer(description("RTP/AVP"))
    assert ours.current == before


def test_a_fresh_key_of_ours_by_an_offer_of_ours() -> None:
    """One that fails changes nothing; one that is accepted may bring another key of theirs."""
    ours = negotiation()
    answer, before = ours.answer(description("RTP/SAVP", f"1 {CM_80} inline:{TEXT_80}"))
    (first,) = crypto_lines(answer)
    failed = crypto_lines(ours.offer(keys=SrtpKeys.generate()))
    ours.abandon_offer()
    assert ours.current == before
    assert crypto_lines(ours.offer()) != failed
    ours.abandon_offer()
    (fresh,) = crypto_lines(ours.offer(keys=SrtpKeys.generate()))
    assert fresh.suite == CM_80
    assert len({first.key, failed[0].key, fresh.key}) == 3
    theirs = base64.b64encode(bytes(range(1, 31))).decode()
    agreed = ours.receive_answer(
        description("RTP/SAVP", f"{fresh.tag} {CM_80} inline:{theirs}|2^20")
    )
    assert agreed.srtp is not None
    assert agreed.srtp.sends == fresh.key
    assert (agreed.srtp.receives, agreed.srtp.lifetime) == (bytes(range(1, 31)), 1 << 20)
    again, _ = ours.answer(description("RTP/SAVP", f"1 {CM_80} inline:{theirs}"))
    assert [each.key for each in crypto_lines(again)] == [fresh.key], "it stays"


def test_keys_are_not_shown() -> None:
    _, agreed = negotiation().answer(description("RTP/SAVP", f"1 {CM_80} inline:{TEXT_80}"))
    shown = repr(agreed) + repr(Crypto.parse(f"1 {CM_80} inline:{TEXT_80}"))
    assert TEXT_80 not in shown
    assert str(bytes(KEY_80)) not in shown
    assert "Secret(…)" in shown
