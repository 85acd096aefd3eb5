"""Where calls go: names with several servers, proxies, callers behind a NAT; and seeing it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from . import processes
from .callee import PASSWORD, USER, callee
from .client import Api, Event, Events
from .name_server import name_server
from .server import Server, serving
from .sipp import sipp

DNS_PORT = processes.free_port()
DEAD, LIVE = processes.free_port(), processes.free_port()
RECORDS = (
    f"srv-host=_sip._udp.farm.test,dead.farm.test,{DEAD},10,0",
    f"srv-host=_sip._udp.farm.test,live.farm.test,{LIVE},20,0",
    "host-record=dead.farm.test,127.0.0.1",
    "host-record=live.farm.test,127.0.0.1",
    "naptr-record=naptr.test,20,0,S,SIP+D2U,,_sip._udp.farm.test",
    "naptr-record=naptr.test,10,0,S,SIP+D2T,,_sip._tcp.naptr.test",
    f"srv-host=_sip._tcp.naptr.test,live.farm.test,{LIVE},0,0",
    "srv-host=_sip._udp.closed.test",
    "host-record=closed.test,127.0.0.1",
    "local=/test/",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_TCP_ENABLED="true",
        SIP_DNS_SERVERS=f"127.0.0.1:{DNS_PORT}",
        SIP_DEBUG="true",
    ) as running:
        yield running


@pytest_asyncio.fixture
async def names(tmp_path: Path) -> AsyncIterator[Path]:
    """The server's DNS; answers the log of what it was asked."""
    log = tmp_path / "dns.log"
    async with name_server(log, DNS_PORT, *RECORDS):
        yield log


async def ladder(api: Api, leg: str) -> list[Event]:
    messages: list[Event] = (await api.get(f"/legs/{leg}/sip"))["messages"]
    return messages


@pytest.mark.usefixtures("names")
async def test_the_first_server_of_a_domain_is_dead(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_answers.xml", tmp_path, port=LIVE) as peer:
        leg = await api.call("sip:bob@farm.test")
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await peer.succeeded()
    sent = [m for m in await ladder(api, leg) if m["first_line"].startswith("INVITE")]
    assert [m["remote"] for m in sent] == [f"127.0.0.1:{DEAD}", f"127.0.0.1:{LIVE}"]


async def test_a_domain_prefers_tcp(api: Api, events: Events, tmp_path: Path, names: Path) -> None:
    async with sipp("callee_answers.xml", tmp_path, port=LIVE, transport="t1") as peer:
        leg = await api.call("sip:bob@naptr.test")
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await peer.succeeded()
    assert b"NAPTR" in await asyncio.to_thread(names.read_bytes)
    assert {m["transport"] for m in await ladder(api, leg)} == {"tcp"}


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("domain", ["closed.test", "nowhere.test"])
async def test_a_domain_without_sip(api: Api, events: Events, domain: str) -> None:
    leg = await api.call(f"sip:bob@{domain}")
    assert (await events.ended(leg))["cdr"]["reason"] == "connect_failed"


async def test_nobody_answers_for_a_name(api: Api, events: Events) -> None:
    """There is no name server at all; the call does not wait for long."""
    leg = await api.call("sip:bob@silent.test", ring_timeout=20)
    assert (await events.ended(leg, within=14.0))["cdr"]["reason"] == "connect_failed"


async def test_a_call_goes_through_its_proxy(api: Api, events: Events, tmp_path: Path) -> None:
    async with sipp("callee_answers.xml", tmp_path) as proxy:
        leg = await api.call("sip:bob@far.invalid", outbound_proxy=f"sip:127.0.0.1:{proxy.port}")
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await proxy.succeeded()
    invite = (await ladder(api, leg))[0]
    assert invite["first_line"] == "INVITE sip:bob@far.invalid SIP/2.0"
    assert f"\r\nRoute: <sip:127.0.0.1:{proxy.port};lr>\r\n" in invite["text"]


@pytest.mark.parametrize("proxy", ["sip:bob@x", "mailto:x", "sip:h h", "zork"])
async def test_what_is_no_proxy(api: Api, proxy: str) -> None:
    answer = await api.post("/legs", 400, type="sip", to="sip:a@127.0.0.1", outbound_proxy=proxy)
    assert answer["error"].startswith("outbound_proxy: ")


@pytest.mark.parametrize("to", ["sips:a@127.0.0.1", "sip:a@127.0.0.1;transport=tls"])
async def test_tls_needs_a_certificate(api: Api, to: str) -> None:
    answer = await api.post("/legs", 400, type="sip", to=to)
    assert answer["error"] == "to: TLS is not configured (SIP_TLS_CERT)"


@pytest.mark.parametrize("field", ["to", "uri", "outbound_proxy"])
@pytest.mark.parametrize("transport", ["sctp", "ws"])
async def test_a_transport_we_do_not_have(api: Api, field: str, transport: str) -> None:
    asked = {"to": "sip:a@127.0.0.1", field: f"sip:127.0.0.1;transport={transport}"}
    if field == "uri":
        del asked["to"]
    answer = await api.post("/legs", 400, type="sip", **asked)
    assert answer["error"] == f"{field}: transport '{transport}' is none of udp, tcp and tls"


@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_a_caller_behind_a_nat_is_hung_up_on(
    server: Server, api: Api, events: Events, tmp_path: Path, transport: str
) -> None:
    """Its Contact leads nowhere."""
    async with sipp(
        "caller_behind_nat.xml", tmp_path, target=server.sip_port, transport=transport
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await caller.succeeded()
    bye = (await ladder(api, leg))[-2]
    assert bye["first_line"] == "BYE sip:sipp@10.255.255.1:5060 SIP/2.0"
    assert bye["remote"] == f"127.0.0.1:{caller.port}" or transport == "t1"


async def test_the_ladder_of_a_call(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_hangs_up.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        running = await api.get(f"/legs/{leg}/sip")
        assert running["ended"] is False
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()
    ended = await api.get(f"/legs/{leg}/sip")
    assert (ended["leg_id"], ended["ended"], ended["omitted"]) == (leg, True, 0)
    steps = [(m["direction"], m["first_line"]) for m in ended["messages"]]
    target = f"sip:service@127.0.0.1:{server.sip_port}"
    assert [step for step in steps if "100" not in step[1]] == [
        ("received", f"INVITE {target} SIP/2.0"),
        ("sent", "SIP/2.0 200 OK"),
        ("received", f"ACK {target} SIP/2.0"),
        ("received", f"BYE {target} SIP/2.0"),
        ("sent", "SIP/2.0 200 OK"),
    ]
    invite = ended["messages"][0]
    assert invite["local"] == f"127.0.0.1:{server.sip_port}"
    assert invite["remote"] == f"127.0.0.1:{caller.port}"
    assert "m=audio" in invite["text"]
    assert "m=audio" in server.log


async def test_no_password_is_shown(server: Server, api: Api, events: Events) -> None:
    challenge = 'realm="interop", nonce="b7c9", algorithm=MD5, qop="auth"'
    async with callee(401, [challenge]) as peer:
        leg = await api.call(peer.uri, auth={"username": USER, "password": PASSWORD})
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
    texts = "".join(m["text"] for m in await ladder(api, leg))
    for text in (texts, server.log):
        assert "Authorization: Digest (hidden)" in text
        assert "response=" not in text


async def test_there_is_no_ladder_of_what_never_was(api: Api) -> None:
    await api.get("/legs/none/sip", 404)
