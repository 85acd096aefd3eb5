"""Reading REGISTERs (RFC 3261 section 10.2, RFC 3327)."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.registrar.registration import RegistrationRefused
from hookswitch_transport_sip.sip.errors import ParseError

from .registers import registration


@pytest.mark.parametrize(
    ("fields", "expires"),
    [
        (["Contact: <sip:a@h>"], 3600),
        (["Contact: <sip:a@h>", "Expires: 120"], 120),
        (["Contact: <sip:a@h>;expires=90", "Expires: 120"], 90),
        (["Contact: <sip:a@h>;expires=0", "Expires: 120"], 0),
        (["Contact: <sip:a@h>;expires=soon"], 3600),
        (["Contact: <sip:a@h>", "Expires: tomorrow"], 3600),
        (["Contact: <sip:a@h>;expires=9999999999"], 2**31 - 1),
    ],
)
def test_how_long(fields: list[str], expires: int) -> None:
    found = registration(*fields)
    assert found.expires == expires
    assert found.removes is (expires == 0)


@pytest.mark.parametrize(
    ("written", "q"),
    [("", 1.0), (";q=0.5", 0.5), (";q=0", 0.0), (";q=1.000", 1.0), (";q=2", 1.0), (";q=x", 1.0)],
)
def test_preference(written: str, q: float) -> None:
    assert registration(f"Contact: <sip:a@h>{written}").contacts[0].q == q


def test_several_contacts_each_once() -> None:
    found = registration(
        "Contact: <sip:a@h>;expires=60, <sip:b@h>", "Contact: <sip:A@H>, <sip:a@H>;expires=70"
    )
    assert [(str(c.uri), c.expires) for c in found.contacts] == [
        ("sip:b@h", 3600),
        ("sip:A@H", 3600),
        ("sip:a@H", 70),
    ]


def test_all_are_taken_away() -> None:
    found = registration("Contact: *", "Expires: 0")
    assert found.clears
    assert found.removes
    assert found.contacts == ()


@pytest.mark.parametrize(
    "fields",
    [
        ["Contact: *"],
        ["Contact: *", "Expires: 60"],
        ["Contact: <mailto:a@h>"],
        ["Contact: <tel:1>"],
    ],
)
def test_what_makes_no_sense(fields: list[str]) -> None:
    with pytest.raises(RegistrationRefused) as refused:
        registration(*fields)
    assert refused.value.status == 400


def test_the_path_back() -> None:
    found = registration("Contact: <sip:a@h>", "Path: <sip:p1;lr>, <sip:p2;lr>", "Path: <sip:p3>")
    assert found.path == ("<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3>")
    with pytest.raises(ParseError):
        registration("Contact: <sip:a@h>", "Path: nowhere")


def test_a_query_has_no_contact() -> None:
    found = registration()
    assert (found.contacts, found.clears, found.removes, found.expires) == ((), False, False, 0)
