"""Requests from strangers: what is answered, what is dropped and counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.endpoint import UserAgent
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Response
from hookswitch_transport_sip.sip.parser import parse

from .pair import A, B, Network

STRANGER = ("192.0.2.77", 33333)
INVITE = (
    b"INVITE sip:b@192.0.2.2 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bKs\r\n"
    b"Max-Forwards: 70\r\n"
    b"From: <sip:s@10.0.0.1>;tag=s\r\n"
    b"To: <sip:b@192.0.2.2>\r\n"
    b"Call-ID: stranger\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:s@10.0.0.1:5062>\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 3\r\n\r\nv=0"
)
OPTIONS = INVITE.replace(b"INVITE", b"OPTIONS").replace(b"z9hG4bKs", b"z9hG4bKo")
SUBSCRIBE = INVITE.replace(b"INVITE", b"SUBSCRIBE").replace(
    b"Contact", b"Event: presence\r\nContact"
)


def answers(net: Network, data: bytes, source: tuple[str, int] = STRANGER) -> list[Response]:
    before = len(net.sent)
    net.inject(data, source, B)
    messages = [parse(sent) for _, sent in net.sent[before:]]
    return [message for message in messages if isinstance(message, Response)]


@pytest.mark.parametrize(
    ("data", "status", "header"),
    [
        (OPTIONS, 200, ("Accept", "application/sdp")),
        (INVITE.replace(b"INVITE", b"REGISTER"), 405, ("Allow", "INVITE, ACK, CANCEL")),
        (SUBSCRIBE, 489, ("Allow-Events", "refer")),
        (SUBSCRIBE.replace(b"presence", b"refer"), 403, None),
        (SUBSCRIBE.replace(b"presence", b"refer;;"), 400, None),
        (INVITE.replace(b"INVITE", b"DANCE"), 501, ("Allow", "INVITE, ACK, CANCEL")),
        (INVITE.replace(b"Contact", b"Require: 100rel, x\r\nContact"), 420, ("Unsupported", "100")),
        (INVITE.replace(b"s: 70", b"s: 0"), 483, None),
        (INVITE.replace(b"E sip:b@192.0.2.2", b"E foo:bar"), 416, None),
        (INVITE.replace(b"application/sdp", b"text/plain"), 415, ("Accept", "application/sdp")),
        (
            INVITE.replace(b"Contact", b"Content-Encoding: gzip\r\nContact"),
            415,
            ("Accept-Encoding", "identity"),
        ),
        (INVITE.replace(b"Contact", b"Accept: text/plain, text/html\r\nContact"), 406, None),
        (INVITE.replace(b"Contact", b"Accept:\r\nContact"), 406, None),
        (INVITE.replace(b"Contact", b'Accept: ", x\r\nContact'), 400, None),
        (INVITE.replace(b"E sip:b", b"E sips:b"), 480, ("Warning", "380 192.0.2.2 ")),
        (OPTIONS.replace(b"S sip:b", b"S sips:b"), 480, ("Warning", "380 192.0.2.2 ")),
        (INVITE.replace(b"2.2>\r\n", b"2.2>;tag=gone\r\n"), 481, None),
        (INVITE.replace(b"INVITE", b"CANCEL"), 481, None),
        (INVITE.replace(b"INVITE", b"BYE"), 481, None),
        (INVITE.replace(b" SIP/2.0\r\nVia", b" SIP/3.0\r\nVia"), 505, None),
        (INVITE.replace(b"70", b"7777"), 400, ("Warning", "399 192.0.2.2 ")),
        (INVITE.replace(b"th: 3", b"th: 99"), 400, None),
    ],
)
def test_requests_that_are_refused(
    data: bytes, status: int, header: tuple[str, str] | None
) -> None:
    net = Network()
    (response,) = answers(net, data)
    assert response.status == status
    assert response.via.response_address() == STRANGER
    if header is not None:
        assert (response.headers.get(header[0]) or "").startswith(header[1])
    assert net.log[B] == []
    net.run(100)
    assert net.agents[B].is_idle


@pytest.mark.parametrize("accept", [b"a/b, application/SDP;q=1", b"application/*", b"*/*"])
def test_a_caller_that_reads_sdp_among_others(accept: bytes) -> None:
    net = Network()
    assert answers(net, INVITE.replace(b"Contact", b"Accept: " + accept + b"\r\nContact")) == []
    assert net.names(B) == ["InviteReceived"]


def test_a_sips_uri_over_tls_is_taken() -> None:
    net = Network()
    data = INVITE.replace(b"E sip:b", b"E sips:b").replace(b"/UDP", b"/TLS")
    net.agents[B].receive_message(data, Hop(*STRANGER, "TLS"), net.now)
    net.flush()
    assert net.names(B) == ["InviteReceived"]


def test_too_large_a_body_is_refused() -> None:
    net = Network()
    net.add(B, max_message=2)
    assert [r.status for r in answers(net, INVITE)] == [513]


def test_a_merged_invite_is_refused() -> None:
    net = Network()
    assert answers(net, INVITE) == []
    (response,) = answers(net, INVITE.replace(b"z9hG4bKs", b"z9hG4bKt"))
    assert response.status == 482
    assert net.names(B) == ["InviteReceived"]


def test_options_says_what_the_user_says() -> None:
    net = Network()
    net.agents[B] = UserAgent(net.agents[B].config, options_status=lambda request: 503)
    (response,) = answers(net, OPTIONS.replace(b"s: 70", b"s: 0"))
    assert response.status == 503
    assert response.to.tag


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0\0\0\0"])
def test_keep_alives_are_ignored(data: bytes) -> None:
    net = Network()
    assert answers(net, data) == []
    assert net.agents[B].counters == {"keep_alives": 1}


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (b"junk", "malformed"),
        (INVITE.replace(b"INVITE", b"ACK").replace(b"70", b"x"), "malformed"),
        (INVITE.replace(b"INVITE", b"ACK"), "acks_stray"),
        (INVITE.replace(b"INVITE sip:b@192.0.2.2 SIP/2.0", b"SIP/2.0 200 OK"), "responses_stray"),
        (
            INVITE.replace(b"INVITE sip:b@192.0.2.2 SIP/2.0", b"SIP/2.0 200 OK").replace(
                b"Max", b"Via: SIP/2.0/UDP x\r\nMax"
            ),
            "responses_misrouted",
        ),
    ],
)
def test_what_cannot_be_answered_is_counted(data: bytes, counter: str) -> None:
    net = Network()
    assert answers(net, data) == []
    assert net.agents[B].counters[counter] == 1
    assert net.agents[B].is_idle


def test_nobody_can_point_our_answers_at_a_third_party() -> None:
    net = Network()
    evil = INVITE.replace(b"INVITE", b"OPTIONS").replace(
        b"10.0.0.1:5062;rport", b"192.0.2.77:33333;received=203.0.113.1;maddr=203.0.113.1"
    )
    net.agents[B].receive_datagram(evil, STRANGER, B, 0.0)
    ((_, hop),) = net.agents[B].to_send()
    assert hop.address == STRANGER


@given(st.binary(max_size=200), st.integers(0, len(INVITE)), st.integers(0, 30))
@settings(max_examples=300, deadline=None)
def test_no_datagram_raises_or_leaves_anything_behind(noise: bytes, at: int, cut: int) -> None:
    net = Network()
    net.inject(INVITE[:at] + noise + INVITE[at + cut :], STRANGER, B)
    net.inject(noise, STRANGER, B)
    for call in net.agents[B].calls:
        call.reject(480, net.now)  # type: ignore[attr-defined]
    net.run(200)
    assert net.agents[B].is_idle


def test_a_strange_response_changes_nothing() -> None:
    net = Network()
    net.call()
    net.flush()
    invite = net.sent[0][1]
    forged = b"SIP/2.0 200 OK\r\n" + invite.partition(b"\r\n")[2].replace(b"z9hG4bK", b"z9hG4bKx")
    net.inject(forged, STRANGER, A)
    assert net.log[A] == []
