"""The resolver: hosts file, memory, and real answers of a DNS server of our own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest_asyncio

from hookswitch_transport_sip.signalling.hosts import HostsFile
from hookswitch_transport_sip.signalling.resolver import Resolver
from hookswitch_transport_sip.sip.hop import Hop, Target
from hookswitch_transport_sip.sip.locating import Naptr, Question, Srv, locate

ZONE = """\
farm.test. 60 IN NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.farm.test.
_sip._udp.farm.test. 60 IN SRV 5 7 5070 a.farm.test.
a.farm.test. 60 IN A 192.0.2.7
a.farm.test. 60 IN A 192.0.2.8
a.farm.test. 60 IN AAAA 2001:db8::7
short.test. 0 IN A 192.0.2.9
"""


class NameServer(asyncio.DatagramProtocol):
    """Answers from the zone above and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        self.asked.append(f"{question.name} {question.rdtype.name}")
        if self.silent:
            return
        answer = dns.message.make_response(query)
        lines = [line for line in ZONE.splitlines() if line.startswith(f"{question.name} ")]
        rows = [line.split(" ", 4) for line in lines]
        found = [row for row in rows if row[3] == question.rdtype.name]
        if found:
            texts = [row[4] for row in found]
            rrset = dns.rrset.from_text_list(
                question.name, int(found[0][1]), "IN", found[0][3], texts
            )
            answer.answer.append(rrset)
        elif not lines:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[NameServer, str]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        NameServer, local_addr=("127.0.0.1", 0)
    )
    host, port = transport.get_extra_info("sockname")
    yield protocol, f"{host}:{port}"
    transport.close()


def hosts(tmp_path: Path, text: str = "") -> HostsFile:
    path = tmp_path / "hosts"
    path.write_text(text)
    return HostsFile(path)


async def test_records_of_each_kind(server: tuple[NameServer, str], tmp_path: Path) -> None:
    resolver = Resolver([server[1]], hosts(tmp_path))
    assert await resolver.ask(Question("farm.test", "NAPTR")) == [
        Naptr(10, 20, "s", "SIP+D2U", "_sip._udp.farm.test")
    ]
    assert await resolver.ask(Question("_sip._udp.farm.test", "SRV")) == [
        Srv(5, 7, 5070, "a.farm.test")
    ]
    assert sorted(await resolver.ask(Question("a.farm.test", "A"))) == ["192.0.2.7", "192.0.2.8"]
    assert await resolver.ask(Question("a.farm.test", "AAAA")) == ["2001:db8::7"]
    assert await resolver.ask(Question("none.test", "A")) == ()
    assert await resolver.ask(Question("farm.test", "A")) == []


async def test_a_domain_is_located_and_remembered(
    server: tuple[NameServer, str], tmp_path: Path
) -> None:
    resolver = Resolver([server[1]], hosts(tmp_path))

    async def found() -> list[Hop]:
        local = [Hop("192.0.2.1", 5060)]
        return await resolver.locate(locate(Target("farm.test"), local, random.Random(1)))

    first = await asyncio.gather(*(found() for _ in range(20)))
    assert {(hop.host, hop.port) for hop in first[0]} == {("192.0.2.7", 5070), ("192.0.2.8", 5070)}
    assert all(hops == first[0] for hops in first)
    await found()
    assert sorted(server[0].asked) == [
        "_sip._udp.farm.test. SRV",
        "a.farm.test. A",
        "farm.test. NAPTR",
    ]


async def test_absence_is_remembered_too(server: tuple[NameServer, str], tmp_path: Path) -> None:
    resolver = Resolver([server[1]], hosts(tmp_path))
    for _ in range(3):
        assert not await resolver.ask(Question("none.test", "A"))
    assert server[0].asked == ["none.test. A"]


async def test_nobody_answers(server: tuple[NameServer, str], tmp_path: Path) -> None:
    server[0].silent = True
    resolver = Resolver([server[1]], hosts(tmp_path))
    asking = asyncio.create_task(resolver.ask(Question("farm.test", "A")))
    await asyncio.sleep(0)
    await resolver.close()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert asking.done()


async def test_names_that_cannot_be_asked_for(
    server: tuple[NameServer, str], tmp_path: Path
) -> None:
    resolver = Resolver([server[1]], hosts(tmp_path))
    for name in ("x" * 70 + ".test", "a..test", ".".join(["x" * 60] * 6)):
        assert not await resolver.ask(Question(name, "A"))
    assert server[0].asked == []


async def test_the_hosts_file_comes_first(server: tuple[NameServer, str], tmp_path: Path) -> None:
    known = hosts(tmp_path, "# a comment\n192.0.2.55 Pbx.test pbx # another\n2001:db8::5 pbx\n")
    resolver = Resolver([server[1]], known)
    assert await resolver.ask(Question("pbx", "A")) == ["192.0.2.55"]
    assert await resolver.ask(Question("PBX", "AAAA")) == ["2001:db8::5"]
    assert await resolver.ask(Question("pbx.test", "AAAA")) == []
    assert await resolver.ask(Question("pbx.test", "NAPTR")) == []
    assert await resolver.ask(Question("_sip._udp.pbx.test", "SRV")) == []
    assert await resolver.ask(Question("localhost", "A")) == ["127.0.0.1"]
    assert await resolver.ask(Question("192.0.2.1", "A")) == ["192.0.2.1"]
    assert server[0].asked == []
    (tmp_path / "hosts").write_text("192.0.2.56 other\n")
    assert await resolver.ask(Question("other", "A")) == ["192.0.2.56"]


async def test_a_name_without_a_domain_has_no_services(
    server: tuple[NameServer, str], tmp_path: Path
) -> None:
    resolver = Resolver([server[1]], hosts(tmp_path))
    assert await resolver.ask(Question("pbx", "NAPTR")) == []
    assert await resolver.ask(Question("_sip._udp.pbx", "SRV")) == []
    assert server[0].asked == []


async def test_a_hosts_file_that_is_not_there(tmp_path: Path) -> None:
    assert HostsFile(tmp_path / "none").addresses("x") == []
