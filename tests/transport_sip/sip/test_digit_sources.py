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


def test_a_late_echo_is_none_of_the_next_digit() -> None:
    late = (("5", "events", 0.0), ("6", "events", 0.15), ("5", "tones", 0.2), ("6", "tones", 0.35))
    assert told(*late) == "56"


def test_a_long_press_has_echoes_until_shortly_after_its_end() -> None:
    sources = DigitSources()
    assert sources.is_new("5", "events", 0.0, held=True)
    assert not sources.is_new("5", "tones", 1.9)
    assert sources.is_new("6", "tones", 1.95)
    sources.ended("5", "tones", 1.95)
    sources.ended("5", "events", 2.0)
    assert not sources.is_new("5", "info", 2.2)
    assert sources.is_new("5", "tones", 2.3)


def test_a_short_press_has_echoes_for_half_a_second() -> None:
    sources = DigitSources()
    assert sources.is_new("5", "events", 0.0, held=True)
    sources.ended("5", "events", 0.1)
    sources.ended("7", "events", 0.1)
    assert not sources.is_new("5", "tones", 0.45)
    assert sources.is_new("5", "tones", 0.55)


def test_a_press_whose_end_was_lost_is_no_reason_to_hear_nothing_for_good() -> None:
    sources = DigitSources()
    assert sources.is_new("5", "events", 0.0, held=True)
    assert not sources.is_new("5", "tones", 4.9)
    assert sources.is_new("5", "tones", 5.1)
