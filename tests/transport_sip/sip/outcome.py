"""What an agent makes of a single message of a stranger."""

from __future__ import annotations

from hookswitch_transport_sip.sip.config import METHODS
from hookswitch_transport_sip.sip.events import InviteReceived, RegisterReceived

from .pair import Address, B, Network

RINGS, REGISTERS, SILENCE = "rings", "registers", "silence"
STRANGER = ("192.0.2.66", 5060)


def outcome_of(
    data: bytes, agent: Address = B, source: Address = STRANGER
) -> tuple[Network, str | int]:
    """The status of the answer; or that the user of the agent is asked, or nobody is told."""
    net = Network()
    net.add(agent, allow=(*METHODS, "REGISTER"))
    net.inject(data, source, agent)
    if events := net.log[agent]:
        (event,) = events
        return net, RINGS if isinstance(event, InviteReceived) else REGISTERS
    statuses = [int(line) for line in net.starts(agent)]
    assert len(statuses) < 2
    return net, statuses[0] if statuses else SILENCE


def let_go(net: Network, agent: Address) -> None:
    """Answer what rings or registers."""
    for event in net.log[agent]:
        if isinstance(event, RegisterReceived):
            net.agents[agent].respond(event.transaction, 404, net.now)
        elif isinstance(event, InviteReceived):
            event.call.reject(480, net.now)
