"""Connections that peers let us use for requests of ours (RFC 5923)."""

from __future__ import annotations

from collections.abc import Iterable

from .hop import Hop
from .message import Request


class Aliases:
    """What is known of open connections: the address the peer listens at, if it said `alias`.

    The host is always that of the connection itself, so nobody can claim another host's traffic.
    TLS is left out: a connection of our own proves whom it leads to.
    """

    def __init__(self) -> None:
        self._flows: dict[Hop, Hop] = {}

    def learn(self, request: Request, source: Hop) -> None:
        """Note what the Via of a request says of its connection."""
        via = request.via
        if source.transport == "TCP" and source.flow and "alias" in via.params:
            if via.host != source.host:
                return  # behind a NAT an address may be shared by many
            self._flows[Hop(source.host, via.port or 5060, "TCP")] = source

    def forget(self, flow: Hop) -> None:
        """The connection has ended."""
        for hop in [hop for hop, known in self._flows.items() if known == flow]:
            del self._flows[hop]

    def over(self, hops: Iterable[Hop]) -> list[Hop]:
        """The hops with open connections before those that would have to be opened."""
        ways: list[Hop] = []
        for hop in hops:
            if (flow := self._flows.get(hop)) is not None:
                ways.append(flow)
            ways.append(hop)
        return ways
