"""Settings of SIP: what fits together, and what is said of what does not."""

from __future__ import annotations

from typing import Any

import pytest

from hookswitch.settings import SettingsError, load
from hookswitch_transport_sip.settings import SipSettings, Way, dns_server, outbound_proxy


@pytest.mark.parametrize(
    ("variables", "ways"),
    [
        ({}, (Way("127.0.0.1", "127.0.0.1"),)),
        ({"SIP_BIND_IP": "::1"}, (Way("::1", "::1"),)),
        (
            {"SIP_BIND_IP": "10.0.0.5", "SIP_LISTEN_IP": "0.0.0.0", "SIP_BIND_IP6": "fd00::5"},
            (Way("0.0.0.0", "10.0.0.5"), Way("fd00::5", "fd00::5")),
        ),
        (
            {"SIP_BIND_IP6": "fd00::5", "SIP_LISTEN_IP6": "::", "SIP_EXTERNAL_IP6": "2001:db8::5"},
            (Way("127.0.0.1", "127.0.0.1"), Way("::", "2001:db8::5")),
        ),
    ],
)
def test_the_families_we_speak(
    variables: dict[str, str], ways: tuple[Way, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = loaded(monkeypatch, **variables)
    assert settings.ways == ways
    assert (settings.listen_ip, settings.announced_ip) == ways[0]
    assert settings.way_to("192.0.2.1") == ways[0]
    assert settings.way_to("2001:db8::1") == ways[-1]


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"SIP_BIND_IP6": "10.0.0.5"}, "SIP_BIND_IP6: "),
        ({"SIP_BIND_IP": "::1", "SIP_BIND_IP6": "::1"}, "SIP_BIND_IP6: stands beside an IPv4"),
        ({"SIP_LISTEN_IP6": "::"}, "SIP_BIND_IP6: needed by"),
        ({"SIP_BIND_IP6": "::"}, "SIP_BIND_IP6: nobody can send to ::"),
        ({"SIP_BIND_IP": "10.0.0.5", "SIP_LISTEN_IP": "::"}, "SIP_BIND_IP: :: and 10.0.0.5"),
        ({"SIP_EXTERNAL_IP": "2001:db8::1"}, "SIP_BIND_IP: 127.0.0.1 and 2001:db8::1"),
        ({"SIP_OUTBOUND_PROXY": "mailto:x"}, "SIP_OUTBOUND_PROXY: "),
        ({"SIP_OUTBOUND_PROXY": "sip:bob@proxy"}, "SIP_OUTBOUND_PROXY: "),
        ({"SIP_DNS_SERVERS": "dns.example.com"}, "SIP_DNS_SERVERS: "),
        ({"SIP_DNS_SERVERS": "192.0.2.1:0"}, "SIP_DNS_SERVERS: "),
        ({"SIP_TLS_PORT": "70000"}, "SIP_TLS_PORT: "),
        ({"SIP_CONNECT_TIMEOUT": "0"}, "SIP_CONNECT_TIMEOUT: "),
        ({"SIP_MAX_CONNECTIONS": "0"}, "SIP_MAX_CONNECTIONS: "),
    ],
)
def test_what_does_not_fit_is_named(
    variables: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match=f"^{problem}"):
        loaded(monkeypatch, **variables)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_dns_servers(text: str, server: tuple[str, int]) -> None:
    assert dns_server(text) == server


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("proxy.example.com", "<sip:proxy.example.com;lr>"),
        (
            "sip:proxy.example.com:5070;transport=tcp",
            "<sip:proxy.example.com:5070;transport=tcp;lr>",
        ),
        ("sips:[2001:db8::1];lr", "<sips:[2001:db8::1];lr>"),
    ],
)
def test_an_outbound_proxy_is_a_loose_router(text: str, route: str) -> None:
    assert str(outbound_proxy(text)) == route


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: Any) -> SipSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load(SipSettings)
