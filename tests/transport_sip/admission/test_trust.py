from __future__ import annotations

from typing import Any

import pytest

from hookswitch_transport_sip.admission.trust import TrustList


def trusts(listed: str, host: str = "198.51.100.1", **caller: Any) -> bool:
    known = {"authenticated": False, "user": None, "trunk_id": None, **caller}
    return TrustList.parse(filter(None, listed.split(","))).trusts(host, **known)


@pytest.mark.parametrize(
    ("listed", "caller", "trusted"),
    [
        ("", {}, False),
        ("", {"authenticated": True, "user": "sip:a@b", "trunk_id": "t"}, False),
        ("10.0.0.0/8", {"host": "10.1.2.3"}, True),
        ("10.0.0.0/8", {"host": "11.1.2.3"}, False),
        ("192.0.2.7", {"host": "192.0.2.7"}, True),
        ("2001:db8::/32", {"host": "2001:db8::5"}, True),
        ("10.0.0.0/8", {"host": "no address"}, False),
        ("authenticated", {"authenticated": True}, True),
        ("users", {"authenticated": True}, False),
        ("users", {"user": "sip:a@b"}, True),
        ("sip:a@b", {"user": "sip:a@b"}, True),
        ("sip:a@b", {"user": "sip:c@b"}, False),
        ("trunks", {"trunk_id": "t"}, True),
        ("trunk:t", {"trunk_id": "t"}, True),
        ("trunk:u", {"trunk_id": "t"}, False),
        ("192.0.2.7,trunks", {"trunk_id": "t"}, True),
    ],
)
def test_who_is_trusted(listed: str, caller: dict[str, Any], trusted: bool) -> None:
    assert trusts(listed, **caller) is trusted


def test_what_is_no_caller_is_named() -> None:
    with pytest.raises(ValueError, match="'everybody' is no"):
        TrustList.parse(["users", "everybody"])
