"""How contacts are reached, and kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.registrar.binding import Binding
from hookswitch_transport_sip.registrar.domains import Domains
from hookswitch_transport_sip.sip.hop import Detour, Hop
from hookswitch_transport_sip.sip.uri import Uri

from .registers import AOR, location, registration


def bound(contact: str, source: Hop, *fields: str, rport: bool = True) -> Binding:
    table = location()
    table.register(registration(f"Contact: {contact}", *fields, source=source, rport=rport), 0.0)
    return table.of(AOR)[0]


@pytest.mark.parametrize(
    ("contact", "source", "rport", "by_source"),
    [
        ("<sip:a@192.0.2.10>", Hop("192.0.2.10", 5060), True, False),
        ("<sip:a@192.0.2.10:5060>", Hop("192.0.2.10", 5060), True, False),
        ("<sip:a@10.0.0.5>", Hop("192.0.2.10", 40000), True, True),
        ("<sip:a@10.0.0.5>", Hop("192.0.2.10", 40000), False, True),
        ("<sip:a@192.0.2.10>", Hop("192.0.2.10", 40000), True, True),
        ("<sip:a@192.0.2.10>", Hop("192.0.2.10", 40000), False, False),
        ("<sip:a@phone.example.com>", Hop("192.0.2.10", 40000), True, False),
        ("<sip:a@192.0.2.10>", Hop("192.0.2.10", 40000, "TCP"), False, True),
        ("<sip:a@phone.invalid;transport=tls>", Hop("192.0.2.10", 40000, "TLS"), True, True),
        ("<sip:a@[2001:db8::1]>", Hop("2001:DB8:0::1", 5060), True, False),
    ],
)
def test_by_its_own_address_or_by_that_of_its_nat(
    contact: str, source: Hop, rport: bool, by_source: bool
) -> None:
    binding = bound(contact, source, rport=rport)
    hop = binding.target.hop
    if source.reliable:  # its own address is another way to it
        assert isinstance(hop, Detour)
        hop = hop.hop
    assert hop == (source if by_source else None)
    assert str(binding.target.uri) == contact.strip("<>")
    assert binding.target.routes == ()


def test_through_the_proxies_of_its_path() -> None:
    binding = bound("<sip:a@10.0.0.5>", Hop("192.0.2.1", 5060), "Path: <sip:p1;lr>, <sip:p2;lr>")
    assert binding.target.hop is None
    assert [str(route) for route in binding.target.routes] == ["<sip:p1;lr>", "<sip:p2;lr>"]


@given(st.floats(0, 1e6), st.floats(-1e9, 1e9), st.one_of(st.none(), st.text(max_size=20)))
def test_it_survives_the_disk(expires_at: float, offset: float, text: str | None) -> None:
    binding = Binding(
        "7", AOR, Uri.parse("sip:a@h;x=1"), expires_at, 60, "c", 3, Hop("h", 1, "TCP"),
        0.5, ("<sip:p;lr>",), True, text, text,
    )  # fmt: skip
    packed = json.loads(json.dumps(binding.pack(offset)))
    again = Binding.unpack("7", packed, offset)
    assert again.expires_at == pytest.approx(binding.expires_at, abs=1e-3)
    assert {**again.pack(0), "expires_at": 0} == {**binding.pack(0), "expires_at": 0}


@pytest.mark.parametrize(
    ("uri", "aor"),
    [
        ("sip:alice@example.com", "sip:alice@example.com"),
        ("sips:alice@EXAMPLE.com;transport=tls", "sip:alice@example.com"),
        ("sip:%61lice@example.com:5070", "sip:alice@example.com"),
        ("sip:Alice@example.com", "sip:Alice@example.com"),
        ("sip:+49%20x@example.com", "sip:+49%20x@example.com"),
        ("sip:alice@example.com:5060", None),
        ("sip:alice@elsewhere.com", None),
        ("sip:example.com", None),
        ("tel:+491234", None),
        ("sip:alice@[2001:db8::1]", "sip:alice@[2001:db8::1]"),
    ],
)
def test_addresses_of_record(uri: str, aor: str | None) -> None:
    domains = Domains(("Example.com", "", "2001:db8::1"), (5070,))
    assert domains.aor_of(Uri.parse(uri)) == aor
