"""INVITEs whose offer stands among other parts, or names an address nobody here can reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from hookswitch_transport_sip.sip.message import Message, Response
from hookswitch_transport_sip.sip.parser import parse

from .client import Api, Events
from .server import Server, serving

SESSION = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c={connection}
t=0 0
m=audio 9 RTP/AVP 8
"""
MIXED = """\
--part
Content-Type: application/isup;version=any
Content-Disposition: signal;handling={handling}

not for us
--part
Content-Type: application/sdp

{session}
--part--
"""
HEAD = """\
{method} {uri} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{method}
Max-Forwards: 70
From: <sip:odd@127.0.0.1>;tag=odd
To: {to}
Call-ID: odd-{port}
CSeq: 1 {method}
Contact: <sip:odd@127.0.0.1:{port}>
Content-Type: {kind}
Content-Length: {length}

"""
PLAIN, PARTS = "application/sdp", "multipart/mixed;boundary=part"
SERVICE = "sip:service@127.0.0.1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


class Caller(asyncio.DatagramProtocol):
    """Sends what it is told, keeps what comes."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.messages.put_nowait(parse(data))

    def send(
        self, method: str, body: str = "", kind: str = PLAIN, uri: str = SERVICE, to: str = ""
    ) -> None:
        body = body.replace("\n", "\r\n")
        port = self._transport.get_extra_info("sockname")[1]
        head = HEAD.format(
            method=method, uri=uri, to=to or f"<{SERVICE}>", port=port, kind=kind, length=len(body)
        )
        self._transport.sendto((head.replace("\n", "\r\n") + body).encode())

    async def final(self) -> Response:
        """The next response that is more than a provisional one."""
        async with asyncio.timeout(10):
            while True:
                message = await self.messages.get()
                if isinstance(message, Response) and message.status >= 200:
                    return message

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def caller(server: Server) -> AsyncIterator[Caller]:
    """A caller at a port of its own."""
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Caller, local_addr=("127.0.0.1", 0), remote_addr=("127.0.0.1", server.sip_port)
    )
    try:
        yield protocol
    finally:
        protocol.close()


def session(connection: str = "IN IP4 127.0.0.1") -> str:
    return SESSION.format(connection=connection)


async def test_a_session_beside_a_part_that_may_be_passed_over(
    server: Server, api: Api, events: Events
) -> None:
    async with caller(server) as peer:
        peer.send("INVITE", MIXED.format(session=session(), handling="optional"), PARTS)
        ringing = await events.wait("leg.ringing", leg_type="sip_inbound")
        assert [codec["name"] for codec in ringing["offered_codecs"]] == ["PCMA"]
        await api.post(f"/legs/{ringing['leg_id']}/answer", 202)
        answer = await peer.final()
        assert answer.status == 200
        assert answer.sdp is not None
        assert b"RTP/AVP 8\r\n" in answer.sdp
        peer.send("ACK", uri=str(answer.contacts[0].uri), to=str(answer.to))
        await events.wait("leg.connected", leg_id=ringing["leg_id"])
        await api.delete(f"/legs/{ringing['leg_id']}", 202)
        await events.ended(ringing["leg_id"])


@pytest.mark.parametrize(
    ("body", "kind", "uri", "status"),
    [
        (MIXED.format(session=session(), handling="required"), PARTS, SERVICE, 415),
        (session("IN IP6 ::1"), PLAIN, SERVICE, 488),
        (MIXED.format(session=session("IN IP6 ::1"), handling="optional"), PARTS, SERVICE, 488),
        (session(), PLAIN, "sips:service@127.0.0.1", 480),
        (session("IN IP4 no..name"), PLAIN, SERVICE, 488),
        (session(f"IN IP4 {'x' * 64}.test"), PLAIN, SERVICE, 488),
    ],
)
async def test_what_does_not_ring(
    server: Server, api: Api, events: Events, body: str, kind: str, uri: str, status: int
) -> None:
    async with caller(server) as peer:
        peer.send("INVITE", body, kind, uri)
        assert (await peer.final()).status == status
    assert await api.get("/legs") == []
