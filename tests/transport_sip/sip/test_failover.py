"""Requests that are tried at one target after the other, and go the way they can."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.sip.aliases import Aliases
from hookswitch_transport_sip.sip.dialog import Dialog
from hookswitch_transport_sip.sip.events import Event, Failed, InviteReceived
from hookswitch_transport_sip.sip.hop import Detour, Hop, Target
from hookswitch_transport_sip.sip.locating import Question, Srv
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.nat import detour, is_private
from hookswitch_transport_sip.sip.outages import MEMORY, Outages
from hookswitch_transport_sip.sip.parser import parse
from hookswitch_transport_sip.sip.uri import Uri

from .pair import ANSWER, OFFER, A, B, Network
from .test_endpoint import INVITE

DEAD = "198.51.100.7"


def farm(*addresses: str) -> Network:
    """A network whose domain ``farm.test`` is served by these, in order of priority."""
    net = Network()
    net.dns[Question("_sip._udp.farm.test", "SRV")] = [
        Srv(n, 0, 5060, f"s{n}.farm.test") for n in range(len(addresses))
    ]
    for n, address in enumerate(addresses):
        net.dns[Question(f"s{n}.farm.test", "A")] = [address]
    net.react[B] = lambda event: answer(net, event)
    return net


def answer(net: Network, event: Event) -> None:
    if isinstance(event, InviteReceived):
        event.call.answer(ANSWER, net.now)


def targets(net: Network, method: str) -> list[str]:
    """Where requests of A went, by Via branch once each."""
    return list(net.flights(A, method))


def test_the_next_server_is_tried_when_one_is_silent() -> None:
    net = farm(DEAD, B[0])
    net.call("sip:bob@farm.test")
    net.run(3.9)
    assert targets(net, "INVITE") == [DEAD]
    net.run(0.3)
    assert targets(net, "INVITE") == [DEAD, B[0]]
    assert "Answered" in net.names(A)
    first, *_, last = (parse(data) for who, data in net.sent if data.startswith(b"INVITE"))
    assert isinstance(first, Request)
    assert isinstance(last, Request)
    assert (first.cseq, first.call_id) == (last.cseq, last.call_id)
    assert first.via.branch != last.via.branch
    net.callee.bye(net.now)
    net.run(100)
    assert net.agents[A].is_idle


def test_a_server_that_failed_is_tried_last_for_a_while() -> None:
    net = farm(DEAD, B[0])
    net.call("sip:bob@farm.test")
    net.run(10)
    net.call("sip:bob@farm.test")
    net.run(1)
    assert net.names(A).count("Answered") == 2
    net.run(MEMORY + 40)
    net.call("sip:bob@farm.test")
    net.run(1)
    assert net.names(A).count("Answered") == 2
    assert targets(net, "INVITE")[-1] == DEAD


def test_an_unreachable_server_is_left_at_once() -> None:
    net = farm(DEAD, B[0])
    net.call("sip:bob@farm.test")
    net.flush()
    net.agents[A].hop_lost(Hop(DEAD, 5060), net.now)
    net.run(0.1)
    assert "Answered" in net.names(A)


def test_503_leads_to_the_next_server() -> None:
    net = farm(B[0], "192.0.2.3")
    net.add(("192.0.2.3", 5060))
    net.react[B] = lambda event: (
        event.call.reject(503, net.now) if isinstance(event, InviteReceived) else None
    )
    net.react["192.0.2.3", 5060] = lambda event: answer(net, event)
    net.call("sip:bob@farm.test")
    net.run(1)
    assert net.names(A)[-1] == "Answered"


def test_all_servers_failing_is_a_failure() -> None:
    net = farm(DEAD, "198.51.100.8")
    net.call("sip:bob@farm.test")
    net.run(40)
    (failed,) = net.find(A, Failed)
    assert isinstance(failed, Failed)
    assert (failed.status, failed.local) == (408, True)
    net.run(40)
    assert net.agents[A].is_idle


def test_a_name_that_does_not_exist_is_a_failure() -> None:
    net = Network()
    net.dns[Question("nowhere.test", "A")] = []
    net.call("sip:bob@nowhere.test")
    net.run(0.1)
    (failed,) = net.find(A, Failed)
    assert isinstance(failed, Failed)
    assert (failed.status, failed.local) == (503, True)
    assert net.agents[A].is_idle


def test_cancelling_while_a_name_is_looked_up_sends_nothing() -> None:
    net = farm(B[0])
    call = net.call("sip:bob@farm.test")
    call.cancel(net.now)
    net.run(1)
    (failed,) = net.find(A, Failed)
    assert isinstance(failed, Failed)
    assert failed.status == 487
    assert net.sent == []


def test_no_further_server_is_tried_for_a_call_that_was_given_up() -> None:
    net = farm(DEAD, B[0])
    call = net.call("sip:bob@farm.test")
    net.run(1)
    call.cancel(net.now)
    net.run(60)
    assert targets(net, "INVITE") == [DEAD]
    assert net.agents[A].is_idle


LATE = ("192.0.2.9", 5060)


def late_server(net: Network) -> None:
    """A server whose every answer comes too late, but before the other's."""
    net.add(LATE)
    net.react[LATE] = lambda event: None
    net.slow = {LATE: 5.0}


def test_a_server_that_rings_after_it_was_left_is_told_to_stop() -> None:
    net = farm(LATE[0], B[0])
    late_server(net)
    net.react[LATE] = lambda event: (
        event.call.ring(net.now) if isinstance(event, InviteReceived) else None
    )
    net.call("sip:bob@farm.test")
    net.run(40)
    assert net.names(A).count("Answered") == 1
    assert "Cancelled" in net.names(LATE)
    net.callee.bye(net.now)
    net.run(100)
    assert all(agent.is_idle for agent in net.agents.values())


def test_a_server_that_answers_after_it_was_left_is_hung_up_on() -> None:
    net = farm(LATE[0], B[0])
    late_server(net)
    net.react[LATE] = lambda event: answer(net, event)
    net.call("sip:bob@farm.test")
    net.run(40)
    assert net.names(A).count("Answered") == 1
    assert net.names(LATE)[-2:] == ["ByeReceived", "Released"]
    assert net.agents[A].calls
    next(iter(net.agents[A].calls)).bye(net.now)
    net.run(100)
    assert all(agent.is_idle for agent in net.agents.values())


# -- large requests


BOTH = tuple(Hop(A[0], 5060, transport) for transport in ("UDP", "TCP"))


def large(net: Network) -> list[tuple[bytes, Hop]]:
    net.add(A, addresses=BOTH)
    net.call("sip:bob@192.0.2.2", headers=[("X-Long", "x" * 1200)])
    return net.agents[A].to_send()


def test_a_large_request_goes_by_tcp() -> None:
    net = Network()
    ((data, hop),) = large(net)
    assert hop == Hop(B[0], 5060, "TCP")
    invite = parse(data)
    assert invite.via.transport == "TCP"
    assert str(invite.contacts[0].uri) == "sip:192.0.2.1:5060;transport=tcp"


def test_a_large_request_goes_by_udp_where_tcp_is_refused() -> None:
    net = Network()
    ((_, hop),) = large(net)
    net.agents[A].transport_failed(hop, net.now)
    ((data, hop),) = net.agents[A].to_send()
    assert hop == Hop(B[0], 5060, "UDP")
    assert parse(data).via.transport == "UDP"
    assert net.log[A] == []
    net.agents[A].handle_timer(net.now + 0.5)
    assert [hop.transport for _, hop in net.agents[A].to_send()] == ["UDP"]


def test_without_tcp_a_large_request_goes_by_udp() -> None:
    net = Network()
    net.call("sip:bob@192.0.2.2", headers=[("X-Long", "x" * 1200)])
    ((_, hop),) = net.agents[A].to_send()
    assert hop.transport == "UDP"


# -- connections


def test_responses_go_back_over_the_connection_or_else_to_the_via() -> None:
    net = Network()
    flow = Hop("10.0.0.1", 40000, "TCP", flow=3)
    net.agents[B].receive_message(INVITE.replace(b"/UDP", b"/TCP"), flow, net.now)
    (event,) = net.agents[B].events()
    assert isinstance(event, InviteReceived)
    event.call.ring(net.now)
    ((ringing, hop),) = net.agents[B].to_send()
    assert hop == flow
    net.agents[B].transport_failed(flow, net.now)
    assert net.agents[B].to_send() == [(ringing, Hop("10.0.0.1", 5062, "TCP"))]
    event.call.answer(ANSWER, net.now)
    ((_, hop),) = net.agents[B].to_send()
    assert hop == Hop("10.0.0.1", 5062, "TCP")


def test_a_lost_connection_fails_what_nobody_answered_yet() -> None:
    net = Network()
    net.add(A, addresses=BOTH)
    net.call("sip:bob@192.0.2.2;transport=tcp")
    ((_, hop),) = net.agents[A].to_send()
    net.agents[A].hop_lost(hop, net.now)
    (failed, _) = net.agents[A].events()
    assert isinstance(failed, Failed)
    assert (failed.status, failed.local) == (503, True)


def test_requests_in_the_dialog_go_over_the_connection_then_to_the_contact() -> None:
    net = Network()
    net.add(B, addresses=tuple(Hop(B[0], 5060, t) for t in ("UDP", "TCP")))
    flow = Hop("10.0.0.1", 40000, "TCP", flow=3)
    data = INVITE.replace(b"/UDP", b"/TCP").replace(b"5062>", b"5062;transport=tcp>")
    net.agents[B].receive_message(data, flow, net.now)
    (event,) = net.agents[B].events()
    assert isinstance(event, InviteReceived)
    event.call.answer(ANSWER, net.now)
    answered = parse(net.agents[B].to_send()[0][0])
    assert str(answered.contacts[0].uri) == "sip:192.0.2.2:5060;transport=tcp"
    assert net.agents[B].relies_on(flow)
    event.call.handle_ack(parse(data.replace(b"INVITE", b"ACK")), net.now)  # type: ignore[arg-type]
    event.call.bye(net.now)
    ((_, hop),) = net.agents[B].to_send()
    assert hop == flow
    net.agents[B].transport_failed(flow, net.now)
    ((bye, hop),) = net.agents[B].to_send()
    assert bye.startswith(b"BYE")
    assert hop == Hop("10.0.0.1", 5062, "TCP")


def test_a_slow_answer_within_a_dialog_is_waited_for() -> None:
    net = Network()
    net.add(B, addresses=tuple(Hop(B[0], 5060, t) for t in ("UDP", "TCP")))
    flow = Hop("10.0.0.1", 40000, "TCP", flow=3)
    data = INVITE.replace(b"/UDP", b"/TCP")
    net.agents[B].receive_message(data, flow, net.now)
    (event,) = net.agents[B].events()
    assert isinstance(event, InviteReceived)
    event.call.answer(ANSWER, net.now)
    event.call.handle_ack(parse(data.replace(b"INVITE", b"ACK")), net.now)  # type: ignore[arg-type]
    net.agents[B].to_send()
    event.call.reinvite(OFFER, net.now)
    ((_, hop),) = net.agents[B].to_send()
    assert hop == flow
    net.agents[B].handle_timer(net.now + 10)
    assert not [sent for sent, _ in net.agents[B].to_send() if sent.startswith(b"INVITE")]


def aliased(data: bytes) -> Request:
    request = parse(data.replace(b"/UDP 10.0.0.1:5062", b"/TCP 10.0.0.1:5062;alias"))
    assert isinstance(request, Request)
    return request


def test_an_alias_is_used_before_a_connection_is_opened() -> None:
    aliases = Aliases()
    flow = Hop("10.0.0.1", 40000, "TCP", flow=3)
    wanted = Hop("10.0.0.1", 5062, "TCP")
    aliases.learn(aliased(INVITE), flow)
    assert aliases.over([wanted]) == [flow, wanted]
    assert aliases.over([wanted._replace(transport="TLS")]) == [wanted._replace(transport="TLS")]
    aliases.forget(flow)
    assert aliases.over([wanted]) == [wanted]


@pytest.mark.parametrize(
    "flow", [Hop("10.0.0.2", 40000, "TCP", flow=3), Hop("10.0.0.1", 40000, "TLS", flow=3)]
)
def test_nobody_can_claim_the_address_of_another(flow: Hop) -> None:
    aliases = Aliases()
    aliases.learn(aliased(INVITE), flow)
    assert aliases.over([Hop("10.0.0.1", 5062, "TCP")]) == [Hop("10.0.0.1", 5062, "TCP")]


# -- NAT


PUBLIC, PRIVATE = Hop("203.0.113.5", 4711), Hop("192.168.1.9", 4711)
FLOW = Hop("203.0.113.5", 4711, "TCP", flow=1)


@pytest.mark.parametrize(
    ("contact", "source", "direct", "expected"),
    [
        ("sip:a@10.1.1.1:5062", PUBLIC, True, Detour(PUBLIC, None)),
        ("sip:a@10.1.1.1:5062", PUBLIC, False, Detour(PUBLIC, None)),
        ("sip:a@10.1.1.1:5062", PRIVATE, True, Detour(PRIVATE, None)),
        ("sip:a@10.1.1.1:5062", PRIVATE, False, None),
        ("sip:a@192.168.1.9:5062", PRIVATE, True, None),
        ("sip:a@198.51.100.1", PUBLIC, True, None),
        ("sip:a@pbx.example.com", PUBLIC, True, None),
        ("sip:a@x7.invalid", PUBLIC, True, Detour(PUBLIC, None)),
        ("sip:a@10.1.1.1:5062", FLOW, True, Detour(FLOW, Target("10.1.1.1", 5062, "TCP"))),
        ("sip:a@198.51.100.1", FLOW, True, Detour(FLOW, Target("198.51.100.1", None, "TCP"))),
        ("sip:a@198.51.100.1", FLOW, False, None),
        ("sip:a@pbx.example.com", FLOW, True, None),
        ("tel:+1", PUBLIC, True, None),
    ],
)
def test_where_a_peer_behind_a_nat_is(
    contact: str, source: Hop, direct: bool, expected: Detour | None
) -> None:
    assert detour(Uri.parse(contact), source, direct) == expected


@pytest.mark.parametrize(
    ("host", "private"),
    [("10.0.0.1", True), ("172.32.0.1", False), ("100.64.0.1", True), ("fd00::1", True),
     ("2001:db8::1", False), ("127.0.0.1", True), ("example.com", False)],
)  # fmt: skip
def test_private_addresses(host: str, private: bool) -> None:
    assert is_private(host) is private


def test_a_bye_goes_to_where_the_invite_came_from() -> None:
    net = Network()
    net.react[B] = lambda event: answer(net, event)
    net.inject(INVITE, ("203.0.113.5", 4711), B)
    net.inject(INVITE.replace(b"INVITE", b"ACK"), ("203.0.113.5", 4711), B)
    event = net.log[B][0]
    assert isinstance(event, InviteReceived)
    event.call.handle_ack(event.request, net.now)
    event.call.bye(net.now)
    ((bye, hop),) = net.agents[B].to_send()
    assert bye.startswith(b"BYE sip:s@10.0.0.1:5062")
    assert hop == Hop("203.0.113.5", 4711)


def test_a_route_set_is_followed_whatever_the_source() -> None:
    routed = INVITE.replace(b"Contact", b"Record-Route: <sip:198.51.100.4;lr>\r\nContact")
    request = parse(routed)
    assert isinstance(request, Request)
    dialog = Dialog.uas(request, "t", PUBLIC)
    assert str(dialog.next_hop) == "sip:198.51.100.4;lr"


def test_the_caller_follows_a_nat_too() -> None:
    request = parse(INVITE)
    assert isinstance(request, Request)
    response = Response.to_request(request, 200, to_tag="t")
    response.headers.add("Contact", "<sip:b@10.9.9.9>")
    assert Dialog.uac(request, response, PUBLIC).next_hop == Detour(PUBLIC, None)
    assert str(Dialog.uac(request, response, PRIVATE).next_hop) == "sip:b@10.9.9.9"


# -- what was learnt


def test_outages_are_forgotten_and_bounded() -> None:
    outages = Outages()
    for n in range(3000):
        outages.failed(Hop(f"h{n}", 1), 0.0)
    assert not outages.is_out(Hop("h0", 1), 1.0)
    assert outages.is_out(Hop("h2999", 1), 1.0)
    assert not outages.is_out(Hop("h2999", 1), MEMORY)
    outages.served(Hop("h2999", 1))
    assert outages.sorted([Hop("h2998", 1), Hop("h2999", 1)], 1.0)[0] == Hop("h2999", 1)


def test_our_contact_is_a_sips_uri_for_a_sips_call() -> None:
    net = Network()
    net.add(A, addresses=(*BOTH, Hop(A[0], 5061, "TLS")))
    net.call("sips:bob@192.0.2.2")
    ((data, hop),) = net.agents[A].to_send()
    assert hop == Hop(B[0], 5061, "TLS", B[0])
    assert str(parse(data).contacts[0].uri) == "sips:192.0.2.1:5061;transport=tls"
    assert OFFER in data
