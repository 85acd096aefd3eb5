"""Sessions against sockets made for the test."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hookswitch.media.plane import MediaPlane
from hookswitch.mixer.options import EngineOptions
from hookswitch.websocket.outbox import Outbox
from hookswitch.websocket.session import Counters, Ending, Patience, Session
from hookswitch.websocket.socket import Message, SocketClosed

RATE = 48000


class Plain:
    """The simplest dialect."""

    def pack_frame(self, pcm: bytes) -> Message:
        return pcm

    def pack_ping(self, number: int) -> Message:
        return f"ping {number}"


class ToySocket:
    """Reads nothing and says nothing, unless told to."""

    def __init__(self, reads: bool = True) -> None:
        self.sent: list[Message] = []
        self.taken: asyncio.Queue[Message] = asyncio.Queue()
        self.incoming: asyncio.Queue[Message | SocketClosed] = asyncio.Queue()
        self.last_seen = math.inf
        self.pings = 0
        self.end: tuple[int, str] | str | None = None
        self._reads = asyncio.Event()
        if reads:
            self._reads.set()

    async def receive(self) -> Message:
        message = await self.incoming.get()
        if isinstance(message, SocketClosed):
            raise message
        return message

    async def send(self, message: Message) -> None:
        await self._reads.wait()
        self.sent.append(message)
        self.taken.put_nowait(message)

    async def ping(self) -> None:
        self.pings += 1

    async def close(self, code: int, why: str) -> None:
        self.end = (code, why)

    def abort(self) -> None:
        self.end = "aborted"


@pytest_asyncio.fixture
async def media() -> AsyncIterator[MediaPlane]:
    media = MediaPlane(0, EngineOptions(comfort_noise=False))
    media.start()
    yield media
    await media.stop()


def session(patience: Patience | None = None) -> Session:
    return Session(Plain(), RATE, Ending(), patience or Patience(), Counters())


async def run(session: Session, socket: ToySocket) -> str:
    async with asyncio.timeout(10):
        reason = await session.run(socket, lambda message: None)
    await session.close(socket)
    return reason


async def test_a_peer_that_does_not_read_is_left_after_its_backlog(media: MediaPlane) -> None:
    slow = session(Patience(backlog=0.2))
    await slow.open(media, "p", lambda report: None)
    socket, begun = ToySocket(reads=False), time.monotonic()
    assert await run(slow, socket) == "peer_slow"
    assert 0.2 < time.monotonic() - begun < 2
    assert socket.end == "aborted"
    await media.close_port("p")


async def test_one_frame_per_message(media: MediaPlane) -> None:
    talk, socket = session(), ToySocket()
    await talk.open(media, "p", lambda report: None)
    running = asyncio.create_task(run(talk, socket))
    async with asyncio.timeout(10):
        for _ in range(5):
            await socket.taken.get()
    talk.ending.end("hangup")
    assert await running == "hangup"
    assert {len(message) for message in socket.sent} == {RATE // 50 * 2}
    assert socket.end == (1000, "hangup")
    await media.close_port("p")


async def test_a_silent_peer_times_out() -> None:
    socket = ToySocket()
    socket.last_seen = 0.0
    assert await run(session(Patience(0.01, 0.01)), socket) == "timeout"
    assert (socket.pings, socket.sent, socket.end) == (1, ["ping 1"], "aborted")


async def test_the_first_reason_counts() -> None:
    talk, socket = session(), ToySocket()
    talk.ending.end("api_hangup")
    talk.ending.end("timeout")
    assert await run(talk, socket) == "api_hangup"


async def test_a_closed_socket_gives_the_reason() -> None:
    socket = ToySocket()
    socket.incoming.put_nowait(SocketClosed.from_code(1006))
    assert await run(session(), socket) == "connection_reset"


async def test_a_receiver_that_fails_ends_its_own_session() -> None:
    talk, socket = session(), ToySocket()
    socket.incoming.put_nowait("boom")

    def receive(message: Message) -> None:
        raise RuntimeError("boom")

    assert await talk.run(socket, receive) == "server_error"
    await talk.close(socket)
    assert socket.end == (1011, "server_error")


async def test_replies_to_a_flood_are_dropped() -> None:
    counters = Counters()
    talk = Session(Plain(), 8000, Ending(), Patience(), counters)
    for _ in range(1000):
        talk.complain("x" * 1000)
    assert (counters.bad_messages, talk.ending.reason) == (1000, None)
    assert 0 < counters.dropped_replies < 1000


async def test_an_outbox_is_bounded() -> None:
    box = Outbox(10)
    assert box.put("x" * 50)  # something is always taken
    assert not box.put("x")
    assert box.crowded


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, "hangup"),
        (1001, "hangup"),
        (1005, "hangup"),
        (1012, "hangup"),
        (1006, "connection_reset"),
        (1002, "ws_error"),
        (1009, "ws_error"),
        (4000, "ws_error"),
    ],
)
def test_reasons(code: int, reason: str) -> None:
    assert SocketClosed.from_code(code).reason == reason
