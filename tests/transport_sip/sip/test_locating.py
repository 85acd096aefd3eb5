"""RFC 3263: which addresses a URI leads to, and in which order."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from hookswitch_transport_sip.sip.core import target_of
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.locating import (
    MOST_TARGETS,
    Naptr,
    Question,
    Record,
    Srv,
    locate,
    ordered,
)
from hookswitch_transport_sip.sip.uri import Uri

V4, V6 = "192.0.2.1", "2001:db8::1"
UDP = (Hop(V4, 5060, "UDP"),)
ALL = tuple(
    Hop(host, port, transport)
    for host in (V4, V6)
    for transport, port in (("UDP", 5060), ("TCP", 5060), ("TLS", 5061))
)
Zone = dict[tuple[str, str], list[Record]]


def found(uri: str, zone: Zone, local: tuple[Hop, ...] = ALL, seed: int = 0) -> list[Hop]:
    return asked(uri, zone, local, seed)[0]


def asked(
    uri: str, zone: Zone, local: tuple[Hop, ...] = ALL, seed: int = 0
) -> tuple[list[Hop], list[Question]]:
    """The hops, and what DNS was asked for them."""
    questions = locate(target_of(Uri.parse(uri)), local, random.Random(seed))
    log: list[Question] = []
    answers = None
    while True:
        try:
            wanted = questions.send(answers)  # type: ignore[arg-type]
        except StopIteration as done:
            return done.value, log
        log += wanted
        answers = [zone.get((question.kind, question.name), []) for question in wanted]


ZONE: Zone = {
    ("NAPTR", "example.com"): [
        Naptr(20, 10, "s", "SIP+D2U", "_sip._udp.example.com"),
        Naptr(10, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(10, 60, "s", "SIP+D2T", "_sip._tcp.example.com"),
        Naptr(5, 1, "s", "SIP+D2W", "_sip._ws.example.com"),
        Naptr(5, 1, "u", "E2U+sip", "ignored.example.com"),
    ],
    ("SRV", "_sip._udp.example.com"): [
        Srv(20, 0, 5070, "b.example.com"),
        Srv(10, 0, 5060, "a.example.com"),
    ],
    ("SRV", "_sip._tcp.example.com"): [Srv(10, 0, 5062, "a.example.com")],
    ("SRV", "_sips._tcp.example.com"): [Srv(10, 0, 5061, "t.example.com")],
    ("A", "a.example.com"): ["198.51.100.1"],
    ("AAAA", "a.example.com"): ["2001:db8::a"],
    ("A", "b.example.com"): ["198.51.100.2", "198.51.100.3"],
    ("A", "t.example.com"): ["198.51.100.4"],
    ("A", "plain.example.com"): ["198.51.100.9"],
    ("AAAA", "plain.example.com"): ["2001:db8::9"],
    ("SRV", "_sip._udp.closed.example.com"): [Srv(0, 0, 0, ".")],
    ("A", "closed.example.com"): ["198.51.100.66"],
    ("SRV", "_sip._udp.half.example.com"): [Srv(0, 0, 5080, "a.example.com")],
}


def test_naptr_chooses_the_transport_and_srv_the_server() -> None:
    assert found("sip:bob@example.com", ZONE) == [
        Hop("198.51.100.4", 5061, "TLS", "example.com"),
        Hop("198.51.100.1", 5062, "TCP"),
        Hop("2001:db8::a", 5062, "TCP"),
        Hop("198.51.100.1", 5060, "UDP"),
        Hop("2001:db8::a", 5060, "UDP"),
        Hop("198.51.100.2", 5070, "UDP"),
        Hop("198.51.100.3", 5070, "UDP"),
    ]


def test_only_what_we_can_speak_is_used() -> None:
    assert found("sip:bob@example.com", ZONE, UDP) == [
        Hop("198.51.100.1", 5060),
        Hop("198.51.100.2", 5070),
        Hop("198.51.100.3", 5070),
    ]


def test_a_sips_uri_goes_by_tls_or_not_at_all() -> None:
    assert found("sips:bob@example.com", ZONE) == [Hop("198.51.100.4", 5061, "TLS", "example.com")]
    assert found("sips:bob@example.com", ZONE, UDP) == []
    assert found("sips:bob@192.0.2.7", ZONE, UDP) == []
    assert found("sips:bob@plain.example.com:5071;transport=udp", ZONE)[0].transport == "TLS"


@pytest.mark.parametrize(
    ("uri", "hops"),
    [
        ("sip:192.0.2.7", [Hop("192.0.2.7", 5060)]),
        ("sip:192.0.2.7:5080", [Hop("192.0.2.7", 5080)]),
        ("sip:192.0.2.7;transport=tcp", [Hop("192.0.2.7", 5060, "TCP")]),
        ("sips:192.0.2.7", [Hop("192.0.2.7", 5061, "TLS", "192.0.2.7")]),
        ("sip:[2001:db8::7]", [Hop("2001:db8::7", 5060)]),
        ("sip:x.example.org;maddr=192.0.2.8", [Hop("192.0.2.8", 5060)]),
    ],
)
def test_an_address_is_not_looked_up(uri: str, hops: list[Hop]) -> None:
    assert asked(uri, ZONE) == (hops, [])


def test_a_port_means_that_only_the_address_is_looked_up() -> None:
    hops, questions = asked("sip:plain.example.com:5080", ZONE)
    assert hops == [Hop("198.51.100.9", 5080), Hop("2001:db8::9", 5080)]
    assert {question.kind for question in questions} == {"A", "AAAA"}


def test_a_transport_means_that_naptr_is_not_asked() -> None:
    hops, questions = asked("sip:example.com;transport=tcp", ZONE)
    assert hops == [Hop("198.51.100.1", 5062, "TCP"), Hop("2001:db8::a", 5062, "TCP")]
    assert Question("example.com", "NAPTR") not in questions


def test_srv_alone_and_nothing_but_an_address() -> None:
    assert found("sip:half.example.com", ZONE)[0] == Hop("198.51.100.1", 5080)
    assert found("sip:plain.example.com", ZONE) == [
        Hop("198.51.100.9", 5060),
        Hop("2001:db8::9", 5060),
    ]
    assert found("sip:nowhere.example.com", ZONE) == []


def test_a_domain_may_say_that_it_has_no_such_service() -> None:
    assert found("sip:closed.example.com", ZONE, UDP) == []


def test_a_family_we_lack_is_not_asked_for() -> None:
    _, questions = asked("sip:plain.example.com", ZONE, UDP)
    assert Question("plain.example.com", "AAAA") not in questions


def test_an_unknown_transport_is_tried_by_udp() -> None:
    assert found("sip:plain.example.com;transport=sctp", ZONE)[0].transport == "UDP"
    assert found("sip:192.0.2.7;transport=tcp", ZONE, UDP) == [Hop("192.0.2.7", 5060)]


def test_weights_share_the_load_within_a_priority() -> None:
    records = [Srv(1, 30, 1, "thirty"), Srv(1, 10, 1, "ten"), Srv(0, 0, 1, "first")]
    source = random.Random(5)
    seconds: Counter[str] = Counter()
    for _ in range(4000):
        first, second, third = ordered(records, source)
        assert first.target == "first"
        assert {second.target, third.target} == {"thirty", "ten"}
        seconds[second.target] += 1
    assert 2800 < seconds["thirty"] < 3200


def test_no_more_targets_than_anyone_would_try() -> None:
    zone: Zone = {
        ("SRV", "_sip._udp.big.example.com"): [
            Srv(n, 0, 5060, f"s{n}.example.com") for n in range(50)
        ],
        **{("A", f"s{n}.example.com"): [f"198.51.100.{n}"] for n in range(50)},
    }
    assert len(found("sip:big.example.com", zone, UDP)) == MOST_TARGETS
