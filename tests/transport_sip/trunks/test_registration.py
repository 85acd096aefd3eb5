"""Our own registrations, without any registrar."""

from __future__ import annotations

import random

import pytest

from hookswitch_transport_sip.sip.message import Response
from hookswitch_transport_sip.sip.uri import Uri
from hookswitch_transport_sip.trunks.config import Account
from hookswitch_transport_sip.trunks.registration import (
    Action,
    Failed,
    Lapsed,
    OutboundRegistration,
    Registered,
    Send,
    Status,
    Timing,
)

CONTACT = Uri.parse("sip:alice@192.0.2.1:5060")
ACCOUNT = Account(
    registrar=Uri.parse("sip:pbx.example.com"),
    aor=Uri.parse("sip:alice@pbx.example.com"),
    username="alice",
    password="pw",
    expires=600,
    contact_user="alice",
)


def registration(**timing: float) -> OutboundRegistration:
    chance = random.Random(1)
    return OutboundRegistration(ACCOUNT, CONTACT, "c1", "t1", Timing(**timing), chance)


def ok(contact: str = f"<{CONTACT}>;expires=600", **headers: str) -> Response:
    items = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Response(200, headers=[("Contact", contact), *items] if contact else items)


def delay_of(actions: list[Action]) -> float:
    (failed,) = actions
    assert isinstance(failed, Failed)
    return failed.delay


def test_it_registers_and_refreshes_in_time() -> None:
    trunk = registration(refresh_ratio=0.5)
    assert trunk.start(0.0) == [Send(600)]
    assert trunk.receive(ok(), 1.0) == [Registered(600)]
    assert trunk.status is Status.ACTIVE
    due = trunk.next_timer()
    assert due is not None
    assert 271.0 <= due <= 301.0
    assert trunk.handle_timer(due) == [Send(600)]
    assert trunk.status is Status.ACTIVE, "a refresh is no interruption"
    assert trunk.receive(ok(), due + 1) == [Registered(600)]


def test_each_register_is_one_of_a_row() -> None:
    trunk = registration()
    first, second = trunk.build(600), trunk.build(600)
    assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
    assert [first.cseq.number, second.cseq.number] == [1, 2]
    assert str(first.uri) == "sip:pbx.example.com"
    assert first.to.tag is None
    assert str(first.contacts[0]) == f"<{CONTACT}>;expires=600"


@pytest.mark.parametrize(
    ("response", "granted"),
    [
        (ok(f"<{CONTACT}>;expires=120"), 120),
        (ok(f"<sip:other@h>;expires=30, <{CONTACT}>;expires=120"), 120),
        (ok("<sip:alice@203.0.113.1:1234>;expires=90"), 90),
        (ok(f"<{CONTACT}>", Expires="70"), 70),
        (ok("", Expires="70"), 70),
        (ok(""), 600),
        (ok(f"<{CONTACT}>;expires=soon", Expires="70"), 70),
    ],
)
def test_what_is_granted(response: Response, granted: int) -> None:
    trunk = registration()
    trunk.start(0.0)
    assert trunk.receive(response, 1.0) == [Registered(granted)]


@pytest.mark.parametrize(
    "contact", [f"<{CONTACT}>;expires=0", "<sip:a@h>;expires=60, <sip:b@h>;expires=60"]
)
def test_a_200_that_does_not_list_us_is_a_failure(contact: str) -> None:
    trunk = registration()
    trunk.start(0.0)
    (failed,) = trunk.receive(ok(contact), 1.0)
    assert isinstance(failed, Failed)
    assert trunk.status is Status.FAILED


def test_too_short_is_asked_for_longer_at_once() -> None:
    trunk = registration()
    trunk.start(0.0)
    brief = Response(423, headers=[("Min-Expires", "1800")])
    assert trunk.receive(brief, 1.0) == [Send(1800)]
    assert isinstance(trunk.receive(brief, 2.0)[0], Failed), "but not for ever"


def test_failures_wait_longer_and_longer() -> None:
    trunk, now, delays = registration(longest_delay=60.0), 0.0, []
    trunk.start(now)
    for _ in range(8):
        delays.append(delay_of(trunk.receive(Response(503), now)))
        due = trunk.next_timer()
        assert due == now + delays[-1]
        now = due
        assert trunk.handle_timer(now) == [Send(600)]
    assert all(0.8 * 2**n * 2 <= delay <= 2**n * 2 for n, delay in enumerate(delays[:5]))
    assert all(48 <= delay <= 60 for delay in delays[5:])
    trunk.receive(ok(), now)
    assert delay_of(trunk.receive(Response(503), now + 300)) <= 2.0, "a success starts anew"


def test_a_refused_password_is_not_tried_often() -> None:
    trunk = registration()
    trunk.start(0.0)
    assert delay_of(trunk.receive(Response(403), 1.0)) >= 24


def test_a_registrar_says_when_to_come_back() -> None:
    trunk = registration()
    trunk.start(0.0)
    busy = Response(503, headers=[("Retry-After", "120 (lunch);duration=3600")])
    assert delay_of(trunk.receive(busy, 1.0)) == 120.0


def test_it_lapses_once_when_it_cannot_be_refreshed() -> None:
    trunk = registration()
    trunk.start(0.0)
    trunk.receive(ok(f"<{CONTACT}>;expires=10"), 0.0)
    told: list[Action] = []
    for _ in range(20):
        due = trunk.next_timer()
        assert due is not None
        actions = trunk.handle_timer(due)
        told += [action for action in actions if isinstance(action, Lapsed)]
        if Send(600) in actions:
            assert trunk.status in (Status.ACTIVE, Status.REGISTERING)
            trunk.receive(Response(408), due, local=True)
    assert told == [Lapsed("refresh_failed")]
    assert trunk.status is Status.FAILED


def test_it_unregisters() -> None:
    trunk = registration()
    trunk.start(0.0)
    trunk.receive(ok(), 0.0)
    assert trunk.stop(1.0) == [Send(0)]
    assert trunk.next_timer() is None
    assert trunk.receive(ok("", Expires="0"), 2.0) == [Lapsed("unregistered")]
    assert trunk.status is Status.GONE


def test_what_was_never_registered_just_goes() -> None:
    trunk = registration()
    trunk.start(0.0)
    trunk.receive(Response(503), 1.0)
    assert trunk.stop(2.0) == []
    assert trunk.status is Status.GONE
    assert trunk.next_timer() is None


@pytest.mark.parametrize(("status", "then"), [(200, [Send(0)]), (503, [Lapsed("unregistered")])])
def test_it_unregisters_after_the_register_under_way(status: int, then: list[Action]) -> None:
    trunk = registration()
    trunk.start(0.0)
    assert trunk.stop(1.0) == [], "one at a time"
    assert trunk.receive(Response(status), 2.0) == then
    if then == [Send(0)]:
        assert trunk.receive(Response(200), 3.0) == [Lapsed("unregistered")]
    assert trunk.status is Status.GONE


def test_calls_follow_the_service_route() -> None:
    trunk = registration()
    trunk.start(0.0)
    trunk.receive(ok(Service_Route="<sip:p1;lr>, <sip:p2;lr>"), 1.0)
    assert [str(route) for route in trunk.service_route] == ["<sip:p1;lr>", "<sip:p2;lr>"]
    trunk.receive(ok(Service_Route="nonsense"), 1.0)
    assert trunk.service_route == ()
