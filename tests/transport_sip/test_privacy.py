"""Caller ids and what a call keeps to itself."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.privacy import (
    ANONYMOUS,
    caller_of,
    levels_of,
    privacy_headers,
    shown_caller,
)
from hookswitch_transport_sip.sip.errors import ParseError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice", "<sip:alice@example.com>"),
        ("+15551234567", "<sip:+15551234567@example.com>"),
        ("a b", "<sip:a%20b@example.com>"),
        ("Alice <alice>", "Alice <sip:alice@example.com>"),
        ('"Alice, Inc." <+1555>', '"Alice, Inc." <sip:+1555@example.com>'),
        ("<sips:alice@h:5061;x=y>", "<sips:alice@h:5061;x=y>"),
        ("sip:alice@h", "<sip:alice@h>"),
        ("tel:+1555", "<tel:+1555>"),
        ('"Zoë" <zoë>', '"Zoë" <sip:zo%C3%AB@example.com>'),
    ],
)
def test_caller_ids(text: str, expected: str) -> None:
    assert str(caller_of(text, "example.com")) == expected


def test_a_domain_may_have_a_port_or_be_an_ipv6_address() -> None:
    assert str(caller_of("a", "example.com:5080").uri) == "sip:a@example.com:5080"
    assert str(caller_of("a", "2001:db8::1").uri) == "sip:a@[2001:db8::1]"


@pytest.mark.parametrize("text", ["Alice <alice", "a <b> c", "sip:", "<sip:a b@h>", 'A" <b>'])
def test_caller_ids_that_are_none(text: str) -> None:
    with pytest.raises(ParseError):
        caller_of(text, "example.com")


@pytest.mark.parametrize("text", ["", "id id", "none;id", ";", "id;", 'i"d'])
def test_levels_that_are_none(text: str) -> None:
    with pytest.raises(ParseError):
        levels_of(text)


def test_what_is_shown_and_told() -> None:
    alice = caller_of("Alice <alice>", "example.com")
    for privacy, hidden, headers in (
        ("none", False, [("Privacy", "none")]),
        ("header; session", False, [("Privacy", "header;session")]),
        ("user", True, [("Privacy", "user")]),
        ("ID", True, [("Privacy", "id"), ("P-Preferred-Identity", str(alice))]),
    ):
        levels = levels_of(privacy)
        assert (shown_caller(alice, levels) is ANONYMOUS) is hidden
        assert privacy_headers(alice, levels, ["X-Other"]) == headers
    assert privacy_headers(alice, frozenset(), []) == []
    asserted = privacy_headers(alice, levels_of("id"), ["p-asserted-identity"])
    assert asserted == [("Privacy", "id")]
