"""What is kept of trunks."""

from __future__ import annotations

import json

import pytest

from hookswitch_transport_sip.sip.uri import Uri
from hookswitch_transport_sip.trunks.config import Account, Peer, TrunkConfig, loose

ACCOUNT = Account(
    Uri.parse("sip:pbx.example.com:5070;transport=tcp"), Uri.parse("sip:alice@pbx.example.com"),
    "auth", "pw", 600, "line1", Uri.parse("sip:edge.example.com;lr"),
)  # fmt: skip
PEER = Peer((Uri.parse("sip:10.0.0.1"), Uri.parse("sip:10.0.0.2")), 30.0, "example.com", "u", "pw")


@pytest.mark.parametrize("kind", [ACCOUNT, PEER, Peer((Uri.parse("sip:h"),), 0.0)])
def test_it_survives_the_disk(kind: Account | Peer) -> None:
    config = TrunkConfig("7", kind, 1.5, "shop")
    packed = json.loads(json.dumps(config.pack()))
    assert TrunkConfig.unpack("7", packed) == config


@pytest.mark.parametrize(
    "packed",
    [
        {},
        {"type": "pigeon", "created_at": 0, "app_id": None},
        {"type": "peer", "created_at": 0, "app_id": None, "peer": {"addresses": ["x"]}},
        {"type": "sip_register", "created_at": 0, "app_id": None, "sip_register": {}},
    ],
)
def test_what_is_none_is_an_error(packed: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        TrunkConfig.unpack("7", packed)


@pytest.mark.parametrize(
    ("proxy", "route"),
    [
        ("sip:edge.example.com:5061;transport=tls", "<sip:edge.example.com:5061;transport=tls;lr>"),
        ("sip:edge.example.com;lr", "<sip:edge.example.com;lr>"),
    ],
)
def test_a_proxy_becomes_a_route(proxy: str, route: str) -> None:
    assert str(loose(Uri.parse(proxy))) == route
