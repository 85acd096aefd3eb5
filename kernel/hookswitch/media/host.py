"""Where an engine runs, as the control process sees it: a worker process, or inline.

A host keeps a topology of its own beside the engine's: the specification of all that should be
there, from which a restarted worker is given everything again.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from hookswitch.mixer.bank import PortReport
from hookswitch.mixer.commands import ClosePort, Command, OpenPort
from hookswitch.mixer.options import EngineOptions
from hookswitch.mixer.topology import CommandError, Topology

from .messages import Applied, Apply, Pulse, Reports, fds_of, with_fds
from .runner import EngineRunner
from .supervisor import Worker, WorkerSpec
from .worker import TARGET, Begin

OnReports = Callable[[Sequence[PortReport]], None]
OnTick = Callable[[], None]
OnPulse = Callable[[Pulse], None]


def _unseen(pulse: Pulse) -> None:
    """Nobody asks how the engine is doing."""


class Host(Protocol):
    """One engine's place."""

    topology: Topology
    pulse: Pulse | None

    @property
    def restarts(self) -> int:
        """How often the engine had to be started again."""

    @property
    def load(self) -> float:
        """Share of the last second spent in ticks, 0 to 1."""

    def start(self) -> None:
        """Begin to tick."""

    async def apply(self, batch: Sequence[Command]) -> None:
        """Have the engine apply a batch; raises CommandError, and then nothing has changed.

        Descriptors stay the caller's.
        """

    async def stop(self) -> None:
        """Close all ports and end."""


class LocalHost:
    """An engine on the event loop of this process."""

    def __init__(
        self,
        on_reports: OnReports,
        on_tick: OnTick,
        options: EngineOptions,
        banks: tuple[str, ...] = (),
        on_pulse: OnPulse = _unseen,
    ) -> None:
        self.topology = Topology()
        self.pulse: Pulse | None = None
        self._on_reports, self._on_pulse = on_reports, on_pulse
        self._runner = EngineRunner(on_tick, options, banks)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def load(self) -> float:
        return self.pulse.load if self.pulse else 0.0

    @property
    def restarts(self) -> int:
        """An engine in this process is never started again."""
        return 0

    def start(self) -> None:
        self._runner.clock.due = time.monotonic()
        self._schedule()

    async def apply(self, batch: Sequence[Command]) -> None:
        self.topology.apply(batch)
        try:
            own = [os.dup(fd) for fd in fds_of(batch)]
        except OSError as error:
            _take_back(self.topology, batch)
            raise CommandError(f"a descriptor cannot be passed on: {error}") from error
        refusal = self._runner.apply_batch(with_fds(batch, own))
        self._tell(self._runner.reports())
        if refusal is not None:
            _take_back(self.topology, batch)
            raise CommandError(refusal)

    async def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._runner.shutdown()

    def _tick(self) -> None:
        self._tell(self._runner.tick())
        self._schedule()

    def _tell(self, messages: Sequence[Reports | Pulse]) -> None:
        for message in messages:
            if isinstance(message, Reports):
                _drop_closed(self.topology, message.reports)
                self._on_reports(message.reports)
            else:
                self.pulse = message
                self._on_pulse(message)

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        delay = self._runner.clock.due - time.monotonic()
        self._timer = loop.call_later(max(delay, 0.0), self._tick)


class WorkerHost:
    """An engine in a media worker that is started again when it dies."""

    def __init__(
        self,
        name: str,
        on_reports: OnReports,
        on_tick: OnTick,
        options: EngineOptions,
        banks: tuple[str, ...] = (),
        on_pulse: OnPulse = _unseen,
    ) -> None:
        self.topology = Topology()
        self.pulse: Pulse | None = None
        self._on_reports, self._on_tick, self._on_pulse = on_reports, on_tick, on_pulse
        self._begin_with = Begin(options, banks)
        self._next_id = 0
        self._waiting: dict[int, tuple[Sequence[Command], asyncio.Future[None]]] = {}
        self._replayed: dict[int, Sequence[Command]] = {}
        self._tick_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._worker = Worker(
            WorkerSpec(name, TARGET),
            on_start=self._begin,
            on_message=self._hear,
            on_death=self._release_waiting,
        )

    @property
    def load(self) -> float:
        return self.pulse.load if self.pulse else 0.0

    @property
    def restarts(self) -> int:
        """How often the worker had to be started again."""
        return self._worker.restarts

    @property
    def pid(self) -> int | None:
        """The worker's process id."""
        return self._worker.pid

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._tick_fd, self._ticked)
        self._worker.start()

    async def apply(self, batch: Sequence[Command]) -> None:
        self.topology.apply(batch)
        if self._worker.pid is None:
            return  # the coming worker is given the whole topology
        self._next_id += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._worker.send(Apply(self._next_id, batch), fds_of(batch))
        except OSError as error:
            _take_back(self.topology, batch)
            raise CommandError(f"a descriptor cannot be passed on: {error}") from error
        self._waiting[self._next_id] = (batch, done)
        await done

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._tick_fd)
        await self._worker.stop()
        self._release_waiting()
        os.close(self._tick_fd)

    def _begin(self) -> None:
        self._worker.send(self._begin_with, [self._tick_fd])
        for batch in self.topology.snapshot():
            self._next_id += 1
            try:
                self._worker.send(Apply(self._next_id, batch), fds_of(batch))
            except OSError:  # its owner is about to close the port
                continue
            self._replayed[self._next_id] = batch

    def _release_waiting(self) -> None:
        """What was asked of a worker that died is part of what the next one is given."""
        self._replayed.clear()
        waiting, self._waiting = self._waiting, {}
        for _, done in waiting.values():
            if not done.done():
                done.set_result(None)

    def _hear(self, message: Any, fds: list[int]) -> None:
        if isinstance(message, Reports):
            _drop_closed(self.topology, message.reports)
            self._on_reports(message.reports)
        elif isinstance(message, Pulse):
            self.pulse = message
            self._on_pulse(message)
        elif isinstance(message, Applied):
            self._settle(message)

    def _settle(self, message: Applied) -> None:
        replayed = self._replayed.pop(message.id, None)
        batch, done = self._waiting.pop(message.id, (replayed or (), None))
        if message.error is not None:
            lost = _take_back(self.topology, batch)
            if replayed is not None:
                data = {"error": message.error}
                self._on_reports([PortReport(port, "closed", data) for port in lost])
        if done is None or done.done():
            return
        if message.error is None:
            done.set_result(None)
        else:
            done.set_exception(CommandError(message.error))

    def _ticked(self) -> None:
        os.eventfd_read(self._tick_fd)
        self._on_tick()


def _take_back(topology: Topology, batch: Sequence[Command]) -> list[str]:
    """Undo a batch the engine refused (it refuses only to open ports); answers those ports."""
    refused = [
        command.spec.id
        for command in batch
        if isinstance(command, OpenPort) and command.spec.id in topology.ports
    ]
    topology.apply([ClosePort(port) for port in refused])
    return refused


def _drop_closed(topology: Topology, reports: Sequence[PortReport]) -> None:
    """Forget the ports an engine closed by itself."""
    for report in reports:
        if report.kind == "closed" and report.port in topology.ports:
            topology.apply([ClosePort(report.port)])
