"""What 500 detections at once cost a tick, beside the same engine without them.

Run: python -m bench.amd_cost [--legs 500]. The legs' ports are of a bank in memory that brings
noise; the engine is the real one. Numbers are medians over the ticks.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from hookswitch.mixer.bank import Bank, Frames, PortSpec
from hookswitch.mixer.commands import Command, Connect, OpenPort
from hookswitch.mixer.engine import Engine
from hookswitch.testing.memory_bank import MemoryBank
from hookswitch_amd.bank import AmdBank
from hookswitch_amd.limits import LONGEST_MS, Limits

TICKS = 300


class NoiseBank(MemoryBank):
    """All ports at once say the same noise."""

    def __init__(self, legs: int) -> None:
        super().__init__()
        self._noise = np.random.default_rng(1).normal(0, 300, (legs, 160)).astype(np.float32)

    def pull(self, inputs: Frames, now: float) -> None:
        inputs[8000][: len(self._noise)] = self._noise

    def push(self, outputs: Frames, now: float) -> None:
        """What is heard is dropped."""


def median_ms(legs: int, ears: int) -> float:
    """A tick of an engine with so many legs, and so many of them listened to."""
    banks: dict[str, Bank] = {"noise": NoiseBank(legs), "amd": AmdBank()}
    engine = Engine(banks.__getitem__)
    limits = Limits(*(5 * (LONGEST_MS,)), beep_timeout=0).params()
    opened: list[Command] = [OpenPort(PortSpec(f"leg {n}", 8000, "noise")) for n in range(legs)]
    for n in range(ears):
        opened.append(OpenPort(PortSpec(f"ear {n}", 8000, "amd", limits, speaks=False)))
        opened.append(Connect(f"leg {n}", f"ear {n}", "says"))
    engine.apply(opened)
    took = []
    for tick in range(TICKS):
        begun = time.perf_counter()
        engine.tick(tick * 0.02)
        took.append(time.perf_counter() - begun)
    return float(np.median(took[50:])) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--legs", type=int, default=500)
    legs = parser.parse_args().legs
    without, having = median_ms(legs, 0), median_ms(legs, legs)
    more = having - without
    print(f"{legs} legs: a tick takes {without:.2f} ms, with {legs} detections {having:.2f} ms")
    print(f"one detection: {more / legs * 1000:.1f} us a tick, {more / legs / 20:.3%} of a core")


if __name__ == "__main__":
    main()
