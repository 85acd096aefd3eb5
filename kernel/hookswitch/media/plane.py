"""The media plane: all engines of this server, as one mixer.

Rooms and ports are spread over the hosts; a port that joins a room elsewhere is moved there. What
listens to a port (an edge) lives beside it.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch.mixer.commands import (
    ClosePort,
    CloseRoom,
    Command,
    Join,
    OpenPort,
    OpenRoom,
    SetPort,
    SignalPort,
)
from hookswitch.mixer.topology import CommandError

from .host import Host, LocalHost, WorkerHost
from .ring_bank import RING_BANK
from .rings import Arena, ArenaShape, Pcm, RingReader, RingWriter, allocate

log = logging.getLogger(__name__)

OnReport = Callable[[PortReport], None]

_ARENA_ROWS = 64

OVERLOAD = 0.85
"""Share of its time a media worker may spend in ticks before new calls are refused."""


@dataclass(slots=True)
class _OpenArena:
    arena: Arena
    fd: int
    free: list[int]


class RingPort:
    """A port whose audio this process writes and reads: ``said`` by us, ``heard`` by us."""

    def __init__(self, spec: PortSpec, arena: Arena, row: int) -> None:
        self.spec = spec
        self._said, self._heard = RingWriter(arena, row), RingReader(arena, row)

    def write(self, pcm: Pcm) -> int:
        """Say int16 samples; answers how many fitted into the ring (one second)."""
        return self._said.write(pcm)

    def free(self) -> int:
        """Samples that fit now."""
        return self._said.free()

    def read(self) -> Pcm:
        """What was heard since the last call, int16."""
        return self._heard.read()


class MediaPlane:
    """Ports, rooms and edges of the whole server."""

    def __init__(self, workers: int, comfort_noise: bool, banks: tuple[str, ...] = ()) -> None:
        """``workers`` media workers, or with 0 one engine inside this process.

        ``banks`` are loaded before the first tick.
        """
        self._on_report: dict[str, OnReport] = {}
        self._on_heard: dict[str, Callable[[], None]] = {}
        self._arenas: dict[int, list[_OpenArena]] = {}
        self._rings: dict[str, tuple[_OpenArena, int]] = {}
        self._where: dict[str, Host] = {}
        self._rooms: dict[str, Host] = {}
        self.hosts: list[Host] = (
            [
                WorkerHost(f"media-{i}", self._report, self._tick, comfort_noise, banks)
                for i in range(workers)
            ]
            if workers
            else [LocalHost(self._report, self._tick, comfort_noise, banks)]
        )

    def start(self) -> None:
        """Start all engines."""
        for host in self.hosts:
            host.start()

    async def stop(self) -> None:
        """Close everything and end the workers."""
        for host in self.hosts:
            await host.stop()
        for arenas in self._arenas.values():
            for arena in arenas:
                os.close(arena.fd)
        self._arenas.clear()

    def overload(self) -> str | None:
        """Why no more calls should be taken, if that is so: ticks are about to be late."""
        loads = [host.load for host in self.hosts]
        if all(load > OVERLOAD for load in loads):
            return f"the media workers are overloaded ({min(loads):.0%} busy)"
        return None

    # -- ports

    async def open_port(
        self, spec: PortSpec, on_report: OnReport, *, near: str | None = None
    ) -> None:
        """Open a port, on the host of another one (``near``) or the least loaded.

        Raises CommandError. Descriptors stay the caller's, and must live as long as the port.
        """
        host = self._where[near] if near else min(self.hosts, key=lambda h: len(h.topology.ports))
        self._on_report[spec.id] = on_report
        self._where[spec.id] = host
        try:
            await host.apply([OpenPort(spec)])
        except CommandError:
            self._forget(spec.id)
            raise

    async def open_ring(
        self,
        port: str,
        rate: int,
        on_report: OnReport = lambda report: None,
        on_heard: Callable[[], None] | None = None,
        *,
        live: bool = True,
        jitter_ms: int = 0,
        near: str | None = None,
    ) -> RingPort:
        """Open a port of the ring bank.

        ``on_heard`` is called when there is something to read (about every 20 ms); without it
        nothing is heard. ``live`` as in `hookswitch.media.ring_bank.RingParams`.
        """
        arena, row = self._take_ring(rate)
        listens = on_heard is not None
        spec = PortSpec(
            port,
            rate,
            RING_BANK,
            {
                "arena": arena.arena.shape,
                "row": row,
                "live": live,
                "listens": listens,
                "jitter_ms": jitter_ms,
            },
            fds=(arena.fd,),
            comfort_noise=listens,
        )
        self._rings[port] = (arena, row)
        if on_heard is not None:
            self._on_heard[port] = on_heard
        await self.open_port(spec, on_report, near=near)
        return RingPort(spec, arena.arena, row)

    async def close_port(self, port: str) -> None:
        """Close a port; one that is closed already is no error."""
        host = self._where.get(port)
        if host is None:
            return
        if port in host.topology.ports:
            await host.apply([ClosePort(port)])
        self._forget(port)

    async def apply_to(self, port: str, *commands: Command) -> None:
        """Apply commands that concern this port's host. Raises CommandError."""
        host = self._where.get(port)
        if host is None:
            raise CommandError(f"no port {port}")
        await host.apply(commands)

    # -- rooms

    async def open_room(self, room: str, rate: int) -> None:
        """Open a room on the least loaded host."""
        host = min(self.hosts, key=lambda h: len(h.topology.ports) + len(h.topology.rooms))
        await host.apply([OpenRoom(room, rate)])
        self._rooms[room] = host

    async def close_room(self, room: str) -> None:
        """Close a room; its ports are then in none."""
        if (host := self._rooms.pop(room, None)) is not None:
            await host.apply([CloseRoom(room)])

    async def apply_to_room(self, room: str, *commands: Command) -> None:
        """Apply commands that concern this room's host. Raises CommandError."""
        await self._rooms[room].apply(commands)

    async def join(self, port: str, room: str, settings: SetPort) -> None:
        """Put a port into a room, with its mute, deaf and role, in one step.

        Raises CommandError, and then the port is where it was.
        """
        if port not in self._where or room not in self._rooms:
            raise CommandError(f"port {port} or room {room} has just gone")
        source, target = self._where[port], self._rooms[room]
        if source is target:
            await target.apply([settings, Join(port, room)])
            return
        before = source.topology.ports[port]
        spec, back = before.spec, source.topology.commands_of(port)
        settings = replace(settings, speech=before.speech, processor=before.processor)
        await source.apply([SignalPort(port, {"handover": True}), ClosePort(port)])
        self._where[port] = target
        try:
            await target.apply([OpenPort(spec), settings, Join(port, room)])
        except CommandError:
            self._where[port] = source
            await self._put_back(port, source, back)
            raise

    async def _put_back(self, port: str, host: Host, commands: Sequence[Command]) -> None:
        try:
            await host.apply(commands)
        except CommandError as error:
            self._report([PortReport(port, "closed", {"error": str(error)})])

    # -- within

    def _report(self, reports: Sequence[PortReport]) -> None:
        for report in reports:
            if (on_report := self._on_report.get(report.port)) is not None:
                try:
                    on_report(report)
                except Exception:
                    log.exception("handling %s of port %s", report.kind, report.port)

    def _tick(self) -> None:
        for port, on_heard in list(self._on_heard.items()):
            try:
                on_heard()
            except Exception:
                log.exception("handling what port %s heard", port)

    def _take_ring(self, rate: int) -> tuple[_OpenArena, int]:
        arenas = self._arenas.setdefault(rate, [])
        for arena in arenas:
            if arena.free:
                return arena, arena.free.pop()
        shape = ArenaShape(uuid.uuid4().hex, rate, _ARENA_ROWS)
        fd = allocate(shape)
        opened = _OpenArena(Arena(shape, fd), fd, list(range(_ARENA_ROWS - 1, -1, -1)))
        arenas.append(opened)
        return opened, opened.free.pop()

    def _forget(self, port: str) -> None:
        self._where.pop(port, None)
        self._on_report.pop(port, None)
        self._on_heard.pop(port, None)
        if (ring := self._rings.pop(port, None)) is not None:
            arena, row = ring
            arena.arena.clear(row)
            arena.free.append(row)
