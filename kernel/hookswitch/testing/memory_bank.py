"""A bank in memory: tests say what each port says and read what it heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hookswitch.mixer.bank import (
    TICKS_PER_SECOND,
    BankError,
    Frames,
    PortReport,
    PortSpec,
    Samples,
    frame_samples,
)

Voice = Callable[[int, int], Samples]
"""(number of the frame since the port was opened, samples) -> that frame."""


def tone(frequency: float, level_dbfs: float = -12.0, rate: int = 8000) -> Voice:
    """A sine of ``frequency`` Hz whose peak is at ``level_dbfs`` below full scale."""
    peak = 32767.0 * 10 ** (level_dbfs / 20)

    def frame(number: int, samples: int) -> Samples:
        t = (number * samples + np.arange(samples)) / rate
        return (peak * np.sin(2 * np.pi * frequency * t)).astype(np.float32)

    return frame


def silence(number: int, samples: int) -> Samples:
    """Digital silence."""
    return np.zeros(samples, np.float32)


class MemoryBank:
    """Implements `hookswitch.mixer.bank.Bank` with plain arrays."""

    def __init__(self) -> None:
        self.voices: dict[str, Voice] = {}
        self.heard: dict[str, list[Samples]] = {}
        self.signals: list[tuple[str, Mapping[str, Any]]] = []
        self.refuse: set[str] = set()
        self._open: dict[str, tuple[PortSpec, int, int]] = {}
        self._pending: list[PortReport] = []

    def open(self, spec: PortSpec, row: int) -> None:
        if spec.id in self.refuse:
            raise BankError(f"{spec.id} is refused")
        self._open[spec.id] = (spec, row, 0)
        self.heard[spec.id] = []

    def update(self, port: str, params: Mapping[str, Any]) -> None:
        self.signals.append((port, params))

    def signal(self, port: str, message: Mapping[str, Any]) -> None:
        self.signals.append((port, message))

    def close(self, port: str) -> None:
        del self._open[port]

    def gather(self, now: float) -> None:
        """Memory need not be fetched."""

    def catch_up(self) -> None:
        """Nothing piles up here."""

    def pull(self, inputs: Frames, now: float) -> None:
        for name, (spec, row, number) in self._open.items():
            voice = self.voices.get(name, silence)
            inputs[spec.rate][row] = voice(number, frame_samples(spec.rate))
            self._open[name] = (spec, row, number + 1)

    def push(self, outputs: Frames, now: float) -> None:
        for name, (spec, row, _) in self._open.items():
            self.heard[name].append(outputs[spec.rate][row].copy())

    def report(self, report: PortReport) -> None:
        """Have the engine see a report at its next look."""
        self._pending.append(report)

    def reports(self) -> Sequence[PortReport]:
        pending, self._pending = self._pending, []
        return pending

    def shutdown(self) -> None:
        self._open.clear()

    def sound(self, port: str, seconds: float | None = None) -> Samples:
        """What a port heard, the last ``seconds`` or all of it."""
        frames = self.heard[port]
        if seconds is not None:
            frames = frames[-int(seconds * TICKS_PER_SECOND) :]
        return np.concatenate(frames)
