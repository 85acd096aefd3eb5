"""What prompts or recordings cost, beside the same calls without, switched on and off in turns.

    python -m bench.beside                      recordings, one prompt, own prompts
    python -m bench.beside --what recordings --rounds 6

One server, one load. Every round measures the calls alone, then with one more thing on every leg,
then alone again; its figure is the middle beside the mean of the outer ones, so that what the
machine does meanwhile cancels out. Processor microseconds per leg-second, as in `bench.capacity`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import tempfile
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .clock import let_pass
from .payloads import CLEAR
from .processes import children, cpu_seconds, helper, module_of
from .server import Server

WARM_UP = 10.0
SETTLE = 3.0
"""Seconds after a switch: files are opened and rings filled."""

RECORDINGS, SHARED, OWN = "recordings", "one prompt", "own prompts"


def main() -> None:
    """Run the measurements asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--what", default=f"{RECORDINGS},{SHARED},{OWN}", help="comma-separated")
    parser.add_argument("--legs", type=int, default=500)
    parser.add_argument("--rate", type=int, default=16000, help="the rooms' sampling rate in Hz")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measured span")
    arguments = parser.parse_args()
    for what in arguments.what.split(","):
        measure(what, arguments)


@dataclass
class Span:
    """Microseconds per leg-second in one span, by process; late ticks and all ticks."""

    used: dict[str, float] = field(default_factory=dict)
    late: float = 0.0
    ticks: float = 0.0

    @property
    def total(self) -> float:
        return sum(self.used.values())


def measure(what: str, arguments: argparse.Namespace) -> None:
    """Print a line for each round of one kind, and their median."""
    legs = arguments.legs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extra = Extra(what, folder, legs)
        running = Server(
            folder,
            MEDIA_DIR=name,
            RECORDING_DIR=f"{name}/recordings",
            RTP_TIMEOUT="3600",  # phones are silent until all are called
        )
        try:
            load_for = ("86400", "0", "PCMU", CLEAR)  # it is ended when all rounds are over
            with helper("bench.generator", str(legs), "2", *load_for) as load:
                port = load.hear()["port"]
                ids = asyncio.run(running.call(legs, 2, arguments.rate, port))
                load.hear()
                load.tell(go=True)
                let_pass(WARM_UP)
                _rounds(what, running, extra, ids, arguments)
        finally:
            running.stop()


def _rounds(
    what: str, running: Server, extra: Extra, ids: list[str], arguments: argparse.Namespace
) -> None:
    print(f"{len(ids)} calls, rooms of 2, {what} on every leg; us per leg-second")
    print(f"{'round':>7} {'alone':>8} {'with':>8} {'more':>8}   {'late %':>6}   by process")
    alone = _span(running, len(ids), arguments.seconds)
    ratios = []
    for number in range(arguments.rounds):
        begun = asyncio.run(running.ask(extra.requests(ids)))
        let_pass(SETTLE)
        more = _span(running, len(ids), arguments.seconds)
        asyncio.run(running.take_back(extra.ends(ids, begun)))
        extra.clear()
        let_pass(SETTLE)
        after = _span(running, len(ids), arguments.seconds)
        base = (alone.total + after.total) / 2
        ratios.append(more.total / base - 1)
        parts = ", ".join(
            f"{name} {more.used.get(name, 0) - (alone.used.get(name, 0) + used) / 2:+.0f}"
            for name, used in after.used.items()
        )
        late = more.late / max(more.ticks, 1)
        print(
            f"{number + 1:7} {base:8.0f} {more.total:8.0f} {ratios[-1]:+8.1%}   {late:6.2%}"
            f"   {parts}",
            flush=True,
        )
        alone = after
    print(f"median {'':17} {statistics.median(ratios):+8.1%}")


def _span(running: Server, legs: int, seconds: float) -> Span:
    """What the server's processes use in so many seconds."""
    pids = {pid: module_of(pid) for pid in [*children(running.pid), running.pid]}
    before, ticks = {pid: cpu_seconds(pid) for pid in pids}, running.ticks()
    let_pass(seconds)
    span = Span()
    for pid, name in pids.items():
        used = (cpu_seconds(pid) - before[pid]) * 1e6 / legs / seconds
        span.used[name] = span.used.get(name, 0.0) + used
    span.late, span.ticks = (now - then for now, then in zip(running.ticks(), ticks, strict=True))
    return span


class Extra:
    """What is switched on, and off again."""

    def __init__(self, what: str, folder: Path, legs: int) -> None:
        self._recordings = folder / "recordings"
        self._urls: list[str] = []
        if what in (SHARED, OWN):
            self._urls = _prompts(folder, legs if what == OWN else 1)
        elif what != RECORDINGS:
            raise SystemExit(f"--what is one of {RECORDINGS}, {SHARED}, {OWN}; not {what}")

    def requests(self, legs: list[str]) -> list[tuple[str, dict[str, Any]]]:
        """What is asked of each leg: paths and bodies."""
        if not self._urls:
            return [(f"/legs/{leg}/record", {}) for leg in legs]
        sound = {"mime_type": "audio/wav", "repeat": -1}
        both = zip(legs, itertools.cycle(self._urls), strict=False)
        return [(f"/legs/{leg}/play", {"url": url, **sound}) for leg, url in both]

    def ends(self, legs: list[str], begun: list[dict[str, Any]]) -> list[str]:
        """The paths whose deletion ends it."""
        if not self._urls:
            return [f"/legs/{leg}/record" for leg in legs]
        both = zip(legs, begun, strict=True)
        return [f"/legs/{leg}/play/{answer['playback_id']}" for leg, answer in both]

    def clear(self) -> None:
        """Delete what was recorded: the disk is not what is measured."""
        for file in self._recordings.glob("*.wav"):
            file.unlink()


def _prompts(folder: Path, files: int) -> list[str]:
    """URLs of so many files: ten seconds of faint noise, to be played for ever."""
    noise = np.random.default_rng(1)
    paths = [folder / f"prompt-{number}.wav" for number in range(files)]
    for path in paths:
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(noise.integers(-8, 9, 80000).astype("<i2").tobytes())
    return [path.as_uri() for path in paths]


if __name__ == "__main__":
    main()
