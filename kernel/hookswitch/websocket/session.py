"""A peer that speaks and hears over a WebSocket: a ring port at one end, a socket at the other.

How messages look is the dialect's business. What a session adds is the same for all: one message
per 20 ms frame, a bounded backlog, pings, and one end with one reason.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hookswitch.media.plane import MediaPlane, OnReport, RingPort
from hookswitch.mixer.bank import TICKS_PER_SECOND, frame_samples

from .outbox import Outbox
from .socket import Message, Socket, SocketClosed

log = logging.getLogger(__name__)

_CONTROL_ROOM = 1 << 16
"""Bytes of the backlog for messages that are no audio."""

_ABRUPT = frozenset({"timeout", "connection_reset", "peer_slow"})
"""Ends after which a close frame would not arrive."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a peer is waited for, in seconds."""

    ping_interval: float = 30.0
    ping_timeout: float = 10.0
    """After a ping, without any sign of life."""
    backlog: float = 5.0
    """Of audio the peer does not read."""


class Dialect(Protocol):
    """How one kind of peer wants its messages."""

    def pack_frame(self, pcm: bytes) -> Message:
        """20 ms of audio, int16 little-endian."""

    def pack_ping(self, number: int) -> Message:
        """A ping above the protocol's own."""


@dataclass(slots=True)
class Counters:
    """What was lost or refused over all sessions that share them."""

    bad_messages: int = 0
    dropped_samples: int = 0
    """Said faster than real time, beyond what the ring holds."""
    dropped_replies: int = 0


class Ending:
    """The end of something, with its reason: the first one given counts."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.reason: str | None = None

    def end(self, reason: str) -> None:
        if self.reason is None:
            self.reason = reason
            self._event.set()

    async def wait(self) -> str:
        await self._event.wait()
        return self.reason or ""


class Session:
    """One peer. `open` its port, then `run` until either side ends it, then `close`."""

    def __init__(
        self,
        dialect: Dialect,
        rate: int,
        ending: Ending,
        patience: Patience,
        counters: Counters,
    ) -> None:
        self.rate = rate
        self.ending = ending
        self._dialect, self._patience, self._counters = dialect, patience, counters
        self._frame = 2 * frame_samples(rate)
        per_second = TICKS_PER_SECOND * len(dialect.pack_frame(bytes(self._frame)))
        self._outbox = Outbox(int(patience.backlog * per_second) + _CONTROL_ROOM)
        self._port: RingPort | None = None
        self._running = False

    async def open(self, media: MediaPlane, port: str, on_report: OnReport) -> None:
        """Open the peer's port. Raises CommandError."""
        self._port = await media.open_ring(port, self.rate, on_report, self._heard)

    def say(self, pcm: bytes) -> None:
        """Audio of the peer: whole samples, of any length."""
        if self._port is not None:
            samples = np.frombuffer(pcm, "<i2")
            self._counters.dropped_samples += len(samples) - self._port.write(samples)

    def send(self, message: Message) -> None:
        """Queue a message; a peer that let too many pile up is ended."""
        if not self._outbox.put(message):
            self.ending.end("peer_slow")

    def reply(self, message: Message) -> None:
        """Queue an answer to the peer; one that asks faster than it reads gets none."""
        if self._outbox.crowded:
            self._counters.dropped_replies += 1
        else:
            self._outbox.put(message)

    def complain(self, message: Message) -> None:
        """Queue an answer to a message that could not be used, and count that."""
        self._counters.bad_messages += 1
        self.reply(message)

    async def run(self, socket: Socket, receive: Callable[[Message], None]) -> str:
        """Serve until the end; answers its reason. ``receive`` is given each message."""
        if self._port is not None:
            self._port.read()  # what was heard before there was anybody to hear it
        self._running = True
        parts = (
            lambda: self._read(socket, receive),
            lambda: self._outbox.run(socket.send),
            lambda: self._keep_alive(socket),
        )
        tasks = [asyncio.create_task(self._guarded(part)) for part in parts]
        try:
            return await self.ending.wait()
        finally:
            self._running = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self, socket: Socket) -> None:
        """Close the socket, as the end calls for."""
        reason = self.ending.reason or ""
        if reason in _ABRUPT:
            socket.abort()
        else:
            await socket.close(1011 if reason in ("ws_error", "server_error") else 1000, reason)

    def _heard(self) -> None:
        if not self._running or self._port is None:
            return
        audio = self._port.read().astype("<i2", copy=False).tobytes()
        for start in range(0, len(audio), self._frame):
            self.send(self._dialect.pack_frame(audio[start : start + self._frame]))

    async def _read(self, socket: Socket, receive: Callable[[Message], None]) -> None:
        try:
            while True:
                receive(await socket.receive())
        except SocketClosed as closed:
            self.ending.end(closed.reason)

    async def _keep_alive(self, socket: Socket) -> None:
        interval, timeout = self._patience.ping_interval, self._patience.ping_timeout
        await asyncio.sleep(interval)
        for number in itertools.count(1):
            asked = time.monotonic()
            self.send(self._dialect.pack_ping(number))
            await socket.ping()
            await asyncio.sleep(timeout)
            if socket.last_seen < asked:
                self.ending.end("timeout")
            await asyncio.sleep(max(interval - timeout, 0))

    async def _guarded(self, part: Callable[[], Awaitable[None]]) -> None:
        try:
            await part()
        except SocketClosed:
            pass  # the reading part learns why
        except Exception:
            log.exception("a WebSocket session failed")
            self.ending.end("server_error")
