"""The cases of RFC 5118: IPv6 in every place of a message, rightly and wrongly written."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.sdp.description import SessionDescription
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.parser import parse, salvage

from .outcome import REGISTERS, RINGS, let_go, outcome_of
from .pair import Address

REGISTER = (
    "REGISTER sip:[2001:db8::10] SIP/2.0\r\n"
    "To: sip:user@example.com\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Max-Forwards: 70\r\n"
    'Contact: "Caller" <sip:caller@[2001:db8::1]>\r\n'
    "CSeq: 98176 REGISTER\r\n"
    "Content-Length: 0\r\n\r\n"
)
INVITE = (
    "INVITE sip:user@[2001:db8::10] SIP/2.0\r\n"
    "To: sip:user@[2001:db8::10]\r\n"
    "From: sip:user@example.com;tag=81x2\r\n"
    "Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111\r\n"
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144\r\n"
    "Call-ID: SSG9559905523997077@hlau_4100\r\n"
    "Max-Forwards: 70\r\n"
    'Contact: "Caller" <sip:caller@[2001:db8::9:1]>\r\n'
    "CSeq: 8612 INVITE\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: {}\r\n\r\n"
)


def request(text: str) -> Request:
    message = parse(text.encode())
    assert isinstance(message, Request)
    return message


def invite(sdp: str) -> Request:
    return request(INVITE.format(len(sdp)) + sdp)


def test_a_reference_in_every_header() -> None:
    """4.1"""
    message = request(REGISTER)
    assert message.uri.host == "2001:db8::10"
    assert message.via.host == "2001:db8::9:1"
    assert message.contacts[0].uri.host == "2001:db8::1"
    assert bytes(message).startswith(b"REGISTER sip:[2001:db8::10] SIP/2.0\r\n")


def test_without_brackets_it_is_refused() -> None:
    """4.2"""
    text = REGISTER.replace("[2001:db8::10]", "2001:db8::10")
    with pytest.raises(ParseError) as caught:
        request(text)
    assert caught.value.status == 400
    assert salvage(text.encode()) is not None


@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        ("sip:[2001:db8::10:5070]", "2001:db8::10:5070", None),
        ("sip:[2001:db8::10]:5070", "2001:db8::10", 5070),
    ],
)
def test_a_port_stands_behind_the_brackets(uri: str, host: str, port: int | None) -> None:
    """4.3, 4.4"""
    message = request(REGISTER.replace("sip:[2001:db8::10]", uri))
    assert (message.uri.host, message.uri.port) == (host, port)


@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_received_with_and_without_brackets(received: str) -> None:
    """4.5"""
    text = REGISTER.replace(";branch", f";received={received};branch")
    assert request(text).via.response_address() == ("2001:db8::9:255", 5060)


def test_the_session_has_ipv6_addresses() -> None:
    """4.6"""
    sdp = (
        "v=0\r\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\r\ns=Live video feed\r\n"
        "c=IN IP6 2001:db8::20\r\nt=3338481189 3370017201\r\nm=audio 6000 RTP/AVP 2\r\n"
        "a=rtpmap:2 G726-32/8000\r\nm=video 6024 RTP/AVP 107\r\na=rtpmap:107 H263-1998/90000\r\n"
    )
    message = invite(sdp)
    assert message.sdp is not None
    session = SessionDescription.parse(message.sdp)
    for media in session.media:
        connection = session.connection_of(media)
        assert connection is not None
        assert connection.host == "2001:db8::20"


def test_both_families_in_one_message() -> None:
    """4.7"""
    message = invite("v=0\r\n")
    assert [via.host for via in message.vias] == ["2001:db8::9:1", "192.0.2.1"]


def test_both_families_in_one_session() -> None:
    """4.8"""
    sdp = (
        "v=0\r\no=bob 280744730 28977631 IN IP4 host.example.com\r\ns=\r\nt=0 0\r\n"
        "m=audio 22334 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"
        "m=video 6024 RTP/AVP 107\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:107 H263-1998/90000\r\n"
    )
    message = invite(sdp)
    assert message.sdp is not None
    session = SessionDescription.parse(message.sdp)
    hosts = [found.host for media in session.media if (found := session.connection_of(media))]
    assert hosts == ["192.0.2.1", "2001:db8::1"]


def test_addresses_of_ipv4_written_as_ipv6() -> None:
    """4.9"""
    message = request(INVITE.format(0).replace("[2001:db8::9:1]", "[::ffff:192.0.2.10]"))
    assert message.via.host == "::ffff:192.0.2.10"
    assert message.contacts[0].uri.host == "::ffff:192.0.2.10"


def test_one_colon_too_many() -> None:
    """4.10: the grammar of RFC 3261 lets it pass, and so may a robust parser."""
    message = request(REGISTER.replace("[2001:db8::10]", "user@[2001:db8:::192.0.2.1]"))
    assert message.uri.username == "user"


AGENT: Address = ("2001:db8::10", 5060)
MAPPED = "[::ffff:192.0.2.10]"
AT_AGENT: dict[str, tuple[str, str | int]] = {
    "ipv6-good": (REGISTER, REGISTERS),
    "ipv6-bad": (REGISTER.replace("[2001:db8::10]", "2001:db8::10"), 400),
    "port-ambiguous": (REGISTER.replace("8::10]", "8::10:5070]"), REGISTERS),
    "port-unambiguous": (REGISTER.replace("8::10]", "8::10]:5070"), REGISTERS),
    "via-received-param-with-delim": (
        REGISTER.replace(";branch", ";received=[2001:db8::9:255];branch"),
        REGISTERS,
    ),
    "via-received-param-no-delim": (
        REGISTER.replace(";branch", ";received=2001:db8::9:255;branch"),
        REGISTERS,
    ),
    "ipv6-in-sdp": (INVITE.format(5) + "v=0\r\n", RINGS),
    "mult-ip-in-header": (INVITE.format(0), RINGS),
    "ipv4-mapped-ipv6": (INVITE.format(0).replace("[2001:db8::9:1]", MAPPED), RINGS),
    "ipv6-bug-abnf-3-colons": (
        REGISTER.replace("[2001:db8::10]", "user@[2001:db8:::192.0.2.1]"),
        REGISTERS,
    ),
}


@pytest.mark.parametrize("name", AT_AGENT)
def test_what_an_agent_makes_of_it(name: str) -> None:
    text, expected = AT_AGENT[name]
    text = text.replace("Call-ID: SSG", f"Call-ID: {name}")
    net, outcome = outcome_of(text.encode(), AGENT, ("2001:db8::9:1", 6050))
    assert outcome == expected
    let_go(net, AGENT)
    net.run(200)
    assert net.agents[AGENT].is_idle
    via = parse(net.sent[-1][1]).via
    assert via.host == ("::ffff:192.0.2.10" if "mapped" in name else "2001:db8::9:1")
