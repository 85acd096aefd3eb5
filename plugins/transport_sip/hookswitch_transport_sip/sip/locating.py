"""From a URI to addresses, in the order to try them (RFC 3263 section 4, RFC 2782).

`locate` is a generator: it yields the questions to ask DNS, is sent the answers, and returns the
hops. What DNS does not know is an empty answer.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from .hop import Hop, Target, is_numeric

MOST_TARGETS = 16
"""More addresses than that are not tried for one request."""

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]


class Question(NamedTuple):
    """What to ask DNS."""

    name: str
    kind: Kind


class Naptr(NamedTuple):
    """How a domain is reached (RFC 3403)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """Who serves a domain (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str
"""A string is the address of an A or AAAA record."""

Questions = Generator[list[Question], list[Sequence[Record]], list[Hop]]

_SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS"}
_PREFIXES = {"UDP": "_sip._udp.", "TCP": "_sip._tcp.", "TLS": "_sips._tcp."}


def default_port(transport: str) -> int:
    """The port of a URI without one (RFC 3261 section 19.1.2)."""
    return 5061 if transport == "TLS" else 5060


def transports_for(target: Target, local: Sequence[Hop]) -> list[str]:
    """The transports that may be used, ours in our order (section 4.1).

    One that we lack is replaced by our first, unless the URI wants security.
    """
    ours = list(dict.fromkeys(hop.transport for hop in local))
    if target.secure or target.transport == "TLS":
        return [transport for transport in ours if transport == "TLS"]
    if target.transport in ours:
        return [target.transport]
    plain = [transport for transport in ours if transport != "TLS"]
    return plain[:1] if target.transport is not None or target.port is not None else ours


def locate_numeric(target: Target, local: Sequence[Hop]) -> list[Hop]:
    """Where an address leads; nowhere if we have no socket of its family."""
    transports = transports_for(target, local)
    if not target.secure and target.transport is None:
        transports = [t for t in transports if t != "TLS"][:1]
    reachable = {(hop.transport, hop.is_ipv6) for hop in local}
    return [
        Hop(
            target.host, target.port or default_port(transport), transport, _name(target, transport)
        )
        for transport in transports
        if (transport, ":" in target.host) in reachable
    ]


def locate(target: Target, local: Sequence[Hop], source: random.Random) -> Questions:
    """Find the hops of a target; ``local``: our own addresses, one per transport and family."""
    if is_numeric(target.host):
        return locate_numeric(target, local)
    transports = transports_for(target, local)
    if not transports:
        return []
    services: list[tuple[str, Srv]] = []
    if target.port is None:
        services = yield from _services(target, transports, source)
        if services and all(srv.target in ("", ".") for _, srv in services):
            return []  # the domain says that it has no such service
    if not services:
        transport = transports[0]
        port = target.port or default_port(transport)
        services = [(transport, Srv(0, 0, port, target.host))]
    return (yield from _addresses(target, services, local))


def _services(
    target: Target, transports: list[str], source: random.Random
) -> Generator[list[Question], list[Sequence[Record]], list[tuple[str, Srv]]]:
    """The servers of a domain in order: by NAPTR where it has any, else by SRV alone."""
    wanted = [(transport, _PREFIXES[transport] + target.host) for transport in transports]
    if target.transport is None:
        (records,) = yield [Question(target.host, "NAPTR")]
        wanted = _chosen(records, transports) or wanted
    answers = yield [Question(name, "SRV") for _, name in wanted]
    return [
        (transport, srv)
        for (transport, _), records in zip(wanted, answers, strict=True)
        for srv in ordered([record for record in records if isinstance(record, Srv)], source)
    ]


def _chosen(records: Sequence[Record], transports: list[str]) -> list[tuple[str, str]]:
    """The services of NAPTR records that we can use, the domain's favourite first."""
    naptrs = sorted(record for record in records if isinstance(record, Naptr))
    return [
        (transport, naptr.replacement)
        for naptr in naptrs
        if naptr.flags.lower() == "s"
        and (transport := _SERVICES.get(naptr.service.upper())) in transports
        and transport is not None
    ]


def ordered(records: Sequence[Srv], source: random.Random) -> list[Srv]:
    """SRV records by priority, within one at random by weight (RFC 2782)."""
    result = []
    for _, group in groupby(sorted(records), key=lambda srv: srv.priority):
        left = sorted(group, key=lambda srv: srv.weight)
        while left:
            at = source.randint(0, sum(srv.weight for srv in left))
            chosen = next(i for i in range(len(left)) if sum(s.weight for s in left[: i + 1]) >= at)
            result.append(left.pop(chosen))
    return result


def _addresses(target: Target, services: list[tuple[str, Srv]], local: Sequence[Hop]) -> Questions:
    """The addresses of the servers; our first family is preferred."""
    families = list(dict.fromkeys(hop.is_ipv6 for hop in local))
    reachable = {(hop.transport, hop.is_ipv6) for hop in local}
    servers = services[:MOST_TARGETS]
    names = list(dict.fromkeys(srv.target for _, srv in servers))
    asked = [Question(name, "AAAA" if ipv6 else "A") for name in names for ipv6 in families]
    answers = yield asked
    found: dict[str, list[str]] = {name: [] for name in names}
    for question, records in zip(asked, answers, strict=True):
        found[question.name] += [record for record in records if isinstance(record, str)]
    hops = [
        Hop(address, srv.port, transport, _name(target, transport))
        for transport, srv in servers
        for address in found[srv.target]
        if (transport, ":" in address) in reachable
    ]
    return list(dict.fromkeys(hops))[:MOST_TARGETS]


def _name(target: Target, transport: str) -> str:
    """Whose certificate is wanted: the domain's, not that of the server found (RFC 5922)."""
    return target.host if transport == "TLS" else ""
