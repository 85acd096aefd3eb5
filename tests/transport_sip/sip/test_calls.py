"""Whole calls between two user agents."""

from collections.abc import Callable

import pytest

from hookswitch_transport_sip.sip.dialog import Dialog
from hookswitch_transport_sip.sip.errors import ParseError, StateError
from hookswitch_transport_sip.sip.events import (
    Acknowledged,
    Answered,
    Event,
    Failed,
    InfoReceived,
    InviteReceived,
    Progressed,
    ReinviteAnswered,
    ReinviteFailed,
    ReinviteReceived,
    RequestAnswered,
)
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.parser import parse
from hookswitch_transport_sip.sip.uas import InboundCall

from .pair import ANSWER, OFFER, A, B, Network


def callee(net: Network) -> InboundCall:
    call = net.callee
    assert isinstance(call, InboundCall)
    return call


def answering(net: Network) -> Callable[[Event], None]:
    def react(event: Event) -> None:
        if isinstance(event, InviteReceived):
            event.call.ring(net.now)
            event.call.answer(ANSWER, net.now)
        elif isinstance(event, ReinviteReceived):
            event.call.accept_reinvite(ANSWER, net.now)

    return react


def established() -> Network:
    net = Network()
    net.react[B] = answering(net)
    net.call()
    net.run(1)
    assert net.names(A) == ["Progressed", "Answered"]
    assert net.names(B) == ["InviteReceived", "Acknowledged"]
    return net


def idle(net: Network) -> bool:
    net.run(200)
    return all(agent.is_idle for agent in net.agents.values())


def test_a_call_with_early_media_answer_and_bye() -> None:
    net = Network()
    call = net.call(headers=[("X-Account", "7"), ("Privacy", "id")])
    net.run(0.5)
    (invited,) = net.find(B, InviteReceived)
    assert isinstance(invited, InviteReceived)
    assert invited.request.sdp == OFFER
    assert invited.request.headers.get("x-account") == "7"
    assert invited.request.from_.display == "Alice"
    callee(net).progress(ANSWER, net.now, headers=[("X-Early", "1")])
    callee(net).answer(ANSWER, net.now)
    net.run(1)
    progressed, answered = net.log[A]
    assert isinstance(progressed, Progressed)
    assert isinstance(answered, Answered)
    assert (progressed.status, progressed.sdp, answered.sdp) == (183, ANSWER, ANSWER)
    assert progressed.response.headers.get("X-Early") == "1"
    call.bye(net.now)
    net.run(1)
    assert net.names(B)[-2:] == ["ByeReceived", "Released"]
    assert net.names(A)[-1] == "Released"
    assert net.starts(A) == ["INVITE", "ACK", "BYE"]
    assert net.starts(B) == ["100", "183", "200", "200"]
    assert idle(net)


def test_trying_is_sent_only_to_the_impatient() -> None:
    net = Network()
    net.call()
    net.run(0.15)
    assert net.starts(B) == []
    net.run(0.1)
    assert net.starts(B) == ["100"]


def test_the_callee_hangs_up_too() -> None:
    net = established()
    net.callee.bye(net.now, [("Reason", "Q.850;cause=16")])
    net.run(1)
    assert net.names(A)[-2:] == ["ByeReceived", "Released"]
    assert idle(net)


def test_byes_that_cross_both_get_200() -> None:
    net = established()
    net.callee.bye(net.now)
    net.log[A][-1].call.bye(net.now)
    net.run(1)
    assert net.starts(A)[-2:] == ["BYE", "200"]
    assert net.starts(B)[-2:] == ["BYE", "200"]
    assert "ByeReceived" not in net.names(A) + net.names(B)
    assert idle(net)


def test_rejection_carries_reason_and_headers() -> None:
    net = Network()
    net.call()
    net.run(0.1)
    callee(net).reject(486, net.now, "Not now", [("Retry-After", "60")])
    net.run(1)
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert (failed.status, failed.reason, failed.local) == (486, "Not now", False)
    assert failed.response.headers.get("Retry-After") == "60"
    assert net.names(B) == ["InviteReceived", "Released"]
    assert idle(net)


def test_cancel_waits_for_a_provisional() -> None:
    net = Network()
    call = net.call()
    call.cancel(net.now)
    net.run(0.15)
    assert "CANCEL" not in net.starts(A)
    net.run(1)
    assert "CANCEL" in net.starts(A)
    assert net.names(B) == ["InviteReceived", "Cancelled", "Released"]
    failed = net.log[A][-2]
    assert isinstance(failed, Failed)
    assert failed.status == 487
    assert idle(net)


def test_an_answer_that_crosses_the_cancel_is_hung_up() -> None:
    net = Network()
    call = net.call()
    net.run(0.1)
    callee(net).ring(net.now)
    net.run(0.1)
    call.cancel(net.now)
    callee(net).answer(ANSWER, net.now)
    net.run(2)
    assert net.names(A) == ["Progressed", "Failed", "Released"]
    assert net.starts(A) == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert net.names(B)[-2:] == ["ByeReceived", "Released"]
    assert idle(net)


@pytest.mark.parametrize("final", [b"200", b"486"])
def test_a_cancel_that_comes_too_late_is_answered_with_the_same_tag(final: bytes) -> None:
    """Whether the ACK has come or not, the CANCEL belongs to that INVITE."""
    net = Network()
    net.drop = lambda data: data.startswith(b"ACK")
    net.call()
    net.run(0.1)
    if final == b"200":
        callee(net).answer(ANSWER, net.now)
    else:
        callee(net).reject(486, net.now)
    net.run(0.3)
    invite = next(data for who, data in net.sent if data.startswith(b"INVITE"))
    net.inject(invite.replace(b"INVITE", b"CANCEL"), A, B)
    answers = [parse(data) for who, data in net.sent if data.startswith(b"SIP/2.0 " + final)]
    tags = {answer.to.tag for answer in answers if "INVITE" in (answer.headers.get("CSeq") or "")}
    cancelled = parse(net.sent[-1][1])
    assert isinstance(cancelled, Response)
    assert (cancelled.status, cancelled.headers.get("CSeq")) == (200, "1 CANCEL")
    assert {cancelled.to.tag} == tags


def test_silence_fails_after_64_t1() -> None:
    net = Network(loss=1.0)
    net.call()
    net.run(31.9)
    assert net.names(A) == []
    net.run(0.2)
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert (failed.status, failed.local) == (408, True)
    assert net.starts(A) == ["INVITE"] * 7
    assert idle(net)


def test_a_cancelled_call_to_nobody_reports_487() -> None:
    net = Network(loss=1.0)
    net.call().cancel(net.now)
    net.run(40)
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert failed.status == 487


def test_a_peer_that_ignores_cancel_is_given_up() -> None:
    net = Network()
    net.drop = lambda data: data.startswith((b"SIP/2.0 487", b"CANCEL"))
    call = net.call()
    net.run(1)
    call.cancel(net.now)
    net.run(33)
    assert net.names(A) == ["Failed", "Released"]


def test_missing_ack_ends_the_call() -> None:
    net = Network()
    net.react[B] = answering(net)
    net.drop = lambda data: data.startswith(b"ACK")
    net.call()
    net.run(31.8)
    assert net.starts(B).count("200") == 11
    net.run(5)
    assert net.names(B) == ["InviteReceived", "AckTimedOut", "Released"]
    assert net.names(A)[-2:] == ["ByeReceived", "Released"]
    assert idle(net)


def test_bye_waits_for_the_ack() -> None:
    net = Network()
    net.drop = lambda data: data.startswith(b"ACK") and net.now < 105
    net.call()
    net.run(0.1)
    callee(net).answer(ANSWER, net.now)
    callee(net).bye(net.now)
    net.run(4)
    assert "BYE" not in net.starts(B)
    net.run(5)
    assert net.starts(B)[-1] == "BYE"
    assert net.names(A)[-2:] == ["ByeReceived", "Released"]


def test_each_2xx_gets_the_same_ack_again() -> None:
    net = Network()
    net.react[B] = answering(net)
    net.drop = lambda data: data.startswith(b"ACK") and net.now < 103
    net.call()
    net.run(10)
    acks = {data for who, data in net.sent if who == A and data.startswith(b"ACK")}
    assert len(acks) == 1
    assert net.starts(A).count("ACK") == net.starts(B).count("200") > 2
    assert net.names(A) == ["Progressed", "Answered"]


def test_reinvites_both_ways() -> None:
    net = established()
    net.log[A][-1].call.reinvite(b"v=0\r\nhold", net.now)
    net.run(1)
    assert net.names(A)[-1] == "ReinviteAnswered"
    assert net.names(B)[-2:] == ["ReinviteReceived", "ReinviteAcknowledged"]
    net.react[A] = lambda event: (
        event.call.reject_reinvite(net.now) if isinstance(event, ReinviteReceived) else None
    )
    net.callee.reinvite(b"v=0\r\nvideo", net.now)
    net.run(1)
    failed = net.log[B][-1]
    assert isinstance(failed, ReinviteFailed)
    assert failed.status == 488
    net.callee.bye(net.now)
    assert idle(net)


def test_glare_is_resolved_by_waiting() -> None:
    net = established()
    net.react[A] = answering(net)
    net.log[A][-1].call.reinvite(b"v=0\r\na", net.now)
    net.callee.reinvite(b"v=0\r\nb", net.now)
    net.run(10)
    assert "491" in net.starts(A)
    assert "491" in net.starts(B)
    assert len(net.find(A, ReinviteAnswered)) == len(net.find(B, ReinviteAnswered)) == 1


def test_our_reinvite_waits_while_we_owe_an_answer() -> None:
    net = established()
    net.react.clear()
    net.log[A][-1].call.reinvite(b"v=0\r\na", net.now)
    net.run(0.1)
    net.callee.reinvite(b"v=0\r\nb", net.now)
    net.run(1)
    assert "INVITE" not in net.starts(B)
    with pytest.raises(StateError):
        net.callee.reinvite(b"again", net.now)
    net.callee.accept_reinvite(ANSWER, net.now)
    net.run(1)
    assert net.starts(B).count("INVITE") == 1


def test_an_invite_without_offer_is_answered_in_the_ack() -> None:
    net = Network()
    net.call()
    net.flush()
    invite = parse(net.sent[0][1])
    invite.headers.remove("Content-Type")
    invite.body = b""
    net.agents.pop(A)
    net.inject(bytes(invite), A, B)
    (invited,) = net.find(B, InviteReceived)
    assert isinstance(invited, InviteReceived)
    assert invited.request.sdp is None
    callee(net).answer(OFFER, net.now)
    net.flush()
    response = parse(net.sent[-1][1])
    assert response.sdp == OFFER
    dialog = Dialog.uac(invite, response)  # type: ignore[arg-type]
    reinvite, ack = dialog.request("INVITE"), dialog.ack(invite)  # type: ignore[arg-type]
    for request, branch in ((reinvite, "1"), (ack, "2")):
        request.headers.prepend("Via", f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{branch}")
        request.set_body(ANSWER, "application/sdp")
    net.inject(bytes(reinvite), A, B)
    assert net.starts(B)[-1] == "491"
    net.inject(bytes(ack), A, B)
    (acknowledged,) = net.find(B, Acknowledged)
    assert isinstance(acknowledged, Acknowledged)
    assert acknowledged.sdp == ANSWER


def test_info_passes() -> None:
    net = established()
    caller = net.log[A][-1].call
    body, kind = b"Signal=5\r\n", "application/dtmf-relay"
    caller.request("INFO", net.now, body=body, content_type=kind)
    caller.request("INFO", net.now, body=b"x", content_type="text/plain")
    caller.request("MESSAGE", net.now)
    caller.request("OPTIONS", net.now)
    net.run(1)
    (info,) = net.find(B, InfoReceived)
    assert isinstance(info, InfoReceived)
    assert info.request.body == body
    answers = [e.response.status for e in net.log[A] if isinstance(e, RequestAnswered)]
    assert answers == [200, 415, 405, 200]
    for method in ("BYE", "INVITE"):
        with pytest.raises(StateError):
            caller.request(method, net.now)


def test_a_lost_dialog_ends_the_call() -> None:
    net = established()
    net.callee._release()
    net.log[A][-1].call.request("INFO", net.now)
    net.run(1)
    assert net.names(A)[-3:] == ["RequestAnswered", "DialogLost", "Released"]
    assert idle(net)


def test_lower_cseq_gets_500() -> None:
    net = established()
    ack = next(data for who, data in net.sent if data.startswith(b"ACK"))
    info = parse(ack.replace(b"ACK", b"INFO").replace(b"z9hG4bK", b"z9hG4bKx"))
    net.inject(bytes(info), A, B)
    assert net.starts(B)[-1] == "500"


def test_methods_in_the_wrong_state() -> None:
    net = Network()
    call = net.call()
    net.run(0.1)
    for attempt in (
        lambda: call.bye(net.now),
        lambda: call.reinvite(OFFER, net.now),
        lambda: net.callee.accept_reinvite(ANSWER, net.now),
    ):
        with pytest.raises(StateError):
            attempt()
    callee(net).answer(ANSWER, net.now)
    for again in (
        lambda: callee(net).answer(ANSWER, net.now),
        lambda: callee(net).ring(net.now),
        lambda: callee(net).reject(486, net.now),
    ):
        with pytest.raises(StateError):
            again()
    net.run(1)
    with pytest.raises(StateError):
        call.cancel(net.now)


@pytest.mark.parametrize("header", [("X-A", "1\r\nX-B: 2"), ("Via", "x"), ("t", "x"), ("a b", "")])
def test_headers_of_the_user_are_checked_before_anything_happens(header: tuple[str, str]) -> None:
    net = Network()
    with pytest.raises(ParseError):
        net.call(headers=[header])
    net.call()
    net.run(0.1)
    with pytest.raises(ParseError):
        callee(net).answer(ANSWER, net.now, [header])
    callee(net).answer(ANSWER, net.now)
    net.run(1)
    assert net.names(A)[-1] == "Answered"


def test_a_fork_answered_twice_keeps_the_first() -> None:
    net = Network()
    call = net.call()
    net.flush()
    invite = parse(net.sent[0][1])
    assert isinstance(invite, Request)
    net.drop = lambda data: True
    for tag, contact in (("one", B), ("two", ("192.0.2.3", 5060))):
        for status in (180, 200, 200):
            response = Response.to_request(invite, status, to_tag=tag)
            response.headers.add("Contact", f"<sip:x@{contact[0]}:{contact[1]}>")
            response.headers.add("Record-Route", "<sip:p2;lr>, <sip:p1;lr>")
            net.inject(bytes(response), B, A)
    assert net.names(A) == ["Progressed", "Answered"]
    assert call.dialog is not None
    assert call.dialog.remote.tag == "one"
    assert [str(route.uri) for route in call.dialog.route_set] == ["sip:p1;lr", "sip:p2;lr"]
    assert net.starts(A) == ["INVITE", "ACK", "ACK", "ACK", "BYE", "ACK"]
    bye = parse(next(data for _, data in net.sent if data.startswith(b"BYE")))
    assert isinstance(bye, Request)
    assert bye.to.tag == "two"
    assert str(bye.uri) == "sip:x@192.0.2.3:5060"
    assert bye.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]


def test_an_unreachable_destination_fails_at_once() -> None:
    net = Network()
    call = net.call()
    hop = net.agents[A].to_send()[0][1]
    net.agents[A].transport_failed(hop, net.now)
    net.flush()
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert (failed.call, failed.status, failed.local) == (call, 503, True)
    assert Acknowledged not in map(type, net.log[A])


def test_a_rejected_reinvite_does_not_move_the_target() -> None:
    net = established()
    net.react.clear()
    ack = next(data for who, data in net.sent if data.startswith(b"ACK"))
    for number, accept in ((7, False), (8, True)):
        text = ack.replace(b"ACK", b"INVITE").replace(b"1 INVITE", b"%d INVITE" % number)
        text = text.replace(b"z9hG4bK", b"z9hG4bK%d" % number)
        moved = text.replace(b"Content-Length: 0", b"Contact: <sip:moved@192.0.2.1>")
        net.inject(moved, A, B)
        if accept:
            net.callee.accept_reinvite(ANSWER, net.now)
        else:
            net.callee.reject_reinvite(net.now)
        dialog = net.callee.dialog
        assert dialog is not None
        assert (dialog.remote_target.user == "moved") is accept


def test_a_second_reinvite_before_our_answer_gets_500_and_cancel_ends_the_first() -> None:
    net = established()
    net.react.clear()
    ack = next(data for who, data in net.sent if data.startswith(b"ACK"))
    invites = []
    for number in (7, 8):
        text = ack.replace(b"ACK", b"INVITE").replace(b"1 INVITE", b"%d INVITE" % number)
        invites.append(text.replace(b"z9hG4bK", b"z9hG4bK%d" % number))
        net.inject(invites[-1], A, B)
    refused = parse(net.sent[-1][1])
    assert isinstance(refused, Response)
    assert refused.status == 500
    assert 0 <= int(refused.headers.get("Retry-After") or -1) <= 10
    net.inject(invites[0].replace(b"INVITE", b"CANCEL"), A, B)
    assert net.starts(B)[-2:] == ["200", "487"]
    assert net.names(B)[-1] == "ReinviteCancelled"
    with pytest.raises(StateError):
        net.callee.accept_reinvite(ANSWER, net.now)


def test_a_bye_before_the_answer_is_a_cancel_too() -> None:
    net = Network()
    net.call()
    net.run(0.1)
    callee(net).ring(net.now)
    net.flush()
    invite, ringing = parse(net.sent[0][1]), parse(net.sent[-1][1])
    assert isinstance(invite, Request)
    assert isinstance(ringing, Response)
    bye = Dialog.uac(invite, ringing).request("BYE")
    bye.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbye")
    net.inject(bytes(bye), A, B)
    assert net.starts(B)[-2:] == ["200", "487"]
    net.run(1)
    assert net.names(B) == ["InviteReceived", "Cancelled", "Released"]
    assert net.names(A)[-2:] == ["Failed", "Released"]


def test_ringing_is_repeated_every_minute() -> None:
    net = Network()
    net.call()
    net.run(0.1)
    callee(net).ring(net.now)
    net.run(150)
    assert net.starts(B) == ["180", "180", "180"]
    callee(net).reject(480, net.now)
    assert idle(net)
    assert net.starts(B).count("180") == 3


def test_responses_to_a_dead_transport_do_no_harm() -> None:
    net = Network()
    net.call()
    net.run(0.1)
    callee(net).ring(net.now)
    net.agents.pop(A)
    (hop,) = {hop for _, hop in net.agents[B].to_send()}
    net.agents[B].transport_failed(hop, net.now)
    net.run(100)
    callee(net).reject(480, net.now)
    net.run(100)
    assert net.names(B) == ["InviteReceived", "Released"]
    assert net.agents[B].is_idle


def test_a_bye_of_the_callee_before_its_answer_is_refused() -> None:
    net = Network()
    call = net.call()
    net.run(0.1)
    callee(net).ring(net.now)
    net.run(0.1)
    dialog = callee(net).dialog
    assert dialog is not None
    bye = dialog.request("BYE")
    bye.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKbye")
    net.inject(bytes(bye), B, A)
    assert net.starts(A)[-1] == "481"
    assert not call.is_confirmed
    callee(net).answer(ANSWER, net.now)
    net.run(1)
    assert call.is_confirmed


def test_hanging_up_ends_a_reinvite_of_theirs_and_the_retry_of_ours() -> None:
    net = established()
    net.react.clear()
    net.log[A][-1].call.reinvite(b"v=0\r\na", net.now)
    net.callee.reinvite(b"v=0\r\nb", net.now)
    net.run(0.1)
    caller = net.log[A][-1].call
    caller.bye(net.now)
    net.run(1)
    assert idle(net)
    assert net.starts(A).count("INVITE") == 2
    assert net.names(A)[-1] == net.names(B)[-1] == "Released"


def test_a_reinvite_answered_by_481_ends_the_call() -> None:
    net = established()
    caller = net.log[A][-1].call
    net.callee._release()
    caller.reinvite(b"v=0\r\na", net.now)
    net.run(1)
    assert net.names(A)[-3:] == ["ReinviteFailed", "DialogLost", "Released"]
    assert idle(net)


def test_a_reinvite_that_is_never_answered_is_taken_back() -> None:
    net = established()
    net.react.clear()
    caller = net.log[A][-1].call
    caller.reinvite(b"v=0\r\na", net.now)
    net.run(31)
    assert net.names(A)[-1] == "Answered"
    net.run(2)
    failed = net.log[A][-1]
    assert isinstance(failed, ReinviteFailed)
    assert failed.status == 487
    assert net.names(B)[-2:] == ["ReinviteReceived", "ReinviteCancelled"]
    net.react[B] = answering(net)
    caller.reinvite(b"v=0\r\nb", net.now)
    net.run(100)
    assert net.names(A)[-1] == "ReinviteAnswered"
    assert net.starts(A).count("CANCEL") == 1


def test_a_peer_that_vanishes_while_it_thinks_of_a_reinvite_is_lost() -> None:
    net = established()
    net.react.clear()
    caller = net.log[A][-1].call
    caller.reinvite(b"v=0\r\na", net.now)
    net.run(1)
    net.agents.pop(B)
    net.run(100)
    assert net.names(A)[-3:] == ["ReinviteFailed", "DialogLost", "Released"]
    assert net.agents[A].is_idle


def test_a_pending_reinvite_is_refused_when_we_hang_up() -> None:
    net = established()
    net.react.clear()
    net.log[A][-1].call.reinvite(b"v=0\r\na", net.now)
    net.run(0.1)
    net.callee.bye(net.now)
    net.run(1)
    assert "487" in net.starts(B)
    assert net.names(A)[-3:] == ["ReinviteFailed", "ByeReceived", "Released"]
    assert idle(net)


@pytest.mark.parametrize(
    ("target", "transports", "expected"),
    [
        ("sip:192.0.2.9", ("UDP",), ("192.0.2.9", 5060, "UDP")),
        ("sip:192.0.2.9:5080;transport=tcp", ("UDP", "TCP"), ("192.0.2.9", 5080, "TCP")),
        ("sip:192.0.2.9;transport=tcp", ("UDP",), ("192.0.2.9", 5060, "UDP")),
        ("sips:192.0.2.9", ("UDP", "TLS"), ("192.0.2.9", 5061, "TLS")),
        ("sip:192.0.2.9;transport=tls", ("UDP", "TLS"), ("192.0.2.9", 5061, "TLS")),
        ("sip:h;maddr=[2001:db8::1]", ("UDP",), ("2001:db8::1", 5060, "UDP")),
    ],
)
def test_where_a_uri_leads(
    target: str, transports: tuple[str, ...], expected: tuple[str, int, str]
) -> None:
    net = Network()
    addresses = [Hop(host, 5060, t) for t in transports for host in (A[0], "2001:db8::a")]
    net.add(A, addresses=tuple(addresses), supported=("timer",))
    call = net.call(target)
    ((data, hop),) = net.agents[A].to_send()
    assert hop[:3] == expected
    invite = parse(data)
    assert invite.via.transport == expected[2]
    assert invite.supported == ["timer"]
    assert call.state.value == "early"
