"""Reliable provisional responses (RFC 3262), both roles."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.errors import ParseError, StateError
from hookswitch_transport_sip.sip.events import (
    Answered,
    Failed,
    OfferReceived,
    Progressed,
    ProvisionalAcknowledged,
)
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.rack import RAck, rseq_of

from .extended import SUPPORTED, assert_idle, callee, messages, network
from .pair import ANSWER, A, B, Network

OTHER = b"v=0\r\no=other\r\n"


def called(**options: object) -> Network:
    net = network(**options)  # type: ignore[arg-type]
    net.call()
    net.run(0.1)
    return net


def test_early_media_is_acknowledged_and_then_answered() -> None:
    net = called()
    callee(net).progress(ANSWER, net.now)
    net.run(0.5)
    assert net.starts(A) == ["INVITE", "PRACK"]
    assert net.starts(B) == ["183", "200"]
    callee(net).answer(ANSWER, net.now)
    net.run(1)
    progressed, answered = net.log[A]
    assert isinstance(progressed, Progressed)
    assert isinstance(answered, Answered)
    assert progressed.sdp == ANSWER
    assert answered.sdp is None  # it was agreed on before
    net.callee.bye(net.now)
    assert_idle(net)


def test_ringing_stays_unreliable_where_nobody_insists() -> None:
    net = called()
    callee(net).ring(net.now)
    net.run(1)
    (ringing,) = messages(net, B, "180")
    assert rseq_of(ringing) is None  # type: ignore[arg-type]
    assert "PRACK" not in net.starts(A)


def test_who_insists_gets_everything_reliably_and_in_order() -> None:
    net = called(a={"required": ("100rel",)})
    callee(net).ring(net.now)
    callee(net).progress(ANSWER, net.now)
    callee(net).ring(net.now)
    net.run(1)
    assert [e.status for e in net.find(A, Progressed)] == [180, 183, 180]  # type: ignore[attr-defined]
    numbers = [RAck.of(m) for m in messages(net, A, "PRACK") if isinstance(m, Request)]
    assert [each.rseq - numbers[0].rseq for each in numbers] == [0, 1, 2]
    assert {(each.cseq, each.method) for each in numbers} == {(1, "INVITE")}
    assert len(messages(net, B, "200")) == 3
    callee(net).reject(486, net.now)
    assert_idle(net)


def test_a_callee_that_insists_refuses_who_does_not_know_it() -> None:
    net = called(a={"supported": ()}, b={"required": ("100rel",)})
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert failed.status == 421
    assert failed.response.headers.get("Require") == "100rel"
    assert net.log[B] == []


def test_a_callee_without_it_refuses_who_insists() -> None:
    net = called(a={"required": ("100rel",)}, b={"supported": ()})
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert failed.status == 420
    assert failed.response.headers.get("Unsupported") == "100rel"


def test_the_answer_waits_for_the_prack_of_a_session() -> None:
    net = called()
    net.drop = lambda data: data.startswith(b"PRACK")
    callee(net).progress(ANSWER, net.now)
    callee(net).answer(ANSWER, net.now)
    net.run(2)
    assert "200" not in net.starts(B)
    assert not callee(net).is_confirmed
    net.drop = lambda data: False
    net.run(5)
    assert net.names(A) == ["Progressed", "Answered"]
    assert net.names(B) == ["InviteReceived", "Acknowledged"]


def test_a_response_is_sent_again_until_it_is_acknowledged_and_passed_on_once() -> None:
    net = called()
    net.drop = lambda data: data.startswith(b"PRACK")
    callee(net).progress(ANSWER, net.now)
    net.run(4)
    assert net.starts(B).count("183") == 4  # at 0, 0.5, 1.5, 3.5 s
    assert net.names(A) == ["Progressed"]
    assert len(messages(net, A, "PRACK")) == 1


def test_a_call_whose_caller_acknowledges_nothing_is_given_up() -> None:
    net = called()
    net.drop = lambda data: data.startswith(b"PRACK")
    callee(net).progress(ANSWER, net.now)
    net.run(40)
    assert net.names(B) == ["InviteReceived", "PrackTimedOut", "Released"]
    failed = net.find(A, Failed)[0]
    assert isinstance(failed, Failed)
    assert failed.status == 504
    assert_idle(net)


def test_an_answer_is_not_kept_by_ringing_that_is_not_acknowledged() -> None:
    net = called(a={"required": ("100rel",)})
    net.drop = lambda data: data.startswith(b"PRACK")
    callee(net).ring(net.now)
    callee(net).answer(ANSWER, net.now)
    net.run(1)
    assert net.names(A) == ["Progressed", "Answered"]
    net.drop = lambda data: False
    net.run(5)  # the PRACK comes late, and is answered
    assert net.starts(B).count("180") == 1
    net.callee.bye(net.now)
    assert_idle(net)


def offered_in_prack() -> Network:
    """The PRACK of early media has brought another offer."""
    net = called()
    callee(net).progress(ANSWER, net.now)
    net.run(0.005)
    (progress,) = messages(net, B, "183")
    assert isinstance(progress, Response)
    net.drop = lambda data: data.startswith(b"PRACK")
    net.run(0.2)
    (prack,) = messages(net, A, "PRACK")
    net.drop = lambda data: False
    prack.set_body(OTHER, "application/sdp")
    net.inject(bytes(prack), A, B)
    return net


def test_an_offer_in_a_prack_is_answered_before_the_call() -> None:
    net = offered_in_prack()
    (offered,) = net.find(B, OfferReceived)
    assert isinstance(offered, OfferReceived)
    assert offered.sdp == OTHER
    callee(net).answer(ANSWER, net.now)
    net.run(0.2)
    assert not callee(net).is_confirmed
    callee(net).accept_offer(OTHER, net.now)
    net.run(1)
    to_prack, to_invite = messages(net, B, "200")
    assert (to_prack.cseq.method, to_prack.body) == ("PRACK", OTHER)
    assert (to_invite.cseq.method, to_invite.body) == ("INVITE", b"")
    net.callee.bye(net.now)
    assert_idle(net)


def test_a_call_is_turned_away_while_its_answer_waits_for_an_offer_in_a_prack() -> None:
    net = offered_in_prack()
    callee(net).answer(ANSWER, net.now)
    callee(net).reject(486, net.now)
    net.run(1)
    assert net.starts(B)[-2:] == ["487", "486"]
    assert net.names(B) == ["InviteReceived", "OfferReceived", "Released"]
    assert_idle(net)


def test_pracks_that_mean_nothing() -> None:
    net = called()
    callee(net).progress(ANSWER, net.now)
    net.run(0.5)
    (prack,) = messages(net, A, "PRACK")
    for number, rack, status in ((7, "1 1 INVITE", "481"), (8, "nonsense", "400")):
        text = bytes(prack).replace(b"z9hG4bK", b"z9hG4bK%d" % number)
        text = text.replace(b"2 PRACK", b"%d PRACK" % number)
        field = f"RAck: {prack.headers.get('RAck')}".encode()
        net.inject(text.replace(field, f"RAck: {rack}".encode()), A, B)
        assert net.starts(B)[-1] == status


def test_responses_out_of_order_are_not_taken() -> None:
    net = called()
    net.flush()
    invite = messages(net, A, "INVITE")[0]
    assert isinstance(invite, Request)
    net.drop = lambda data: True
    taken = []
    for number in (7, 9, 7, 8, 0):
        response = Response.to_request(invite, 183, to_tag="x")
        response.headers.extend(
            [("Require", "100rel"), ("RSeq", str(number)), ("Contact", "<sip:x@192.0.2.2>")]
        )
        before = len(net.log[A])
        net.inject(bytes(response), B, A)
        taken.append(len(net.log[A]) - before)
    assert taken == [1, 0, 0, 1, 1]  # RSeq 0 is none: that response is not reliable
    assert len(messages(net, A, "PRACK")) == 2


def test_an_invite_without_an_offer_is_answered_in_the_prack() -> None:
    net = network()
    net.agents[A].invite(*_target(net), None, net.now)
    net.run(0.1)
    assert callee(net).takes_early_offer
    callee(net).progress(OTHER, net.now)
    net.run(0.1)
    (progressed,) = net.find(A, Progressed)
    assert isinstance(progressed, Progressed)
    assert (progressed.sdp, progressed.is_offer) == (OTHER, True)
    progressed.call.accept_progress(progressed, ANSWER, net.now)
    net.run(0.5)
    (acknowledged,) = net.find(B, ProvisionalAcknowledged)
    assert isinstance(acknowledged, ProvisionalAcknowledged)
    assert acknowledged.sdp == ANSWER
    callee(net).answer(OTHER, net.now)
    net.run(1)
    answered = net.log[A][-1]
    assert isinstance(answered, Answered)
    assert (answered.sdp, answered.is_offer) == (None, False)
    net.callee.bye(net.now)
    assert_idle(net)


@pytest.mark.parametrize("answering", [False, True])
def test_a_prack_without_the_answer_to_our_offer_ends_the_call(answering: bool) -> None:
    net = network()
    net.agents[A].invite(*_target(net), None, net.now)
    net.run(0.1)
    callee(net).progress(OTHER, net.now)
    if answering:
        callee(net).answer(OTHER, net.now)
    net.run(0.1)
    (progressed,) = net.find(A, Progressed)
    assert isinstance(progressed, Progressed)
    progressed.call.accept_progress(progressed, b"", net.now)
    net.run(1)
    assert net.names(B) == ["InviteReceived", "EarlyOfferUnanswered", "Released"]
    assert net.starts(B) == ["183", "200", "488"]
    (failed,) = net.find(A, Failed)
    assert isinstance(failed, Failed)
    assert failed.status == 488
    assert_idle(net)


def test_ringing_that_is_acknowledged_needs_no_answer_to_the_offer_behind_it() -> None:
    net = network(b={"required": ("100rel",)})
    net.agents[A].invite(*_target(net), None, net.now)
    net.run(0.1)
    callee(net).ring(net.now)
    callee(net).progress(OTHER, net.now)
    net.run(0.5)
    progressed = net.find(A, Progressed)[-1]
    assert isinstance(progressed, Progressed)
    progressed.call.accept_progress(progressed, ANSWER, net.now)
    net.run(0.5)
    assert net.starts(B) == ["180", "183", "200", "200"]
    assert net.names(B) == ["InviteReceived", "ProvisionalAcknowledged"]


def test_an_early_offer_needs_a_caller_that_can_answer_it() -> None:
    net = network(a={"supported": ()})
    net.agents[A].invite(*_target(net), None, net.now)
    net.run(0.1)
    with pytest.raises(StateError):
        callee(net).progress(OTHER, net.now)
    callee(net).progress(None, net.now)
    callee(net).answer(OTHER, net.now)
    net.run(1)
    answered = net.log[A][-1]
    assert isinstance(answered, Answered)
    assert (answered.sdp, answered.is_offer) == (OTHER, True)
    assert "ACK" not in net.starts(A)
    answered.call.acknowledge(ANSWER, net.now)
    net.run(1)
    assert messages(net, A, "ACK")[0].body == ANSWER
    assert net.names(B)[-1] == "Acknowledged"
    answered.call.bye(net.now)
    assert_idle(net)


def test_an_offer_that_cannot_be_answered_is_acknowledged_before_the_bye() -> None:
    net = network(a={"supported": ()})
    net.agents[A].invite(*_target(net), None, net.now)
    net.run(0.1)
    callee(net).answer(OTHER, net.now)
    net.run(1)
    net.log[A][-1].call.bye(net.now)  # type: ignore[union-attr]
    net.run(1)
    assert net.starts(A) == ["INVITE", "ACK", "BYE"]
    assert_idle(net)


def _target(net: Network) -> tuple[object, object]:
    call = Network().call()
    return call.target, call._from


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.sampled_from(["INVITE", "X"]))
def test_rack_round_trip(rseq: int, cseq: int, method: str) -> None:
    assert RAck.parse(str(RAck(rseq, cseq, method))) == RAck(rseq, cseq, method)


@given(st.text())
def test_rack_takes_any_text(text: str) -> None:
    with suppress(ParseError):
        RAck.parse(text)


def test_supported_names_them_all() -> None:
    net = called()
    assert messages(net, A, "INVITE")[0].supported == list(SUPPORTED)
