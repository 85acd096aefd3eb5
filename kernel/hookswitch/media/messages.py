"""What the control process and a media worker say to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch.mixer.commands import Command, OpenPort


@dataclass(frozen=True, slots=True)
class Apply:
    """Control to worker: apply this batch, and say so under ``id``."""

    id: int
    batch: Sequence[Command]


@dataclass(frozen=True, slots=True)
class Applied:
    """Worker to control: the batch was applied, or (``error``) nothing of it was."""

    id: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Reports:
    """Worker to control: what banks and engine noticed."""

    reports: Sequence[PortReport]


@dataclass(frozen=True, slots=True)
class Pulse:
    """Worker to control, once a second: how it is doing since it started.

    ``late``: ticks begun more than 5 ms after their time; ``skipped``: ticks given up because the
    worker was more than 100 ms behind; ``worst_ms``: the greatest lateness of this second;
    ``busy_s``: time spent in ticks; ``load``: the share of the last second spent so; ``cpu_s``:
    processor time of the process.
    """

    ticks: int
    late: int
    skipped: int
    worst_ms: float
    busy_s: float
    load: float
    cpu_s: float
    ports: int


def with_fds(batch: Sequence[Command], fds: Sequence[int]) -> list[Command]:
    """The batch with these descriptors in place of those its ports name, in order."""
    left = list(fds)
    renewed: list[Command] = []
    for command in batch:
        if isinstance(command, OpenPort):
            count = len(command.spec.fds)
            command = OpenPort(replace(command.spec, fds=tuple(left[:count])))
            del left[:count]
        renewed.append(command)
    return renewed


def fds_of(batch: Sequence[Command]) -> list[int]:
    """The descriptors a batch names, in order."""
    specs: list[PortSpec] = [c.spec for c in batch if isinstance(c, OpenPort)]
    return [fd for spec in specs for fd in spec.fds]
