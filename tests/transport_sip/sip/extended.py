"""Two user agents that know all extensions, and a call between them."""

from __future__ import annotations

from typing import Any

from hookswitch_transport_sip.sip.events import (
    Event,
    InviteReceived,
    OfferReceived,
    ReinviteReceived,
)
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.parser import parse
from hookswitch_transport_sip.sip.uas import InboundCall

from .pair import ANSWER, A, Address, B, Network

SUPPORTED = ("replaces", "norefersub", "100rel", "timer")


def network(a: dict[str, Any] | None = None, b: dict[str, Any] | None = None) -> Network:
    net = Network()
    net.add(A, **{"supported": SUPPORTED, **(a or {})})
    net.add(B, **{"supported": SUPPORTED, **(b or {})})
    return net


def established(net: Network | None = None, **options: Any) -> Network:
    """A call that B has answered; it also accepts all offers to come."""
    net = net or network()

    def react(event: Event) -> None:
        if isinstance(event, InviteReceived):
            event.call.answer(ANSWER, net.now)
        elif isinstance(event, ReinviteReceived):
            event.call.accept_reinvite(ANSWER, net.now)
        elif isinstance(event, OfferReceived):
            event.call.accept_offer(ANSWER, net.now)

    net.react = {A: react, B: react}
    net.call(**options)
    net.run(1)
    return net


def callee(net: Network) -> InboundCall:
    call = net.callee
    assert isinstance(call, InboundCall)
    return call


def messages(net: Network, who: Address, start: str) -> list[Request | Response]:
    """What an agent sent, by method or status, retransmissions left out."""
    sent = dict.fromkeys(data for address, data in net.sent if address == who)
    found = [parse(data) for data in sent]
    return [m for m in found if start == (m.method if isinstance(m, Request) else str(m.status))]


def assert_idle(net: Network, after: float = 200.0) -> None:
    net.run(after)
    assert all(agent.is_idle for agent in net.agents.values())
    assert all(agent.next_timer() is None for agent in net.agents.values())
