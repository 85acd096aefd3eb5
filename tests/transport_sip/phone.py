"""A phone in the test's event loop: our SIP core on a socket, for what real phones do not do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.config import Config
from hookswitch_transport_sip.sip.digest_client import DigestClient
from hookswitch_transport_sip.sip.endpoint import UserAgent
from hookswitch_transport_sip.sip.events import Event, InviteReceived
from hookswitch_transport_sip.sip.headers import Headers
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.uac import OutboundCall
from hookswitch_transport_sip.sip.uri import Uri

OFFER = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 9 RTP/AVP 0
""".replace("\n", "\r\n").encode()


class Phone(asyncio.DatagramProtocol):
    """One user agent of Alice's; its REGISTERs are in a row unless they are given a Call-ID."""

    def __init__(self, server_port: int) -> None:
        self.server = Hop("127.0.0.1", server_port)
        self.events: list[Event] = []
        self.agent: UserAgent
        self._transport: asyncio.DatagramTransport
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._cseq = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.agent = UserAgent(Config(host, port, contact_user="alice"))

    @property
    def contact(self) -> str:
        return str(self.agent.contact.uri)

    async def register(
        self,
        *contacts: str,
        aor: str = "sip:alice@example.com",
        password: str | None = None,
        expires: int = 600,
        call_id: str = "c1",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> Response:
        """Send a REGISTER; the final response."""
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        wanted = contacts or (self.contact,)

        def build() -> Request:
            self._cseq += 1
            items = [
                ("Max-Forwards", "70"),
                ("From", f"<{aor}>;tag=1"),
                ("To", f"<{aor}>"),
                ("Call-ID", call_id),
                ("CSeq", f"{self._cseq} REGISTER"),
                *(("Contact", c if c == "*" else f"<{c}>") for c in wanted),
                ("Expires", str(expires)),
                *headers,
            ]
            return Request("REGISTER", Uri.parse("sip:example.com"), Headers(items))

        def received(response: Response, source: Hop | None, now: float) -> None:
            if response.status >= 200 and not answered.done():
                answered.set_result(response)

        digest = DigestClient("alice", password, lambda: "c0ffee") if password else None
        self.agent.exchange(build, received, self.now(), hop=self.server, digest=digest)
        self.settle()
        async with asyncio.timeout(10):
            return await answered

    def call(self, caller: str, *headers: tuple[str, str], offer: bytes = OFFER) -> OutboundCall:
        """Call the server."""
        target = Uri.parse("sip:service@example.com")
        call = self.agent.invite(
            target,
            NameAddr(Uri.parse(caller)),
            offer,
            self.now(),
            headers=headers,
            hop=self.server,
        )
        self.settle()
        return call

    async def rings(self) -> InviteReceived:
        """Wait for a call to it."""
        async with asyncio.timeout(10):
            while True:
                for event in self.events:
                    if isinstance(event, InviteReceived):
                        return event
                self._news.clear()
                await self._news.wait()

    def handle(self, event: Event) -> None:
        """Something happened: for phones that react at once."""

    def refuse(self, event: InviteReceived, status: int) -> None:
        """Refuse a call."""
        event.call.reject(status, self.now())
        self.settle()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.agent.receive_datagram(data, addr, ("", 0), self.now())
        self.settle()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def settle(self) -> None:
        for data, hop in self.agent.to_send():
            self._transport.sendto(data, hop.address)
        if events := self.agent.events():
            self.events += events
            self._news.set()
            for event in events:
                self.handle(event)
        if self._timer is not None:
            self._timer.cancel()
        due = self.agent.next_timer()
        loop = asyncio.get_running_loop()
        self._timer = None if due is None else loop.call_at(due, self._timed_out)

    def _timed_out(self) -> None:
        self.agent.handle_timer(self.now())
        self.settle()


@asynccontextmanager
async def phone(server_port: int) -> AsyncIterator[Phone]:
    """A phone on a port of its own."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(
        lambda: Phone(server_port), local_addr=("127.0.0.1", 0)
    )
    try:
        yield protocol
    finally:
        protocol.close()
