"""Digits that come two ways are told once."""

from __future__ import annotations

from hookswitch_transport_sip.sip.digit_sources import DigitSources


def told(*digits: tuple[str, str, float]) -> str:
    sources = DigitSources()
    return "".join(digit for digit, source, at in digits if sources.is_new(digit, source, at))


def test_one_source() -> None:
    assert told(("5", "rtp", 0.0), ("5", "rtp", 0.1), ("6", "rtp", 0.2)) == "556"


def test_both_at_once_in_either_order() -> None:
    twice = (("5", "rtp", 0.0), ("5", "info", 0.1), ("5", "rtp", 0.3), ("5", "info", 0.4))
    assert told(*twice) == "55"
    other = (("5", "info", 0.0), ("5", "rtp", 0.1), ("7", "rtp", 0.3), ("7", "info", 0.3))
    assert told(*other) == "57"


def test_one_after_the_other_from_different_sources() -> None:
    assert told(("5", "rtp", 0.0), ("5", "info", 0.6), ("6", "rtp", 0.7)) == "556"
