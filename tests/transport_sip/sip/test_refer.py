"""Transfers (RFC 3515, 3420, 4488): asked for, and told how they go."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.call import Call
from hookswitch_transport_sip.sip.errors import ParseError, StateError
from hookswitch_transport_sip.sip.events import (
    ReferFinished,
    ReferProgressed,
    ReferralDropped,
    ReferReceived,
)
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.replaces import Replaces
from hookswitch_transport_sip.sip.sipfrag import StatusLine
from hookswitch_transport_sip.sip.subscription_state import SubscriptionState
from hookswitch_transport_sip.sip.uri import Uri

from .extended import assert_idle, established, messages, network
from .pair import A, B, Network

CAROL = NameAddr(Uri.parse("sip:carol@192.0.2.9"))


def caller(net: Network) -> Call:
    return net.log[A][0].call  # type: ignore[union-attr, return-value]


def referred(headers: list[tuple[str, str]] | None = None) -> Network:
    """A has asked B to call Carol."""
    net = established()
    caller(net).refer(CAROL, net.now, headers or [])
    net.run(0.5)
    return net


def finished(net: Network) -> ReferFinished:
    (event,) = net.find(A, ReferFinished)
    assert isinstance(event, ReferFinished)
    return event


def test_a_transfer_is_asked_for_told_of_and_done() -> None:
    net = referred([("Referred-By", "<sip:alice@192.0.2.1>")])
    (received,) = net.find(B, ReferReceived)
    assert isinstance(received, ReferReceived)
    assert received.refer_to == CAROL
    assert received.request.headers.get("Referred-By") == "<sip:alice@192.0.2.1>"
    assert net.starts(B)[-2:] == ["202", "NOTIFY"]
    net.callee.referral.report(180, None, net.now)
    net.callee.referral.report(200, None, net.now)
    net.run(1)
    progress = [(e.status, e.reason) for e in net.find(A, ReferProgressed)]  # type: ignore[attr-defined]
    assert progress == [(100, "Trying"), (180, "Ringing")]
    assert finished(net) == ReferFinished(caller(net), 200, "OK")
    states = [m.headers.get("Subscription-State") or "" for m in messages(net, B, "NOTIFY")]
    assert [state.partition(";")[0] for state in states] == ["active", "active", "terminated"]
    assert {m.headers.get("Event") for m in messages(net, B, "NOTIFY")} == {"refer"}
    assert not caller(net).referring.is_waiting
    caller(net).bye(net.now)
    assert_idle(net)


def test_a_second_transfer_has_an_id() -> None:
    net = referred()
    net.callee.referral.report(486, None, net.now)
    net.run(0.5)
    caller(net).refer(CAROL, net.now)
    net.run(0.5)
    net.callee.referral.report(200, "Fine", net.now)
    net.run(0.5)
    ends = [(e.status, e.reason) for e in net.find(A, ReferFinished)]  # type: ignore[attr-defined]
    assert ends == [(486, "Busy Here"), (200, "Fine")]
    number = messages(net, A, "REFER")[1].cseq.number
    assert messages(net, B, "NOTIFY")[-1].headers.get("Event") == f"refer;id={number}"


def test_one_at_a_time() -> None:
    net = referred()
    with pytest.raises(StateError):
        caller(net).refer(CAROL, net.now)
    with pytest.raises(StateError):
        caller(net).referral.report(200, None, net.now)  # it is the other's
    request = _refer(net, ["<sip:dave@192.0.2.9>"])
    net.inject(bytes(request), A, B)
    assert net.starts(B)[-1] == "491"


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        ([], "400"),
        (["<sip:carol@h>", "<sip:dave@h>"], "400"),
        (["nobody"], "400"),
        (["<sip:carol@h?Replaces=x>"], "400"),
        (["<sip:carol@h;method=SUBSCRIBE>"], "403"),
        (["<http://example.com/>"], "416"),
        (["mailto:carol@example.com"], "416"),
    ],
)
def test_a_refer_that_cannot_be_followed(refer_to: list[str], status: str) -> None:
    net = established()
    net.inject(bytes(_refer(net, refer_to)), A, B)
    assert net.starts(B)[-1] == status
    assert not net.find(B, ReferReceived)


def test_whom_to_call_may_be_a_telephone_number() -> None:
    net = established()
    net.inject(bytes(_refer(net, ["<tel:+15550100>"])), A, B)
    (received,) = net.find(B, ReferReceived)
    assert isinstance(received, ReferReceived)
    assert str(received.refer_to.uri) == "tel:+15550100"


def _refer(net: Network, refer_to: list[str]) -> Request:
    dialog = caller(net).confirmed_dialog
    request = dialog.request("REFER")
    branch = f"z9hG4bKr{request.cseq.number}"
    request.headers.prepend("Via", f"SIP/2.0/UDP 192.0.2.1;branch={branch}")
    request.headers.extend(("Refer-To", value) for value in refer_to)
    return request


def test_a_refer_before_the_answer_or_outside_a_dialog() -> None:
    net = network()
    net.call()
    net.run(0.1)
    net.callee.ring(net.now)  # type: ignore[attr-defined]
    net.run(0.1)
    early = next(iter(net.agents[A].calls.pop()._early.values()))  # type: ignore[attr-defined]
    request = early.request("REFER")
    request.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKr")
    request.headers.add("Refer-To", "<sip:c@h>")
    net.inject(bytes(request), A, B)
    assert net.starts(B)[-1] == "403"
    outside = bytes(request).replace(b";tag=%s" % (early.remote.tag or "").encode(), b"")
    net.inject(outside.replace(b"z9hG4bKr", b"z9hG4bKs"), A, B)
    assert net.starts(B)[-1] == "403"


def test_who_wants_to_hear_nothing_hears_nothing() -> None:
    net = referred([("Refer-Sub", "false")])
    assert messages(net, B, "202")[0].headers.get("Refer-Sub") == "false"
    net.callee.referral.report(200, None, net.now)
    net.run(1)
    assert "NOTIFY" not in net.starts(B)
    assert finished(net) == ReferFinished(caller(net), 202, "Accepted")


def test_a_refused_refer() -> None:
    net = established(network(b={"allow": ("INVITE", "ACK", "BYE")}))
    caller(net).refer(CAROL, net.now)
    net.run(1)
    assert (finished(net).status, finished(net).error) == (405, "the REFER was refused")
    assert caller(net).is_confirmed


def test_a_lost_dialog_ends_the_call_too() -> None:
    net = established()
    net.agents.pop(B)
    caller(net).refer(CAROL, net.now)
    net.run(40)
    assert finished(net).status == 408
    assert net.names(A)[1:3] == ["ReferFinished", "DialogLost"]


def test_silence_after_the_202_ends_the_transfer_but_not_the_call() -> None:
    net = established()
    net.drop = lambda data: data.startswith(b"NOTIFY")
    caller(net).refer(CAROL, net.now)
    net.run(33)
    assert finished(net).error == "the peer told no outcome in time"
    assert caller(net).is_confirmed
    assert net.find(B, ReferralDropped)
    net.callee.referral.report(200, None, net.now)
    net.drop = lambda data: False
    caller(net).bye(net.now)
    assert_idle(net)


def test_the_subscription_ends_without_an_outcome() -> None:
    net = referred()
    net.run(700)  # nobody decides
    assert finished(net).error == "the peer tells no more (timeout)"
    assert net.find(B, ReferralDropped)
    caller(net).bye(net.now)
    assert_idle(net)


def test_the_outcome_comes_after_the_transferor_hung_up() -> None:
    net = referred()
    caller(net).bye(net.now)
    net.run(1)
    assert net.names(B)[-1] == "ByeReceived"  # and not released: it has something to tell
    net.callee.referral.report(200, None, net.now)
    net.run(1)
    assert finished(net) == ReferFinished(caller(net), 200, "OK")
    assert net.names(A)[-1] == net.names(B)[-1] == "Released"
    assert_idle(net)


def test_after_the_end_nobody_waits_for_ever() -> None:
    net = referred()
    net.callee.bye(net.now)
    net.drop = lambda data: data.startswith(b"NOTIFY")
    net.run(40)
    assert finished(net).status == 408
    assert net.names(A)[-1] == "Released"
    net.run(700)
    assert net.names(B)[-1] == "Released"
    assert_idle(net)


def test_a_refused_notify_ends_the_telling() -> None:
    net = referred()
    caller(net).bye(net.now)
    net.run(1)
    caller(net).referring.is_waiting = False
    caller(net).usage_ended(net.now)
    net.callee.referral.report(180, None, net.now)
    net.run(1)
    assert net.find(B, ReferralDropped)
    net.callee.referral.report(200, None, net.now)
    net.run(1)
    assert messages(net, B, "NOTIFY")[-1].body == b"SIP/2.0 180 Ringing\r\n"
    assert_idle(net)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Event": "presence"}, "489"),
        ({"Event": "refer;id=99"}, "481"),
        ({"Event": "refer;;"}, "400"),
        ({"Content-Type": "text/plain"}, "415"),
        ({"Subscription-State": ";"}, "400"),
        ({"Subscription-State": "active;expires=x"}, "200"),
    ],
)
def test_notifies_that_do_not_fit(changes: dict[str, str], status: str) -> None:
    net = referred()
    request = net.callee.confirmed_dialog.request("NOTIFY")
    request.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKn")
    request.headers.extend([("Event", "refer"), ("Subscription-State", "active")])
    request.set_body(b"SIP/2.0 182 Queued\r\n", "message/sipfrag")
    for name, value in changes.items():
        request.headers.set(name, value)
    net.inject(bytes(request), B, A)
    assert net.starts(A)[-1] == status


def test_a_notify_without_a_refer() -> None:
    net = established()
    request = caller(net).confirmed_dialog.request("NOTIFY")
    request.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKn")
    request.headers.add("Event", "refer")
    net.inject(bytes(request), A, B)
    assert net.starts(B)[-1] == "481"


@given(st.integers(100, 699), st.text("abc d;", min_size=1).map(str.strip).filter(bool))
def test_sipfrag_round_trip(status: int, reason: str) -> None:
    assert StatusLine.parse(bytes(StatusLine(status, reason))) == StatusLine(status, reason)


@given(st.binary())
def test_sipfrag_takes_anything(body: bytes) -> None:
    with suppress(ParseError):
        StatusLine.parse(body)


@given(st.sampled_from(["active", "terminated"]), st.none() | st.integers(0, 10**8),
       st.none() | st.just("noresource"))  # fmt: skip
def test_subscription_state_round_trip(state: str, expires: int | None, reason: str | None) -> None:
    value = SubscriptionState(state, expires, reason)
    assert SubscriptionState.parse(str(value)) == value


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"]), min_size=1),
       st.booleans())  # fmt: skip
def test_replaces_in_a_uri(tag: str, early: bool) -> None:
    replaces = Replaces("1@h:5060;x=?&", tag, "b", early)
    if ";" in replaces.call_id:
        replaces = Replaces("a(1)@h.example:5060", tag, "b", early)
    uri = Uri("sip", "bob", "h", headers=(replaces.to_uri_header(),))
    assert Replaces.from_uri(Uri.parse(str(uri))) == replaces
