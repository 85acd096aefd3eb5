"""INVITE with Replaces (RFC 3891 section 3)."""

from __future__ import annotations

from hookswitch_transport_sip.sip.events import Failed, InviteReceived
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.replaces import Replaces
from hookswitch_transport_sip.sip.uri import Uri

from .extended import assert_idle, established, network
from .pair import ANSWER, A, B, Network


def replacing(net: Network, replaces: str) -> str:
    """Call B again, to replace a call; answers what came of it."""
    before = len(net.log[A]), len(net.log[B])
    net.react.clear()
    net.call(headers=[("Replaces", replaces)])
    net.run(1)
    for event in net.log[B][before[1] :]:
        if isinstance(event, InviteReceived):
            return "new" if event.replaces is None else "replaces"
    failed = net.log[A][before[0]]
    assert isinstance(failed, Failed)
    return str(failed.status)


def seen(net: Network) -> Replaces:
    """B's call, as B knows it."""
    return Replaces.seen_by_peer(net.log[A][0].call.confirmed_dialog)  # type: ignore[union-attr]


def test_a_call_takes_the_place_of_another() -> None:
    net = established()
    first = net.callee
    assert replacing(net, str(seen(net))) == "replaces"
    (invited,) = [e for e in net.find(B, InviteReceived) if e.replaces is not None]  # type: ignore[attr-defined]
    assert isinstance(invited, InviteReceived)
    assert invited.replaces is first
    invited.call.answer(ANSWER, net.now)
    first.bye(net.now)
    net.run(1)
    invited.call.bye(net.now)
    assert_idle(net)


def test_what_cannot_be_replaced() -> None:
    net = established()
    mine = seen(net)
    assert replacing(net, f"{mine};early-only") == "486"
    assert replacing(net, str(Replaces(mine.call_id, mine.from_tag, mine.to_tag))) == "481"
    assert replacing(net, "unknown;to-tag=1;from-tag=2") == "481"
    assert replacing(net, "unknown;to-tag=1") == "400"
    net.call(headers=[("Replaces", str(mine)), ("Replaces", str(mine))])
    net.run(1)
    assert net.starts(B)[-1] == "400"
    net.drop = lambda data: data.startswith(b"BYE")
    net.callee.bye(net.now)
    net.run(0.1)
    net.drop = lambda data: False
    assert replacing(net, str(mine)) == "603"


def ringing() -> Network:
    net = network()
    net.call()
    net.run(0.1)
    net.callee.ring(net.now)  # type: ignore[attr-defined]
    net.run(0.1)
    return net


def test_an_early_call_of_ours_is_replaced() -> None:
    net = ringing()
    (early,) = net.agents[A].calls
    replaces = Replaces.seen_by_peer(net.callee.confirmed_dialog)
    invite = _invite(net, [("Replaces", f"{replaces};early-only")])
    net.inject(bytes(invite), B, A)
    (invited,) = net.find(A, InviteReceived)
    assert isinstance(invited, InviteReceived)
    assert invited.replaces is early


def test_an_early_call_of_theirs_is_not() -> None:
    net = ringing()
    own = net.callee.confirmed_dialog
    replaces = Replaces(own.call_id, own.local.tag or "", own.remote.tag or "")
    assert replacing(net, str(replaces)) == "481"


def _invite(net: Network, headers: list[tuple[str, str]]) -> Request:
    items = [
        ("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKnew"),
        ("From", "<sip:bob@192.0.2.2>;tag=new"),
        ("To", "<sip:alice@192.0.2.1>"),
        ("Call-ID", "new"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:bob@192.0.2.2>"),
        *headers,
    ]
    return Request("INVITE", Uri.parse("sip:alice@192.0.2.1"), items)
