"""Those who try what is there: heard less and less, while everybody else is heard as ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from .client import Api, Events
from .server import Server, serving
from .sipp import sipp

SCANNER = "127.0.0.66"
BURST = 10

REQUEST = """\
{method} sip:{user}@example.com SIP/2.0
Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag={number}
To: <sip:{user}@{domain}>
Call-ID: scan-{number}
CSeq: 1 {method}
Contact: <sip:{user}@{host}:{port}>
Content-Length: 0

""".replace("\n", "\r\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_DOMAIN="example.com",
        SIP_INBOUND_REGISTER_DEFAULT="accept",
        SIP_INBOUND_AUTH_CONSULT_TIMEOUT_MS="0",
        SIP_THROTTLE_BURST=str(BURST),
        SIP_THROTTLE_PER_SECOND="0.01",
        SIP_THROTTLE_EXEMPT="127.0.0.1",
    ) as running:
        yield running


class Scanner(asyncio.DatagramProtocol):
    """Sends and counts what comes back."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.port = 0
        self._sent = 0
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.append(data)

    def send(self, method: str, domain: str = "nowhere.com", *, broken: bool = False) -> None:
        self._sent += 1
        text = REQUEST.format(
            method=method, user=f"u{self._sent}", host=SCANNER, port=self.port,
            number=f"{self.port}x{self._sent}", domain=domain,
        )  # fmt: skip
        self._transport.sendto((text.replace("CSeq: 1", "CSeq:") if broken else text).encode())

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def scanner(server: Server, host: str = SCANNER) -> AsyncIterator[Scanner]:
    """A scanner at an address of its own."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(
        Scanner, local_addr=(host, 0), remote_addr=("127.0.0.1", server.sip_port)
    )
    try:
        yield protocol
    finally:
        protocol.close()


async def heard(server: Server, tmp_path: Path) -> None:
    """Somebody else is heard as ever, and what was sent before has been looked at."""
    async with sipp("options.xml", tmp_path, target=server.sip_port) as caller:
        await caller.succeeded()


@pytest.mark.parametrize(
    ("host", "method", "broken"),
    [
        ("127.0.0.61", "REGISTER", False),
        ("127.0.0.62", "OPTIONS", False),
        ("127.0.0.63", "PUBLISH", False),
        ("127.0.0.67", "SUBSCRIBE", False),
        ("127.0.0.64", "INVITE", True),
    ],
)
async def test_a_scanner_is_not_answered_for_ever(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    host: str,
    method: str,
    broken: bool,
) -> None:
    async with scanner(server, host) as stranger:
        for _ in range(100):
            stranger.send(method, broken=broken)
        await heard(server, tmp_path)
        # what arrives at once is looked at together, so a few more get through
        assert BURST <= len(stranger.answers) < 4 * BURST
    assert await api.metric("hookswitch_sip_throttled_total") >= 60
    assert await api.metric("hookswitch_sip_suspects") >= 1
    assert server.log.count(f"{host} fails again and again") == 1
    assert not [e for e in events.all if e.get("source_address", "").startswith(host)]


async def test_who_registers_is_no_scanner(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with scanner(server, "127.0.0.65") as phone:
        phone.send("REGISTER", domain="example.com")
        await events.wait("sip.registration_active")
        for _ in range(59):
            phone.send("REGISTER")
        await heard(server, tmp_path)
        assert len(phone.answers) == 60


async def test_many_register_at_once(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    before = await api.metric("hookswitch_sip_registrations")
    async with sipp(
        "registers.xml", tmp_path, *("-r", "500", "-l", "500"), target=server.sip_port, calls=1000
    ) as users:
        outcome = await users.outcome()
    assert (outcome.successful, outcome.failed, outcome.unexpected) == (1000, 0, "")
    assert await api.metric("hookswitch_sip_registrations") == before + 1000
    shown = await api.get("/sip/registrations/sip:user7@example.com")
    assert shown["bindings"][0]["granted_expires_seconds"] == 600
