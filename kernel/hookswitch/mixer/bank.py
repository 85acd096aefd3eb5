"""What the engine asks of a bank: the implementation of many ports at once.

Audio inside the engine is float32 in the scale of 16-bit PCM (full scale is ±32768), one row per
port, one matrix per sampling rate. A frame is 20 ms: 160 samples at 8 kHz, 960 at 48 kHz.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TICK_MS = 20
"""Length of a tick in milliseconds."""

TICKS_PER_SECOND = 1000 // TICK_MS

PORT_RATES = (8000, 16000, 24000, 48000)
"""Sampling rates a port may have, in Hz."""

ROOM_RATES = (8000, 16000, 48000)
"""Sampling rates a room may have, in Hz."""

FULL_SCALE = 32768.0

Samples = NDArray[np.float32]
Frames = Mapping[int, Samples]
"""Rate in Hz -> float32 matrix of shape (rows, rate // 50)."""


def frame_samples(rate: int) -> int:
    """Samples of one 20 ms frame at ``rate`` Hz."""
    return rate // TICKS_PER_SECOND


class BankError(Exception):
    """A bank cannot open or change a port; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class PortSpec:
    """Everything needed to open a port, now or again after a media worker died.

    ``bank`` names the bank's class as ``module:Class``; all ports that name the same class live in
    one instance per engine. ``params`` is the bank's own and must be picklable. ``fds`` are open
    descriptors (sockets, shared memory) that travel to the media worker beside the command: the
    sender keeps its own, the bank owns the ones it is given and closes them with the port.

    An *ear* (``speaks`` is false) says nothing: its bank leaves its input row alone, and a room is
    not mixed at a higher rate on its account.
    """

    id: str
    rate: int
    bank: str
    params: Mapping[str, Any] = field(default_factory=dict)
    fds: tuple[int, ...] = ()
    comfort_noise: bool = True
    speaks: bool = True


@dataclass(frozen=True, slots=True)
class PortReport:
    """Something a bank or the engine noticed at a port: an edge, never a frame.

    ``kind`` is a word such as ``digit``, ``stats``, ``media_timeout``, ``closed``; ``data`` holds
    its plain values.
    """

    port: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Bank(Protocol):
    """Many ports of one kind. All methods run on the engine's thread and never block."""

    def open(self, spec: PortSpec, row: int) -> None:
        """Add a port whose audio is row ``row`` of the matrices of ``spec.rate``.

        Raises BankError when it cannot; nothing is then left open, the given descriptors included.
        """

    def update(self, port: str, params: Mapping[str, Any]) -> None:
        """Change lasting parameters of an open port (merged into its specification)."""

    def signal(self, port: str, message: Mapping[str, Any]) -> None:
        """Do something once (send a digit, say): not repeated after a worker's restart."""

    def close(self, port: str) -> None:
        """Remove a port and release all it holds. Its row may be given to another at once."""

    def gather(self, now: float) -> None:
        """A tick is near: fetch what has arrived, so that `pull` need not take the time.

        May be left out before a tick that is late.
        """

    def pull(self, inputs: Frames, now: float) -> None:
        """Write this tick's 20 ms into the input rows of all ports, silence included."""

    def catch_up(self) -> None:
        """The clock stood still and gave up ticks: skip what piled up of live audio meanwhile."""

    def push(self, outputs: Frames, now: float) -> None:
        """Take this tick's 20 ms from the output rows of all ports.

        Samples are within ±32767 and not yet rounded.
        """

    def reports(self) -> Sequence[PortReport]:
        """Hand over, and forget, what was noticed since the last call."""

    def shutdown(self) -> None:
        """Close all ports; the engine ends."""
