"""Connections: split and merged messages, garbage, limits, reuse, and their end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from hookswitch_transport_sip.signalling.connections import Connections, Limits
from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.events import Failed, InviteReceived
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.uri import Uri

from .conftest import PATIENCE, station

US = NameAddr(Uri.parse("sip:us@127.0.0.1"))


def options(number: int, via: str = "127.0.0.1:5999") -> bytes:
    return (
        "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/TCP {via};branch=z9hG4bK{number}\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:a@127.0.0.1>\r\n"
        f"Call-ID: {number}\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()


class Peer:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def hears(self) -> bytes:
        """The next message, up to the end of its header fields."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def is_closed(self) -> bytes:
        """What comes before the end of the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_messages_may_be_split_and_merged() -> None:
    async with station() as running, connected(running.port()) as peer:
        data = b"".join(options(n) for n in range(1, 6))
        for start in range(0, len(data), 211):
            peer.say(data[start : start + 211])
            await asyncio.sleep(0)
        for n in range(1, 6):
            answer = await peer.hears()
            assert answer.startswith(b"SIP/2.0 200")
            assert b"CSeq: %d OPTIONS" % n in answer


async def test_a_ping_is_answered() -> None:
    async with station() as running, connected(running.port()) as peer:
        peer.say(b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await peer.reader.readexactly(2) == b"\r\n"
        peer.say(b"\r\n" + options(1))
        assert (await peer.hears()).startswith(b"SIP/2.0 200")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (options(1).replace(b"Content-Length: 0\r\n", b""), b"SIP/2.0 400"),
        (options(1).replace(b"Length: 0", b"Length: 65536"), b"SIP/2.0 513"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        (b"x" * 40_000, b""),
    ],
)
async def test_what_cannot_be_framed_ends_the_connection(data: bytes, status: bytes) -> None:
    async with station() as running, connected(running.port()) as peer:
        peer.say(data)
        assert (await peer.is_closed()).startswith(status)
        await running.counted("malformed")


async def test_a_bad_message_that_can_be_framed_does_not() -> None:
    async with station() as running, connected(running.port()) as peer:
        peer.say(options(1).replace(b"70", b"xx") + options(2))
        assert (await peer.hears()).startswith(b"SIP/2.0 400")
        assert (await peer.hears()).startswith(b"SIP/2.0 200")


async def test_too_many_connections_are_refused() -> None:
    async with (
        station(sip_max_connections=2) as running,
        connected(running.port()) as first,
        connected(running.port()) as second,
    ):
        for number, peer in enumerate((first, second), 1):
            peer.say(options(number))
            await peer.hears()
        async with connected(running.port()) as third:
            assert await third.is_closed() == b""
        first.say(options(3))
        await first.hears()
        assert running.signalling.counters["connections_refused"] == 1


async def test_a_call_over_an_alias_opens_no_connection() -> None:
    """The peer listens nowhere; its Via says that its connection may be used."""
    async with station() as running, connected(running.port()) as peer:
        host, port = peer.writer.get_extra_info("sockname")
        peer.say(options(1, f"{host}:{port + 1};alias"))
        await peer.hears()
        target = Uri.parse(f"sip:x@{host}:{port + 1};transport=tcp")
        running.agent.invite(target, US, b"v=0\r\n", running.signalling.now())
        running.signalling.settle()
        invite = await peer.hears()
        assert invite.startswith(b"INVITE sip:x@")
        assert b";alias" in invite


async def test_the_connection_we_opened_is_used_again() -> None:
    accepted = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(Peer(reader, writer))
        news.set()

    news = asyncio.Event()
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, station() as running:
        for _ in range(3):
            target = Uri.parse(f"sip:x@127.0.0.1:{port};transport=tcp")
            running.agent.invite(target, US, b"v=0\r\n", running.signalling.now())
            running.signalling.settle()
        async with asyncio.timeout(PATIENCE):
            await news.wait()
        (peer,) = accepted
        for _ in range(3):
            assert (await peer.hears()).startswith(b"INVITE")
            await peer.reader.readexactly(5)
        peer.writer.close()
        failed = await running.event(Failed)
        assert (failed.status, failed.local) == (503, True)
        await peer.writer.wait_closed()


async def test_a_response_finds_its_way_after_the_connection_is_gone() -> None:
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers.put_nowait(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, station() as running:
        async with connected(running.port()) as peer:
            invite = options(1, f"127.0.0.1:{port}").replace(b"OPTIONS", b"INVITE")
            peer.say(invite.replace(b"Max-", b"Contact: <sip:x@127.0.0.1>\r\nMax-"))
            event = await running.event(InviteReceived)
        await running.counted("connections_lost")
        event.call.ring(running.signalling.now())
        running.signalling.settle()
        async with asyncio.timeout(PATIENCE):
            assert (await answers.get()).startswith(b"SIP/2.0 180")
        event.call.reject(480, running.signalling.now())


# -- connections by themselves


class Recorder:
    """Whom connections serve, with what they told."""

    def __init__(self, *, relies: bool = False) -> None:
        self.messages: list[bytes] = []
        self.left: list[tuple[bytes, Hop]] = []
        self.failures: asyncio.Queue[Hop] = asyncio.Queue()
        self.losses: asyncio.Queue[Hop] = asyncio.Queue()
        self.relies = relies
        self.asked = asyncio.Queue[Hop]()

    def received(self, data: bytes, hop: Hop) -> None:
        self.messages.append(data)

    def sent(self, data: bytes, hop: Hop) -> None:
        self.left.append((data, hop))

    def broken(self, data: bytes, error: ParseError, hop: Hop) -> None:
        raise AssertionError(error)

    def failed(self, hop: Hop) -> None:
        self.failures.put_nowait(hop)

    def lost(self, hop: Hop) -> None:
        self.losses.put_nowait(hop)

    def relies_on(self, hop: Hop) -> bool:
        self.asked.put_nowait(hop)
        return self.relies


@asynccontextmanager
async def connections(recorder: Recorder, limits: Limits) -> AsyncIterator[tuple[Connections, int]]:
    bound = socket.create_server(("127.0.0.1", 0))
    table = Connections(recorder, limits, ["127.0.0.1"], None)
    await table.listen(bound, "TCP")
    try:
        yield table, bound.getsockname()[1]
    finally:
        await table.close()
        assert len(table) == 0


async def failure(recorder: Recorder) -> Hop:
    async with asyncio.timeout(PATIENCE):
        return await recorder.failures.get()


async def test_who_says_nothing_is_let_go() -> None:
    limits = Limits(first_message=0.05, sweep=0.02)
    async with connections(Recorder(), limits) as (_, port), connected(port) as peer:
        peer.say(options(1)[:-5])
        assert await peer.is_closed() == b""


@pytest.mark.parametrize("relies", [False, True])
async def test_an_idle_connection_is_closed_unless_a_call_needs_it(relies: bool) -> None:
    recorder = Recorder(relies=relies)
    limits = Limits(idle_timeout=0.05, sweep=0.02)
    async with connections(recorder, limits) as (table, port), connected(port) as peer:
        peer.say(options(1))
        if relies:
            for _ in range(3):
                assert (await recorder.asked.get()).flow
            assert len(table) == 1
        else:
            assert await peer.is_closed() == b""
        assert recorder.messages == [options(1)]


async def test_our_own_connections_show_life() -> None:
    """A peer that answers our pings is never taken for one that pings."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(options(1)))
        for _ in range(3):
            heard.put_nowait(await reader.read(100))
            writer.write(b"\r\n")
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, connections(Recorder(), Limits(ping=0.05, sweep=0.02)) as (table, _):
        table.send(options(1), Hop("127.0.0.1", port, "TCP"))
        async with asyncio.timeout(PATIENCE):
            for _ in range(3):
                assert await heard.get() == b"\r\n\r\n"


async def test_a_peer_that_does_not_read_is_given_up() -> None:
    held = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1024)
    port = server.sockets[0].getsockname()[1]
    recorder = Recorder()
    hop = Hop("127.0.0.1", port, "TCP")
    async with server, connections(recorder, Limits()) as (table, _):
        large = b"x" * 60_000
        while recorder.losses.empty():
            table.send(large, hop)
            await asyncio.sleep(0)
        assert (await recorder.losses.get()).flow
        for writer in held:
            writer.transport.abort()


async def test_a_connection_that_cannot_be_opened_in_time_fails() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]  # the queue is full: SYNs get no answer
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        recorder = Recorder()
        async with connections(recorder, Limits(connect_timeout=0.1)) as (table, _):
            hop = Hop(*full.getsockname(), "TCP")
            table.send(options(1), hop)
            table.send(options(2), hop)
            assert await failure(recorder) == hop
            assert table.counters["connections_failed"] == 1
            assert recorder.left == []
        for one in waiting:
            one.close()


async def test_a_flow_that_ended_is_not_opened_again() -> None:
    recorder = Recorder()
    async with connections(recorder, Limits()) as (table, port):
        gone = Hop("127.0.0.1", port, "TCP", flow=77)
        table.send(options(1), gone)
        assert await failure(recorder) == gone
        assert len(table) == 0
        assert recorder.left == []


async def test_what_waits_for_a_connection_is_told_as_sent_when_there_is_one() -> None:
    recorder = Recorder()
    arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set_result(await reader.readexactly(2 * len(options(1))))
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    hop = Hop("127.0.0.1", server.sockets[0].getsockname()[1], "TCP")
    async with server, connections(recorder, Limits()) as (table, _):
        table.send(options(1), hop)
        table.send(options(2), hop)
        assert recorder.left == []
        async with asyncio.timeout(PATIENCE):
            assert await arrived == options(1) + options(2)
        assert recorder.left == [(options(1), hop), (options(2), hop)]


def descriptors() -> list[str]:
    """What this process has open."""
    found = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sorted(os.readlink(path) for path in found if os.path.lexists(path))


async def test_the_end_leaves_nothing() -> None:
    before = descriptors()
    tasks = asyncio.all_tasks()
    ended = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with station() as running, connected(running.port()) as peer:
            peer.say(options(1))
            await peer.hears()
            peer.say(options(2)[:50])
            for n in (port, 1):
                target = Uri.parse(f"sip:x@127.0.0.1:{n};transport=tcp")
                running.agent.invite(target, US, b"v=0\r\n", running.signalling.now())
            target = Uri.parse("sip:x@name.invalid")
            running.agent.invite(target, US, b"v=0\r\n", running.signalling.now())
            running.signalling.settle()
        assert await peer.is_closed() == b""
        await ended.wait()
    await server.wait_closed()
    assert asyncio.all_tasks() <= tasks | {asyncio.current_task()}
    assert descriptors() == before
