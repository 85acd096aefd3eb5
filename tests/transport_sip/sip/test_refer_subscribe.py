"""The subscription a REFER makes: prolonged, ended, and nothing else subscribed to (RFC 6665)."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.sip.call import Call
from hookswitch_transport_sip.sip.events import ReferralDropped
from hookswitch_transport_sip.sip.message import Request, Response

from .extended import assert_idle, established, messages
from .pair import A, B, Network
from .test_refer import CAROL, caller, referred


def subscribe(net: Network, call: Call, **fields: str) -> Response:
    """A subscribes; what B answers."""
    request = call.confirmed_dialog.request("SUBSCRIBE")
    branch = f"z9hG4bKs{request.cseq.number}"
    request.headers.prepend("Via", f"SIP/2.0/UDP 192.0.2.1;branch={branch}")
    request.headers.add("Contact", "<sip:a@192.0.2.1>")
    for name, value in fields.items():
        request.headers.add(name, value)
    net.inject(bytes(request), A, B)
    answers = [m for m in messages(net, B, "200") + messages(net, B, "481")
               + messages(net, B, "489") + messages(net, B, "400")
               if isinstance(m, Response) and m.cseq == request.cseq]  # fmt: skip
    (answer,) = answers
    assert isinstance(answer, Response)
    return answer


def told(net: Network) -> list[tuple[str, bytes]]:
    """State of the subscription and outcome in each NOTIFY of B."""
    return [
        (m.headers.get("Subscription-State") or "", m.body.strip())
        for m in messages(net, B, "NOTIFY")
        if isinstance(m, Request)
    ]


def test_it_is_prolonged_and_the_state_told_again() -> None:
    net = referred()
    net.callee.referral.report(180, None, net.now)
    net.run(0.5)
    answer = subscribe(net, caller(net), Event="refer", Expires="1200")
    assert answer.headers.get("Expires") == "1200"
    assert answer.contacts
    net.run(0.5)
    assert told(net)[-1] == ("active;expires=1200", b"SIP/2.0 180 Ringing")
    net.run(900)  # longer than it would have lived
    assert not net.find(B, ReferralDropped)
    net.callee.referral.report(200, None, net.now)
    net.run(0.5)
    assert told(net)[-1] == ("terminated;reason=noresource", b"SIP/2.0 200 OK")
    caller(net).bye(net.now)
    assert_idle(net)


def test_no_longer_than_an_hour_at_once() -> None:
    net = referred()
    answer = subscribe(net, caller(net), Event="refer", Expires="99999999999999")
    assert answer.headers.get("Expires") == "3600"


def test_it_is_ended_and_the_transfer_goes_on_unheard() -> None:
    net = referred()
    assert subscribe(net, caller(net), Event="refer", Expires="0").headers.get("Expires") == "0"
    net.run(0.5)
    assert told(net)[-1] == ("terminated;reason=timeout", b"SIP/2.0 100 Trying")
    assert net.find(B, ReferralDropped)
    assert net.callee.referral.is_open
    count = len(told(net))
    net.callee.referral.report(200, None, net.now)
    net.run(0.5)
    assert len(told(net)) == count
    assert subscribe(net, caller(net), Event="refer").status == 481
    caller(net).bye(net.now)
    assert_idle(net)


def test_it_may_be_ended_after_the_call() -> None:
    net = referred()
    caller(net).bye(net.now)
    net.run(0.5)
    assert subscribe(net, caller(net), Event="refer", Expires="0").status == 200
    net.callee.referral.report(486, None, net.now)
    net.run(0.5)
    assert net.names(B)[-1] == "Released"
    assert_idle(net)


def test_the_second_one_goes_by_its_id() -> None:
    net = referred()
    net.callee.referral.report(486, None, net.now)
    net.run(0.5)
    caller(net).refer(CAROL, net.now)
    net.run(0.5)
    number = messages(net, A, "REFER")[1].cseq.number
    assert subscribe(net, caller(net), Event="refer").status == 481
    assert subscribe(net, caller(net), Event=f"refer;id={number}").status == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Event": "refer", "Expires": "soon"}, 400),
        ({"Event": "refer;;"}, 400),
        ({"Event": "refer;id=99"}, 481),
        ({"Event": "presence"}, 489),
        ({}, 489),
    ],
)
def test_what_does_not_fit(fields: dict[str, str], status: int) -> None:
    net = referred()
    answer = subscribe(net, caller(net), **fields)
    assert answer.status == status
    assert answer.headers.get("Allow-Events") == ("refer" if status == 489 else None)


def test_without_a_refer() -> None:
    net = established()
    assert subscribe(net, caller(net), Event="refer").status == 481


def test_who_wanted_to_hear_nothing_has_no_subscription() -> None:
    net = referred([("Refer-Sub", "false")])
    assert subscribe(net, caller(net), Event="refer").status == 481
