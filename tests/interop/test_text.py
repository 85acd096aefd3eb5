"""Real-time text: Linphones, WebSocket legs and the application write to each other."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.peers import Peer, connected

from . import processes
from .client import Api, Events, api_of, events_of
from .linphone import RELEASED, RUNNING, linphone
from .server import Server
from .sipp import sipp


def read(events: Events, leg: str) -> str:
    """What came from a leg, as events told it."""
    return "".join(e["text"] for e in events.of(leg, "rtt.received"))


async def test_a_phone_that_calls_and_one_that_is_called(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with linphone(tmp_path / "alice") as alice, linphone(tmp_path / "bob") as bob:
        await alice.do(dial=f"sip:room@127.0.0.1:{server.sip_port}")
        inbound = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{inbound}/rtt", 409, text="too early")
        await api.post(f"/legs/{inbound}/answer", 202)
        outbound = await api.call(bob.uri, rtt=True)
        for leg in (inbound, outbound):
            await events.wait("leg.connected", leg_id=leg)
        await alice.reaches(RUNNING)
        await bob.reaches(RUNNING)
        # to the application; a Linphone that writes has begun to read as well
        await alice.do(write="hello ä😀")
        await bob.do(write="Bob, ")
        await events.wait("rtt.received", lambda e: read(events, inbound) == "hello ä😀")
        await events.wait("rtt.received", lambda e: read(events, outbound) == "Bob, ")
        # from the application
        await api.post(f"/legs/{inbound}/rtt", 200, text="Grüße")
        await api.post(f"/legs/{outbound}/rtt", 200, text="to Bob")
        await alice.reads("Grüße")
        await bob.reads("to Bob")
        assert bob.text == "to Bob"
        # among phones of a room
        for leg in (inbound, outbound):
            await api.post("/rooms/text/legs", 200, leg_id=leg)
        await bob.do(write="abc\bd")
        await alice.reads("Grüßeabc\bd")
        await events.wait("rtt.received", lambda e: read(events, outbound) == "Bob, abc\bd")
        assert bob.text == "to Bob", "nobody reads himself"
        for phone, leg in ((alice, inbound), (bob, outbound)):
            await phone.do(hang_up=True)
            await events.ended(leg)
            await phone.reaches(RELEASED)
    assert not any(e["loss_marker"] for e in events.all if e["type"] == "rtt.received")


async def test_text_under_srtp(server: Server, api: Api, events: Events, tmp_path: Path) -> None:
    """A phone with SRTP calls and is called; its text is protected like its audio."""
    async with (
        linphone(tmp_path / "alice", "media_encryption=srtp") as alice,
        linphone(tmp_path / "bob", "media_encryption=srtp") as bob,
    ):
        await alice.do(dial=f"sip:room@127.0.0.1:{server.sip_port}")
        inbound = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{inbound}/answer", 202)
        outbound = await api.call(bob.uri, rtt=True, srtp="required")
        for leg in (inbound, outbound):
            await events.wait("leg.connected", leg_id=leg)
            texts = re.findall(r"m=text .*?(?=m=|$)", str(await api.get(f"/legs/{leg}/sip")))
            assert len(texts) == 2, "an offer and an answer"
            assert all("RTP/SAVP" in text and "a=crypto:" in text for text in texts)
        await alice.reaches(RUNNING)
        await bob.reaches(RUNNING)
        await alice.do(write="from Alice")
        await bob.do(write="from Bob")
        await events.wait("rtt.received", lambda e: read(events, inbound) == "from Alice")
        await events.wait("rtt.received", lambda e: read(events, outbound) == "from Bob")
        await api.post(f"/legs/{inbound}/rtt", 200, text="to Alice")
        await api.post(f"/legs/{outbound}/rtt", 200, text="to Bob")
        await alice.reads("to Alice")
        await bob.reads("to Bob")
        for leg in (inbound, outbound):
            await api.delete(f"/legs/{leg}", 202)
            await events.ended(leg)


SENTENCE = "Many a packet is lost on the way, and hardly a letter."


async def test_over_a_network_that_loses_a_fifth(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """What arrives is in order and nothing twice; where nothing is marked, nothing is missing."""
    async with linphone(tmp_path / "alice") as alice:
        await alice.do(lose=20)
        leg = await api.call(alice.uri, rtt=True)
        await events.wait("leg.connected", leg_id=leg)
        await alice.reaches(RUNNING)
        for word in SENTENCE.split(" "):
            await alice.do(write=word + " ")
            await asyncio.sleep(0.3)  # somebody types
        await events.wait("rtt.received", lambda e: e["text"].rstrip()[-1:] in ".\ufffd")
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
    arrived = read(events, leg)
    pieces = [re.escape(piece) for piece in arrived.split("\ufffd")]
    assert re.fullmatch(".*?" + ".+".join(pieces), SENTENCE + " "), arrived
    assert len(arrived) > 0.6 * len(SENTENCE)


def written(peer: Peer) -> str:
    """What a WebSocket was sent."""
    return "".join(m["text"] for m in peer.json if m["type"] == "text")


async def test_phones_and_programs_in_a_room(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    address = server.url.replace("http://", "ws://") + "/v1/legs/websocket?room_id=r&rtt=true"
    async with linphone(tmp_path / "alice") as alice, connected(address) as program:
        leg = await api.call(alice.uri, rtt=True, room_id="r")
        await events.wait("leg.joined_room", leg_id=leg)
        await alice.reaches(RUNNING)
        await alice.do(write="from a phone")
        await events.wait("rtt.received", lambda e: read(events, leg) == "from a phone")
        await processes.until(lambda: written(program) == "from a phone", 5)
        await program.send(type="text", text="from a program\r\n")
        await alice.reads("from a program\r\n")
        for command, text in (("reject", "unseen"), ("accept", "seen")):
            await api.post(f"/legs/{leg}/rtt/{command}", 200)
            await program.send(type="text", text=text)
            await events.wait("rtt.received", text=text)
        await alice.reads("from a program\r\nseen")
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)


async def test_text_survives_the_media_worker(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with linphone(tmp_path / "alice") as alice:
        leg = await api.call(alice.uri, rtt=True)
        await events.wait("leg.connected", leg_id=leg)
        await alice.reaches(RUNNING)
        await alice.do(write="here I am")
        await events.wait("rtt.received", lambda e: read(events, leg) == "here I am")
        await api.post(f"/legs/{leg}/rtt", 200, text="before")
        (worker,) = server.media_workers
        server.expected.append(r"worker media-0 died \(status -9\)")
        os.kill(worker, signal.SIGKILL)
        await api.post(f"/legs/{leg}/rtt", 200, text=" and after")
        await alice.reads("before and after")
        await alice.do(write=" too")
        await events.wait("rtt.received", lambda e: read(events, leg) == "here I am too")
        await processes.until(lambda: len(set(server.media_workers) - {worker}) == 1, 10)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)


class TextPeer(asyncio.DatagramProtocol):
    """A socket that speaks plain T.140 over RTP, and loses packets on purpose."""

    def __init__(self) -> None:
        self.heard = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert data[1] & 0x7F == 98
        self.heard += data[12:].replace("\ufeff".encode(), b"")

    def send(self, port: int, texts: list[str | None], first: int = 65534) -> None:
        """One packet for each text; those for None are lost."""
        for number, text in enumerate(texts, first):
            if text is not None:
                header = struct.pack("!BBHII", 0x80, 98, number & 0xFFFF, number * 300, 7)
                self.transport.sendto(header + text.encode(), ("127.0.0.1", port))


async def test_who_writes_need_not_speak(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(TextPeer, local_addr=("127.0.0.1", 0))
    fields = {"text-port": str(transport.get_extra_info("sockname")[1])}
    running = Server(tmp_path, RTP_TIMEOUT="1")
    try:
        running.start()
        async with (
            api_of(running.url) as api,
            events_of(running.url) as told,
            sipp("caller_writes.xml", tmp_path, target=running.sip_port, fields=fields) as caller,
        ):
            leg = (await told.wait("leg.ringing"))["leg_id"]
            await api.post(f"/legs/{leg}/answer", 202)
            await caller.saw("CSeq: 1 ACK")
            (port,) = re.findall(r"m=text (\d+) RTP/AVP 98", caller.messages)[-1:]
            for number in range(30):
                peer.send(int(port), ["."], first=number)
                await asyncio.sleep(0.1)
            assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
            end = await told.ended(leg)
            assert end["cdr"]["reason"] == "rtp_timeout"
            assert 3 < end["cdr"]["duration_answered"] < 6
            await caller.succeeded()
        running.stop()
    finally:
        running.close()
        transport.close()


async def test_text_comes_and_goes_by_reinvite(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(TextPeer, local_addr=("127.0.0.1", 0))
    fields = {"text-port": str(transport.get_extra_info("sockname")[1])}
    async with sipp(
        "caller_changes_text.xml", tmp_path, target=server.sip_port, fields=fields
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await api.post(f"/legs/{leg}/rtt", 409, text="not yet")
        await caller.saw("CSeq: 2 ACK")
        await api.post(f"/legs/{leg}/rtt", 200, text="now")
        await processes.until(lambda: peer.heard == b"now", 5)
        (port,) = re.findall(r"m=text (\d+) RTP/AVP 98\r?\na=rtpmap", caller.messages)[-1:]
        peer.send(int(port), ["\ufeff", "one", "two", None, "four\b"])
        await events.wait("rtt.received", lambda e: read(events, leg) == "onetwo\ufffdfour\b")
        lossy = [e["loss_marker"] for e in events.of(leg, "rtt.received")]
        assert lossy == [*[False] * (len(lossy) - 1), True]
        await caller.saw("CSeq: 3 ACK")
        await api.post(f"/legs/{leg}/rtt", 409, text="no more")
        assert int(port) not in processes.udp_ports(server.pid)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await caller.succeeded()
    transport.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"RTT_ENABLED": "false"},
        {"RTP_PORT_MIN": "29000", "RTP_PORT_MAX": "29001"},
    ],
)
async def test_a_server_without_text(tmp_path: Path, settings: dict[str, str]) -> None:
    """Text is refused alone, whether the server wants none or has no ports for it."""
    running = Server(tmp_path, **settings)
    try:
        running.start()
        async with (
            api_of(running.url) as api,
            events_of(running.url) as told,
            linphone(tmp_path / "alice") as alice,
        ):
            if "RTT_ENABLED" in settings:
                refused = await api.post("/legs", 400, type="sip", to=alice.uri, rtt=True)
                assert refused["error"].startswith("rtt: ")
            await alice.do(dial=f"sip:room@127.0.0.1:{running.sip_port}")
            leg = (await told.wait("leg.ringing"))["leg_id"]
            await api.post(f"/legs/{leg}/answer", 202)
            await told.wait("leg.connected", leg_id=leg)
            await alice.reaches(RUNNING)
            refused = await api.post(f"/legs/{leg}/rtt", 409, text="x")
            assert "not negotiated" in refused["error"]
            await alice.do(hang_up=True)
            await told.ended(leg)
        running.stop()
    finally:
        running.close()
