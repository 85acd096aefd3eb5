"""DNS: asks what `sip.locating` wants to know, and remembers the answers for their time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from hookswitch_transport_sip.settings import dns_server
from hookswitch_transport_sip.sip.hop import Hop, is_numeric
from hookswitch_transport_sip.sip.locating import Naptr, Question, Questions, Record, Srv

from .hosts import HostsFile

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds for one answer, all servers together."""

_RETRY = 1.0
"""Seconds after which a question is asked again."""

_SHORTEST, _LONGEST, _ABSENT, _FAILED = 1.0, 3600.0, 30.0, 2.0
"""Seconds an answer, its absence and a failure are remembered."""

_MOST = 4096
"""Answers remembered."""


class Resolver:
    """Answers from the hosts file, its memory, or the servers."""

    def __init__(self, servers: Sequence[str] = (), hosts: HostsFile | None = None) -> None:
        """``servers``: ``address`` or ``address:port``; none: those of the system."""
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = [_server(text) for text in servers]
        else:
            with suppress(OSError, dns.resolver.NoResolverConfiguration):
                self._resolver.read_resolv_conf("/etc/resolv.conf")
        self._resolver.timeout = _RETRY
        self._hosts = hosts or HostsFile()
        self._loop = asyncio.get_running_loop()
        self._known: dict[Question, tuple[float, Sequence[Record]]] = {}
        self._asked: dict[Question, asyncio.Task[Sequence[Record]]] = {}

    async def locate(self, questions: Questions) -> list[Hop]:
        """Drive `sip.locating.locate` to its end."""
        answers: Any = None
        while True:
            try:
                wanted = questions.send(answers)
            except StopIteration as done:
                hops: list[Hop] = done.value
                return hops
            answers = await asyncio.gather(*(self.ask(question) for question in wanted))

    async def ask(self, question: Question) -> Sequence[Record]:
        """The records, none if there are none or nobody answers."""
        if (local := self._local(question)) is not None:
            return local
        expires, records = self._known.get(question, (0.0, ()))
        if self._loop.time() < expires:
            return records
        task = self._asked.get(question)
        if task is None:
            task = self._asked[question] = self._loop.create_task(self._query(question))
            task.add_done_callback(lambda _: self._asked.pop(question, None))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give up what is being asked."""
        tasks = list(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _local(self, question: Question) -> Sequence[Record] | None:
        """What no server need be asked: numbers, the hosts file, names without a domain."""
        name = question.name
        if question.kind in ("A", "AAAA"):
            found = [name] if is_numeric(name) else self._hosts.addresses(name)
            if not found:
                return None
            return [address for address in found if (":" in address) == (question.kind == "AAAA")]
        host = name.split(".", 2)[-1] if name.startswith("_") else name
        return [] if "." not in host.rstrip(".") or self._hosts.addresses(host) else None

    async def _query(self, question: Question) -> Sequence[Record]:
        records: Sequence[Record] = ()
        try:
            answer = await self._resolver.resolve(
                question.name,
                question.kind,
                lifetime=PATIENCE,
                search="." not in question.name,
                raise_on_no_answer=False,
            )
            records = [_record(question, rdata) for rdata in answer.rrset or ()]
            ttl = float(answer.rrset.ttl) if answer.rrset else _ABSENT
        except dns.resolver.NXDOMAIN:
            ttl = _ABSENT
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            log.info("DNS: %s %.255s: %s", question.kind, question.name, error)
            ttl = _FAILED
        self._remember(question, records, min(max(ttl, _SHORTEST), _LONGEST))
        return records

    def _remember(self, question: Question, records: Sequence[Record], ttl: float) -> None:
        self._known.pop(question, None)
        self._known[question] = (self._loop.time() + ttl, records)
        if len(self._known) > _MOST:
            del self._known[next(iter(self._known))]


def _record(question: Question, rdata: Any) -> Record:
    """A record of dnspython as one of ours."""
    if question.kind == "NAPTR":
        flags, service = (
            rdata.flags.decode("ascii", "replace"),
            rdata.service.decode(errors="replace"),
        )
        return Naptr(rdata.order, rdata.preference, flags, service, _text(rdata.replacement))
    if question.kind == "SRV":
        return Srv(rdata.priority, rdata.weight, rdata.port, _text(rdata.target))
    return str(rdata.address)


def _text(name: dns.name.Name) -> str:
    """A name without its last dot; the root stays a dot."""
    return name.to_text(omit_final_dot=True) or "."


def _server(text: str) -> dns.nameserver.Nameserver:
    return dns.nameserver.Do53Nameserver(*dns_server(text))
