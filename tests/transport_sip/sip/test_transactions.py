"""The four state machines and their layer, message by message."""

import pytest

from hookswitch_transport_sip.sip.errors import StateError
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.parser import parse
from hookswitch_transport_sip.sip.transaction.base import State, Transaction
from hookswitch_transport_sip.sip.transaction.events import (
    AckReceived,
    RequestReceived,
    ResponseReceived,
)
from hookswitch_transport_sip.sip.transaction.invite_client import InviteClient
from hookswitch_transport_sip.sip.transaction.invite_server import InviteServer
from hookswitch_transport_sip.sip.transaction.layer import TransactionLayer
from hookswitch_transport_sip.sip.transaction.non_invite_client import NonInviteClient
from hookswitch_transport_sip.sip.transaction.non_invite_server import NonInviteServer
from hookswitch_transport_sip.sip.transaction.timers import Timers

UDP = Hop("192.0.2.9", 5060)
TCP = Hop("192.0.2.9", 5060, "TCP")


def request(method: str = "INVITE", branch: str = "z9hG4bK1", to: str = "<sip:b@h>") -> Request:
    lines = (
        f"{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9{branch and ';branch=' + branch}"
        f"\r\nMax-Forwards: 70\r\nRoute: <sip:p;lr>\r\nFrom: <sip:a@h>;tag=a\r\nTo: {to}"
        f"\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    message = parse(lines.encode())
    assert isinstance(message, Request)
    return message


def response(status: int, to: Request) -> Response:
    return Response.to_request(to, status, to_tag="b")


def sent_times(transaction: Transaction, until: float) -> list[float]:
    """Run the timers; return when something was sent."""
    times = []
    while (when := transaction.next_timer()) is not None and when <= until:
        transaction.handle_timer(when)
        times += [when] * len(transaction.to_send())
    return times


def starts(sent: list[tuple[bytes, Hop]]) -> list[str]:
    return [data.split(b"\r\n")[0].decode() for data, _ in sent]


def test_invite_client_doubles_without_limit_until_b() -> None:
    client = InviteClient(request(), UDP, Timers())
    client.start(0.0)
    assert len(client.to_send()) == 1
    assert sent_times(client, 99) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    (event,) = client.events()
    assert isinstance(event, ResponseReceived)
    assert (event.response.status, event.source) == (408, None)
    assert client.is_terminated


def test_invite_client_waits_quietly_once_proceeding() -> None:
    client = InviteClient(request(), UDP, Timers())
    client.start(0.0)
    client.receive(response(180, client.request), UDP, 0.2)
    assert client.state is State.PROCEEDING
    assert client.next_timer() is None


@pytest.mark.parametrize(("hop", "state"), [(UDP, State.COMPLETED), (TCP, State.TERMINATED)])
def test_invite_client_acknowledges_failures(hop: Hop, state: State) -> None:
    client = InviteClient(request(), hop, Timers())
    client.start(0.0)
    client.to_send()
    client.receive(response(486, client.request), hop, 1.0)
    ((data, _),) = client.to_send()
    ack = parse(data)
    assert (ack.start_line, ack.to.tag) == ("ACK sip:b@h SIP/2.0", "b")
    assert ack.headers.get("Via") == client.request.headers.get("Via")
    assert ack.headers.get("Route") == "<sip:p;lr>"
    assert (ack.cseq.number, ack.cseq.method) == (1, "ACK")
    assert client.state is state
    client.receive(response(486, client.request), hop, 2.0)
    assert len(client.to_send()) == (hop is UDP)
    assert len(client.events()) == 1
    if hop is UDP:
        assert client.next_timer() == 33.0
        client.handle_timer(33.0)
        assert client.is_terminated


def test_invite_client_passes_every_2xx_until_m() -> None:
    client = InviteClient(request(), TCP, Timers())
    client.start(0.0)
    for now in (1.0, 2.0):
        client.receive(response(200, client.request), TCP, now)
    client.receive(response(486, client.request), TCP, 3.0)
    assert len(client.events()) == 2
    assert client.state is State.ACCEPTED
    assert client.next_timer() == 33.0


def test_non_invite_client_doubles_up_to_t2() -> None:
    client = NonInviteClient(request("BYE"), UDP, Timers())
    client.start(0.0)
    client.to_send()
    assert sent_times(client, 20) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5]
    client.receive(response(200, client.request), UDP, 20.0)
    assert client.next_timer() == 25.0
    client.receive(response(200, client.request), UDP, 21.0)
    assert len(client.events()) == 1
    client.handle_timer(25.0)
    assert client.is_terminated


def test_non_invite_client_slows_down_when_proceeding_but_gives_up() -> None:
    client = NonInviteClient(request("BYE"), UDP, Timers())
    client.start(0.0)
    client.to_send()
    client.receive(response(100, client.request), UDP, 0.1)
    assert sent_times(client, 9) == [0.5, 4.5, 8.5]
    client.events()
    sent_times(client, 99)
    (event,) = client.events()
    assert isinstance(event, ResponseReceived)
    assert event.response.status == 408


def test_a_reliable_transport_needs_no_retransmission() -> None:
    for client in (
        InviteClient(request(), TCP, Timers()),
        NonInviteClient(request("BYE"), TCP, Timers()),
    ):
        client.start(0.0)
        client.to_send()
        assert sent_times(client, 99) == []
        assert client.is_terminated


def test_invite_server_repeats_failures_until_the_ack() -> None:
    server = InviteServer(request(), UDP, Timers())
    server.start(0.0)
    server.respond(response(180, server.request), 0.1)
    server.receive(server.request, UDP, 0.2)
    assert starts(server.to_send()) == ["SIP/2.0 180 Ringing"] * 2
    server.respond(response(486, server.request), 1.0)
    server.to_send()
    assert sent_times(server, 13) == [1.5, 2.5, 4.5, 8.5, 12.5]
    server.receive(server.request, UDP, 13.0)
    assert starts(server.to_send()) == ["SIP/2.0 486 Busy Here"]
    server.receive(request("ACK"), UDP, 14.0)
    assert server.state is State.CONFIRMED
    server.receive(server.request, UDP, 14.1)
    assert server.to_send() == []
    assert server.next_timer() == 19.0
    server.handle_timer(19.0)
    assert server.is_terminated
    assert server.events() == []


def test_invite_server_gives_up_waiting_for_the_ack() -> None:
    server = InviteServer(request(), TCP, Timers())
    server.start(0.0)
    server.respond(response(486, server.request), 0.0)
    assert server.next_timer() == 32.0
    server.handle_timer(32.0)
    assert server.is_terminated


def test_invite_server_leaves_2xx_to_the_user() -> None:
    server = InviteServer(request(), UDP, Timers())
    server.start(0.0)
    server.respond(response(200, server.request), 0.1)
    server.to_send()
    server.receive(server.request, UDP, 0.5)
    assert server.to_send() == []
    server.respond(response(200, server.request), 0.6)
    assert len(server.to_send()) == 1
    server.receive(request("ACK"), UDP, 0.7)
    (event,) = server.events()
    assert isinstance(event, AckReceived)
    with pytest.raises(StateError):
        server.respond(response(486, server.request), 0.8)
    assert server.next_timer() == 32.1


def test_invite_server_says_100_for_a_silent_user() -> None:
    server = InviteServer(request(), UDP, Timers())
    server.start(0.0)
    assert sent_times(server, 99) == [0.2]


def test_non_invite_server() -> None:
    server = NonInviteServer(request("BYE"), UDP, Timers())
    server.start(0.0)
    server.receive(server.request, UDP, 0.1)
    assert server.to_send() == []
    server.respond(response(100, server.request), 0.2)
    server.receive(server.request, UDP, 0.3)
    server.respond(response(200, server.request), 1.0)
    server.receive(server.request, UDP, 2.0)
    assert [line.split()[1] for line in starts(server.to_send())] == ["100", "100", "200", "200"]
    with pytest.raises(StateError):
        server.respond(response(200, server.request), 3.0)
    assert server.next_timer() == 33.0


def opened(layer: TransactionLayer, message: Request) -> RequestReceived:
    layer.receive(message, UDP, 0.0)
    (event,) = layer.events()
    assert isinstance(event, RequestReceived)
    return event


@pytest.mark.parametrize("branch", ["z9hG4bK1", "", "1", "z9hG4bK"])
def test_layer_matches_ack_cancel_and_repetition(branch: str) -> None:
    layer = TransactionLayer()
    event = opened(layer, request(branch=branch))
    layer.receive(request(branch=branch), UDP, 0.1)
    assert layer.events() == []
    cancel = opened(layer, request("CANCEL", branch=branch))
    assert layer.invite_of(cancel.request) is event.transaction
    layer.respond(event.transaction, response(487, event.request), 0.2)
    layer.receive(request("ACK", branch=branch, to="<sip:b@h>;tag=b"), UDP, 0.3)
    assert event.transaction.state is State.CONFIRMED
    assert layer.events() == []


def test_layer_keeps_branches_of_different_senders_apart() -> None:
    layer = TransactionLayer()
    opened(layer, request())
    other = request(to="<sip:b@h>;tag=x")
    other.headers.set("Via", "SIP/2.0/UDP 192.0.2.8;branch=z9hG4bK1")
    assert opened(layer, other).merged is False
    assert len(layer) == 2


def test_layer_notices_merged_requests() -> None:
    layer = TransactionLayer()
    assert opened(layer, request()).merged is False
    assert opened(layer, request(branch="z9hG4bK2")).merged is True


def test_layer_counts_stray_responses_and_forgets_the_finished() -> None:
    layer = TransactionLayer()
    layer.receive(response(200, request()), UDP, 0.0)
    assert layer.counters["responses_stray"] == 1
    layer.request(request("BYE"), UDP, 0.0)
    layer.receive(response(200, request("BYE")), UDP, 1.0)
    assert len(layer.events()) == 1
    assert layer.next_timer() == 6.0
    layer.handle_timer(6.0)
    assert (len(layer), layer.next_timer()) == (0, None)


def test_layer_drives_many_timers_in_order() -> None:
    layer = TransactionLayer()
    for number in range(500):
        layer.request(request("BYE", f"z9hG4bK{number}"), UDP, number / 1000)
    layer.to_send()
    previous = 0.0
    while (when := layer.next_timer()) is not None:
        assert when >= previous
        previous = when
        layer.handle_timer(when)
    assert len(layer) == 0
    assert len(layer.to_send()) == 500 * 10
    assert len(layer.events()) == 500


def test_a_transport_error_ends_what_goes_there() -> None:
    layer = TransactionLayer()
    layer.request(request("BYE"), UDP, 0.0)
    event = opened(layer, request())
    elsewhere = layer.request(request("BYE", "z9hG4bK3"), TCP, 0.0)
    layer.transport_failed(event.transaction.hop)
    (failed,) = layer.events()
    assert isinstance(failed, ResponseReceived)
    assert failed.response.status == 503
    assert len(layer) == 1
    assert not elsewhere.is_terminated
    layer.respond(event.transaction, response(200, event.request), 1.0)
    assert layer.counters["responses_too_late"] == 1


def test_reliable_servers_end_with_their_last_message() -> None:
    layer = TransactionLayer()
    for message, status in ((request(), 486), (request("BYE"), 200)):
        layer.receive(message, TCP, 0.0)
        (event,) = layer.events()
        assert isinstance(event, RequestReceived)
        layer.respond(event.transaction, response(status, message), 0.1)
    assert {hop for _, hop in layer.to_send()} == {TCP}
    layer.receive(request("ACK"), TCP, 0.2)
    assert len(layer) == 0


def test_reliable_client_ends_with_the_response() -> None:
    layer = TransactionLayer()
    client = layer.request(request("BYE"), TCP, 0.0)
    layer.receive(response(200, client.request), TCP, 0.1)
    assert len(layer) == 0
