"""Values inside the lines of a description."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.sdp.errors import ParseError
from hookswitch_transport_sip.sdp.values import Connection


@pytest.mark.parametrize(
    "host", ["999.1.1.1", "1.2.3", "1.2.3.4.5", "host.1", ":1:", "2001:db8::g", "", "..", "/8"]
)
@pytest.mark.parametrize("kind", ["IP4", "IP6"])
def test_what_looks_like_an_address_must_be_one(kind: str, host: str) -> None:
    with pytest.raises(ParseError):
        Connection.parse(f"IN {kind} {host}")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "phone.example.com", "localhost"])
def test_addresses_and_names(host: str) -> None:
    assert Connection.parse(f"IN IP4 {host}").host == host
