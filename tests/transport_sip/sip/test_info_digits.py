"""Digits in INFO requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.info_digits import (
    PLAIN,
    RELAY,
    may_take_plain,
    pack_digit,
    unpack_digit,
)

DIGITS = "0123456789*#ABCD"


@pytest.mark.parametrize("digit", DIGITS)
def test_round_trip(digit: str) -> None:
    assert unpack_digit(RELAY, pack_digit(digit, 100)) == digit
    assert unpack_digit(PLAIN, pack_digit(digit, 100, PLAIN)) == digit
    assert unpack_digit(PLAIN, digit.lower().encode()) == digit


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        (RELAY, b"Signal= 7 \r\nDuration= 250", "7"),
        (RELAY, b"Duration=250\nSIGNAL=11\n", "#"),
        (RELAY, b"Signal\r\nDuration=5", None),
        (RELAY, b"5", None),
        (RELAY, b"", None),
        (PLAIN, b" 10\r\n", "*"),
        (PLAIN, b"15", "D"),
        (PLAIN, b"16", None),
        (PLAIN, b"05", None),
        (PLAIN, b"123", None),
        (PLAIN, "٣".encode(), None),
        (PLAIN, b"\xff", None),
        ("text/plain", b"5", None),
    ],
)
def test_what_phones_write(content_type: str, body: bytes, digit: str | None) -> None:
    assert unpack_digit(content_type, body) == digit


@given(st.sampled_from([RELAY, PLAIN]), st.binary(max_size=40))
def test_any_body_is_a_digit_or_none(content_type: str, body: bytes) -> None:
    assert unpack_digit(content_type, body) in (None, *DIGITS)


@pytest.mark.parametrize(
    ("accept", "may"),
    [
        ([], True),
        (["application/sdp", "application/DTMF ;q=1"], True),
        (["application/*"], True),
        (["*/*"], True),
        (["application/sdp"], False),
    ],
)
def test_what_a_refusal_leaves_to_try(accept: list[str], may: bool) -> None:
    assert may_take_plain(accept) is may
