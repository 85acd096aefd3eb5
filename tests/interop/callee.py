"""A small callee of our own, for what SIPp cannot check: SHA-256, Proxy-Authenticate, stale nonces.

It shares no code with the server.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

USER, PASSWORD, REALM = "alice", "wonderland", "interop"

_HASHES: dict[str, Callable[[bytes], hashlib._Hash]] = {
    "MD5": hashlib.md5,
    "SHA-256": hashlib.sha256,
}

_SDP = """\
v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 9 RTP/AVP 0
""".replace("\n", "\r\n")


class Callee(asyncio.DatagramProtocol):
    """Answers each request at once: an INVITE as ``challenges`` and then the credentials say."""

    def __init__(self, status: int, challenges: list[list[str]]) -> None:
        """``challenges``: what is sent to the first INVITE, the second, …; the next must fit."""
        self._status = status
        self._challenges = challenges
        self.invites: list[dict[str, str]] = []
        """The credentials of each INVITE, empty without any."""
        self.requests: list[str] = []
        self._transport: Any = None

    @property
    def uri(self) -> str:
        return f"sip:{USER}@127.0.0.1:{self._transport.get_extra_info('sockname')[1]}"

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        head, _, _ = data.decode().partition("\r\n\r\n")
        first, *fields = head.split("\r\n")
        method, _, rest = first.partition(" ")
        self.requests.append(method)
        if method == "ACK":
            return
        extra: list[str] = []
        status, body = "200 OK", ""
        if method == "INVITE":
            status, extra, body = self._answer_invite(rest.split()[0], fields)
        self._transport.sendto(_pack(head, status, self.uri, extra, body), addr)

    def _answer_invite(self, uri: str, fields: list[str]) -> tuple[str, list[str], str]:
        proxy = self._status == 407
        name = "proxy-authorization:" if proxy else "authorization:"
        given = [f.partition(":")[2] for f in fields if f.lower().startswith(name)]
        credentials = _items(given[0]) if given else {}
        self.invites.append(credentials)
        number = len(self.invites) - 1
        if number < len(self._challenges):
            field = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
            asked = [f"{field}: Digest {c}" for c in self._challenges[number]]
            return f"{self._status} Who is it", asked, ""
        if credentials.get("response") != _expected(credentials) or credentials["uri"] != uri:
            return "403 Forbidden", [], ""
        return "200 OK", ["Content-Type: application/sdp"], _SDP


def answer(request: str, status: str, contact: str, *, session: bool = False) -> bytes:
    """A response to a request, with a session description or without."""
    head = request.partition("\r\n\r\n")[0]
    extra = ["Content-Type: application/sdp"] if session else []
    return _pack(head, status, contact, extra, _SDP if session else "")


def _pack(head: str, status: str, contact: str, extra: list[str], body: str) -> bytes:
    fields = head.split("\r\n")[1:]
    copied = [f for f in fields if re.match(r"(via|from|call-id|cseq):", f, re.IGNORECASE)]
    (to,) = (f for f in fields if f.lower().startswith("to:"))
    lines = [f"SIP/2.0 {status}", *copied, to if ";tag=" in to else to + ";tag=callee", *extra]
    lines += [f"Contact: <{contact}>", f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


def _expected(given: dict[str, str]) -> str:
    """The response of RFC 7616 section 3.4.1 for these credentials."""

    def digest(*parts: str) -> str:
        return _HASHES[given.get("algorithm", "MD5")](":".join(parts).encode()).hexdigest()

    secret, what = digest(USER, REALM, PASSWORD), digest("INVITE", given["uri"])
    if "qop" not in given:
        return digest(secret, given["nonce"], what)
    return digest(secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], what)


def _items(text: str) -> dict[str, str]:
    pairs: list[tuple[str, str, str]] = re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', text)
    return {name: quoted or bare for name, quoted, bare in pairs}


@asynccontextmanager
async def callee(status: int, *challenges: list[str]) -> AsyncIterator[Callee]:
    """A callee that asks for a password in these ways, one after the other."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Callee(status, list(challenges)), local_addr=("127.0.0.1", 0)
    )
    try:
        yield protocol
    finally:
        transport.close()
