"""The media plane: all engines of this server, as one mixer.

Rooms and ports are spread over the hosts; a port that joins a room elsewhere is moved there. What
listens to a port (an edge) lives beside it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from hookswitch.mixer.options import EngineOptions
from hookswitch.mixer.topology import CommandError

from .host import Host, LocalHost, WorkerHost
from .messages import Pulse
from .playout_totals import PlayoutTotals
from .ring_bank import RING_BANK
from .rings import FRAMES, Arena, ArenaShape, Pcm, RingReader, RingWriter, allocate

log = logging.getLogger(__name__)

OnReport = Callable[[PortReport], None]

_ARENA_ROWS = 256
"""Rings that are served with one array operation. Memory that no ring uses is never touched."""

EAR_FRAMES = 2 * FRAMES
"""Frames the ring of an ear holds: who reads many of them comes seldom, and may have to be started
anew meanwhile."""

OVERLOAD = 0.85
"""Share of its time a media worker may spend in ticks before new calls are refused."""


def _unheard(report: PortReport) -> None:
    """What happens at this port is of no interest."""


@dataclass(slots=True)
class _OpenArena:
    arena: Arena
    fd: int
    free: list[int]


class RingPort:
    """A port whose audio this process writes and reads: ``said`` by us, ``heard`` by us.

    Or another process does: it is given ``shape`` and ``row``, and ``fd`` beside the message.
    """

    def __init__(self, spec: PortSpec, arena: Arena, row: int) -> None:
        self.spec = spec
        self.arena, self.row = arena, row
        self._said, self._heard = RingWriter(arena, row), RingReader(arena, row)

    @property
    def shape(self) -> ArenaShape:
        """What the ring's memory looks like."""
        return self.arena.shape

    @property
    def fd(self) -> int:
        """The ring's memory; stays the plane's."""
        return self.spec.fds[0]

    def write(self, pcm: Pcm) -> int:
        """Say int16 samples; answers how many fitted into the ring (one second)."""
        return self._said.write(pcm)

    def played(self) -> int:
        """Samples of what was said that the mixer has taken."""
        return int(self.arena.said_out[self.row])

    def heard(self) -> int:
        """Samples that were heard since the port was opened."""
        return int(self.arena.heard_in[self.row])

    def free(self) -> int:
        """Samples that fit now."""
        return self._said.free()

    def read(self) -> Pcm:
        """What was heard since the last call, int16."""
        return self._heard.read()


class MediaPlane:
    """Ports, rooms and edges of the whole server."""

    def __init__(self, workers: int, options: EngineOptions, banks: tuple[str, ...] = ()) -> None:
        """``workers`` media workers, or with 0 one engine inside this process.

        ``banks`` are loaded before the first tick.
        """
        self._on_report: dict[str, OnReport] = {}
        self._on_heard: dict[str, Callable[[], None]] = {}
        self._arenas: dict[tuple[int, int], list[_OpenArena]] = {}
        """By rate and the length of their rings."""
        self._rings: dict[str, tuple[_OpenArena, int]] = {}
        self._resting: dict[str, asyncio.TimerHandle] = {}
        """By port: rings that another process may still write to."""
        self._where: dict[str, Host] = {}
        self._rooms: dict[str, Host] = {}
        self.playout = PlayoutTotals()
        self.on_pulse: Callable[[int, Pulse], None] = lambda worker, pulse: None
        """Told once a second how each engine is doing."""
        self.hosts: list[Host] = [self._new_host(i, workers > 0, options, banks)
                                  for i in range(max(workers, 1))]  # fmt: skip

    def _new_host(
        self, number: int, apart: bool, options: EngineOptions, banks: tuple[str, ...]
    ) -> Host:
        def pulsed(pulse: Pulse) -> None:
            self.on_pulse(number, pulse)

        common = (self._report, self._tick, options, banks, pulsed)
        return WorkerHost(f"media-{number}", *common) if apart else LocalHost(*common)

    def start(self) -> None:
        """Start all engines."""
        for host in self.hosts:
            host.start()

    async def stop(self) -> None:
        """Close everything and end the workers."""
        for host in self.hosts:
            await host.stop()
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()
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
        self, spec: PortSpec, on_report: OnReport, *commands: Command, near: str | None = None
    ) -> None:
        """Open a port, on the host of another one (``near``) or the least loaded.

        ``commands`` are applied in the same batch. Raises CommandError. Descriptors stay the
        caller's, and must live as long as the port.
        """
        await self._open(self._host(near), [spec], on_report, commands)

    async def open_ring(
        self,
        port: str,
        rate: int,
        on_report: OnReport = _unheard,
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
        listens = on_heard is not None
        params = {"live": live, "listens": listens, "jitter_ms": jitter_ms}
        ring = self._take_ring(port, rate, params, comfort_noise=listens)
        if on_heard is not None:
            self._on_heard[port] = on_heard
        await self._open(self._host(near), [ring.spec], on_report)
        return ring

    async def open_voice(
        self,
        port: str,
        rate: int,
        on_report: OnReport,
        *commands: Command,
        near: str | None = None,
        room: str | None = None,
    ) -> RingPort:
        """Open a port that only speaks, ahead of time if it likes: a prompt, a synthesiser.

        ``commands`` (connect it, have it join) are applied in the same batch, on the host of
        another port (``near``) or of a room.
        """
        params = {"live": False, "listens": False}
        host = self._host(near, room)  # first: a ring that is taken is given back by its port's end
        ring = self._take_ring(port, rate, params, comfort_noise=False)
        await self._open(host, [ring.spec], on_report, commands)
        return ring

    async def open_ears(
        self,
        ports: Sequence[str],
        rate: int,
        on_report: OnReport,
        *commands: Command,
        near: str | None = None,
        room: str | None = None,
    ) -> list[RingPort]:
        """Open ports that only listen, to be read by another process, all from the same tick on."""
        params = {"live": False, "listens": True, "wakes": False}
        host = self._host(near, room)
        rings = [
            self._take_ring(
                port, rate, params, comfort_noise=False, speaks=False, frames=EAR_FRAMES
            )
            for port in ports
        ]
        specs = [ring.spec for ring in rings]
        await self._open(host, specs, on_report, commands)
        return rings

    def rate_of(self, port: str) -> int:
        """A port's sampling rate in Hz. Raises CommandError."""
        return self._host(port).topology.ports[port].spec.rate

    async def reopen_port(self, spec: PortSpec) -> None:
        """Close a port and open it as ``spec``, in its room and with all that is connected.

        Raises CommandError, and then the port is as it was.
        """
        host = self._host(spec.id)
        company, back = await self._take_away(spec.id, host)
        changed = [
            OpenPort(spec) if isinstance(c, OpenPort) and c.spec.id == spec.id else c for c in back
        ]
        try:
            await host.apply(changed)
        except CommandError:
            await self._put_back(company, host, back)
            raise

    async def close_port(self, port: str, *, rest: float = 0.0) -> None:
        """Close a port; one that is closed already is no error.

        Its ring is not given to another for ``rest`` seconds, in which the process that writes it
        may not yet have heard of the end.
        """
        host = self._where.get(port)
        if host is None:
            return
        if port in host.topology.ports:
            await host.apply([ClosePort(port)])
        self._forget(port, rest)

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

        What is connected with the port (a prompt it hears, a recorder's ears) goes with it when the
        room is elsewhere. Raises CommandError, and then the port is where it was.
        """
        if port not in self._where or room not in self._rooms:
            raise CommandError(f"port {port} or room {room} has just gone")
        source, target = self._where[port], self._rooms[room]
        if source is target:
            await target.apply([settings, Join(port, room)])
            return
        company, back = await self._take_away(port, source)
        there = [command for command in back if not isinstance(command, Join)]
        self._where.update(dict.fromkeys(company, target))
        try:
            await target.apply([*there, settings, Join(port, room)])
        except CommandError:
            self._where.update(dict.fromkeys(company, source))
            await self._put_back(company, source, back)
            raise

    async def _take_away(self, port: str, host: Host) -> tuple[list[str], list[Command]]:
        """Close a port and what is connected with it; answers these, and what opens them again."""
        company = host.topology.company_of(port)
        back = [c for name in company for c in host.topology.commands_of(name)]
        back += host.topology.relations_of(company)
        await host.apply(
            [SignalPort(name, {"handover": True}) for name in company]
            + [ClosePort(name) for name in company]
        )
        for name in company:
            self.playout.reopened(name)
        return company, back

    async def _put_back(self, ports: list[str], host: Host, commands: Sequence[Command]) -> None:
        try:
            await host.apply(commands)
        except CommandError as error:
            data = {"error": str(error)}
            self._report([PortReport(port, "closed", data) for port in ports])

    # -- within

    def _report(self, reports: Sequence[PortReport]) -> None:
        for report in reports:
            if report.kind == "stats":
                self.playout.add(report.port, report.data)
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

    def _host(self, near: str | None = None, room: str | None = None) -> Host:
        """The host of a port or of a room, or the least loaded. Raises CommandError."""
        if near is None and room is None:
            return min(self.hosts, key=lambda host: len(host.topology.ports))
        host = self._where.get(near) if near is not None else self._rooms.get(str(room))
        if host is None:
            raise CommandError(f"port {near} has just gone" if near else f"no room {room}")
        return host

    async def _open(
        self,
        host: Host,
        specs: Sequence[PortSpec],
        on_report: OnReport,
        commands: Sequence[Command] = (),
    ) -> None:
        for spec in specs:
            self._on_report[spec.id] = on_report
            self._where[spec.id] = host
            if spec.params.get("live", True):  # a prompt that runs out has merely ended
                self.playout.opened(spec.id)
        try:
            await host.apply([*(OpenPort(spec) for spec in specs), *commands])
        except CommandError:
            for spec in specs:
                self._forget(spec.id)
            raise

    def _take_ring(
        self,
        port: str,
        rate: int,
        params: Mapping[str, Any],
        *,
        comfort_noise: bool,
        speaks: bool = True,
        frames: int = FRAMES,
    ) -> RingPort:
        arena, row = self._take_row(rate, frames)
        self._rings[port] = (arena, row)
        place = {"arena": arena.arena.shape, "row": row}
        spec = PortSpec(
            port,
            rate,
            RING_BANK,
            {**place, **params},
            fds=(arena.fd,),
            comfort_noise=comfort_noise,
            speaks=speaks,
        )
        return RingPort(spec, arena.arena, row)

    def _take_row(self, rate: int, frames: int) -> tuple[_OpenArena, int]:
        arenas = self._arenas.setdefault((rate, frames), [])
        for arena in arenas:
            if arena.free:
                return arena, arena.free.pop()
        shape = ArenaShape(uuid.uuid4().hex, rate, _ARENA_ROWS, frames)
        fd = allocate(shape)
        opened = _OpenArena(Arena(shape, fd), fd, list(range(_ARENA_ROWS - 1, -1, -1)))
        arenas.append(opened)
        return opened, opened.free.pop()

    def _forget(self, port: str, rest: float = 0.0) -> None:
        self._where.pop(port, None)
        self.playout.forget(port)
        self._on_report.pop(port, None)
        self._on_heard.pop(port, None)
        if (ring := self._rings.pop(port, None)) is not None:
            if rest:
                loop = asyncio.get_running_loop()
                self._resting[port] = loop.call_later(rest, self._give_back, port, *ring)
            else:
                self._give_back(port, *ring)

    def _give_back(self, port: str, arena: _OpenArena, row: int) -> None:
        self._resting.pop(port, None)
        arena.arena.clear(row)
        arena.free.append(row)
