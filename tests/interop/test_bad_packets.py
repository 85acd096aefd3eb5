"""Whatever arrives on its UDP ports: the server lives, and its calls go on."""

from __future__ import annotations

import asyncio
import random
import re
from pathlib import Path

import pytest

from . import processes
from .client import Api, Events
from .server import Server
from .sipp import sipp

INVITE = """\
INVITE sip:service@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number}
Max-Forwards: 70
From: <sip:mallory@127.0.0.1:{port}>;tag={number}
To: <sip:service@127.0.0.1>
Call-ID: bad-{number}
CSeq: 1 INVITE
Contact: <sip:mallory@127.0.0.1:{port}>
Content-Type: application/sdp
Content-Length: 129

v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 9 RTP/AVP 0 101
a=rtpmap:101 telephone-event/8000
a=sendrecv
""".replace("\n", "\r\n")


class Stranger(asyncio.DatagramProtocol):
    """A socket that sends anything."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._arrived.put_nowait(data)

    async def answers_until(self, text: bytes) -> list[bytes]:
        """What arrives up to an answer with this in it."""
        answers = [b""]
        async with asyncio.timeout(10):
            while text not in answers[-1]:
                answers.append(await self._arrived.get())
        return answers


def spoilt(text: bytes, chance: random.Random) -> bytes:
    """A message with something wrong in it, most of the time."""
    data = bytearray(text)
    match chance.randrange(5):
        case 0:
            del data[chance.randrange(len(data)) :]
        case 1:
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case 2:
            start = chance.randrange(len(data))
            del data[start : start + chance.randrange(40)]
        case 3:
            start = chance.randrange(len(data))
            data[start:start] = data[start : start + 30] * chance.randrange(20)
        case 4:
            lines = bytes(data).split(b"\r\n")
            chance.shuffle(lines)
            data = bytearray(b"\r\n".join(lines))
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
async def test_noise_on_the_sip_and_rtp_ports(
    server: Server, api: Api, events: Events, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    transport, stranger = await loop.create_datagram_endpoint(Stranger, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    async with sipp("caller_waits_for_bye.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        media = [p for p in processes.udp_ports(server.pid) if p != server.sip_port]
        assert len(media) == 2
        for number in range(1000):
            whole = INVITE.format(port=port, number=f"{seed}-{number}").encode()
            transport.sendto(spoilt(whole, chance), ("127.0.0.1", server.sip_port))
            for rtp in media:
                transport.sendto(chance.randbytes(chance.randrange(200)), ("127.0.0.1", rtp))
            if number % 10 == 0:
                await asyncio.sleep(0)
        transport.sendto(
            INVITE.format(port=port, number=f"{seed}-last").encode(), ("127.0.0.1", server.sip_port)
        )
        answers = await stranger.answers_until(f"bad-{seed}-last".encode())
        assert any(answer.startswith(b"SIP/2.0 400 ") for answer in answers)
        transport.close()
        assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
        for other in await api.get("/legs"):  # what was still an INVITE rings
            await api.delete(f"/legs/{other['id']}", 202)
            await events.ended(other["id"])
        await caller.succeeded()
    async with sipp("options.xml", tmp_path, target=server.sip_port) as prober:
        await prober.succeeded()


async def test_who_sends_a_messy_via_is_told(server: Server) -> None:
    """RFC 4475 section 3.1.2.1: 400, to where it came from, with the Via as it was."""
    loop = asyncio.get_running_loop()
    transport, stranger = await loop.create_datagram_endpoint(Stranger, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    text = INVITE.format(port=port, number="messy")
    via = "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n"
    messy = re.sub("Via: .*\r\n", via, text).replace("Contact: <", 'Contact: "Joe" <', 1)
    messy = re.sub("(Contact: .*>)", r"\1;;;;", messy)
    transport.sendto(messy.encode(), ("127.0.0.1", server.sip_port))
    answer = (await stranger.answers_until(b"bad-messy"))[-1]
    transport.close()
    assert answer.startswith(b"SIP/2.0 400 Bad Request\r\n")
    assert via.encode() in answer
