"""Cost, lateness and latency of N calls through the whole server, beside the floor.

    python -m bench.capacity                      all sizes
    python -m bench.capacity --legs 500 --seconds 20

The load runs in a process of its own. Figures are processor microseconds per leg-second: what one
call costs for one second of talking and hearing (50 packets in, 50 out).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .processes import Helper, children, cpu_seconds, helper
from .server import Server

WARM_UP = 10.0
"""Seconds of talk before anything is measured: all phones begin in the same instant, and what that
stalls is made up for within a few seconds."""


@dataclass(frozen=True)
class Figures:
    """One row of the table."""

    what: str
    legs: int
    us_media: float
    us_server: float
    us_generator: float
    late: float
    timer_late: float
    p50_ms: float
    p99_ms: float
    delivered: float
    kib_per_leg: float


def main() -> None:
    """Run the measurements asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--legs", default="50,200,500,1000", help="comma-separated")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time per row")
    parser.add_argument("--rooms", default="2,50", help="room sizes; comma-separated")
    parser.add_argument("--rate", type=int, default=16000, help="the rooms' sampling rate in Hz")
    parser.add_argument(
        "--also",
        default="",
        help="comma-separated: prompts (a file is played to every leg), recordings (of every leg);"
        " a row each beside the same legs without",
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()
    sizes = [int(n) for n in arguments.legs.split(",")]
    rows: list[Figures] = []
    print(HEADER)
    for legs in sizes:
        rows.append(floor(legs, arguments.seconds))
        print(line(rows[-1]), flush=True)
        for room in (int(n) for n in arguments.rooms.split(",")):
            if room > 2 and legs != 50 and room * 10 != legs:
                continue  # one room of 50, and ten of them
            for also in ("", *filter(None, arguments.also.split(","))):
                rows.append(server(legs, room, arguments.rate, arguments.seconds, also))
                print(line(rows[-1], rows), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


HEADER = (
    f"{'':28}{'legs':>5} {'media':>7} {'server':>7} {'x floor':>8} {'load':>7} "
    f"{'late %':>7} {'timer %':>8} {'p50 ms':>7} {'p99 ms':>7} {'heard %':>8} {'KiB/leg':>8}\n"
    f"{'':28}{'':5} {'us/leg-second':>15} {'(media)':>8}"
)


def line(row: Figures, rows: list[Figures] | None = None) -> str:
    """One row as text."""
    floors = [r for r in rows or () if r.what == "floor" and r.legs == row.legs]
    ratio = f"{row.us_media / floors[-1].us_media:8.2f}" if floors else f"{'':8}"
    return (
        f"{row.what:28}{row.legs:5} {row.us_media:7.0f} {row.us_server:7.0f} {ratio} "
        f"{row.us_generator:7.0f} {row.late * 100:7.2f} {row.timer_late * 100:8.2f} "
        f"{row.p50_ms:7.1f} {row.p99_ms:7.1f} {row.delivered * 100:8.2f} {row.kib_per_leg:8.1f}"
    )


def floor(legs: int, seconds: float) -> Figures:
    """The same packets through a bare socket loop."""
    with helper("bench.floor", str(legs)) as echo:
        ports = [str(port) for port in echo.hear()["ports"]]
        arguments = [str(legs), "1", str(WARM_UP), str(seconds), *ports]
        with helper("bench.generator", *arguments) as load, helper("bench.timer") as timer:
            load.hear()
            used, report, ticks, late = _measure(load, timer, [echo.pid], seconds)
    return _figures("floor", legs, seconds, used, report, ticks, late, 0.0)


def server(legs: int, room: int, rate: int, seconds: float, also: str = "") -> Figures:
    """The whole server, called over SIP; ``also``: what else goes on, on every leg."""
    with tempfile.TemporaryDirectory() as folder:
        prompt = _prompt(Path(folder))
        asked = {"": [], "prompts": [("play", prompt)], "recordings": [("record", {})]}[also]
        running = Server(Path(folder), MEDIA_DIR=folder, RECORDING_DIR=f"{folder}/recordings")
        try:
            before = running.memory()
            arguments = [str(legs), str(room), str(WARM_UP), str(seconds)]
            with helper("bench.generator", *arguments) as load, helper("bench.timer") as timer:
                asyncio.run(running.call(legs, room, rate, load.hear()["port"], asked))
                load.hear()
                memory = (running.memory() - before) / legs / 1024
                pids = [*children(running.pid), running.pid]
                used, report, ticks, late = _measure(load, timer, pids, seconds, running.ticks)
        finally:
            running.stop()
    what = f"rooms of {room} at {rate // 1000} kHz" + (f", {also}" if also else "")
    return _figures(what, legs, seconds, used, report, ticks, late, memory)


def _prompt(folder: Path) -> dict[str, Any]:
    """Ten seconds of very quiet noise, so that latency can still be heard, played for ever."""
    noise = np.random.default_rng(1).integers(-8, 9, 80000).astype("<i2")
    with wave.open(str(folder / "prompt.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(noise.tobytes())
    url = (folder / "prompt.wav").as_uri()
    return {"url": url, "mime_type": "audio/wav", "repeat": -1}


def _measure(
    load: Helper,
    timer: Helper,
    pids: list[int],
    seconds: float,
    ticks: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0),
) -> tuple[list[float], dict[str, Any], dict[str, Any], tuple[float, ...]]:
    """Have the load run; answers what each process used (the load last), the reports, and how
    many ``ticks`` were late and were done, all after the warm-up."""
    load.tell(go=True)
    time.sleep(WARM_UP)
    pids = [*pids, load.pid]
    before, ticks_before = [cpu_seconds(pid) for pid in pids], ticks()
    time.sleep(seconds)
    used = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
    late = tuple(after - start for after, start in zip(ticks(), ticks_before, strict=True))
    report = load.hear()
    timer.tell(stop=True)
    return used, report, timer.hear(), late


def _figures(
    what: str,
    legs: int,
    seconds: float,
    used: list[float],
    report: dict[str, Any],
    timer: dict[str, Any],
    ticks: tuple[float, ...],
    memory: float,
) -> Figures:
    latencies = sorted(report["latencies_ms"]) or [float("nan")]
    per_leg = 1e6 / legs / seconds
    return Figures(
        what=what,
        legs=legs,
        us_media=(used[0] if len(used) == 2 else sum(used[:-2])) * per_leg,
        us_server=sum(used[:-1]) * per_leg,
        us_generator=used[-1] * per_leg,
        late=ticks[0] / max(ticks[1], 1),
        timer_late=timer["late"] / max(timer["ticks"], 1),
        p50_ms=statistics.median(latencies),
        p99_ms=latencies[int(len(latencies) * 0.99)],
        delivered=report["received"] / max(report["sent"], 1),
        kib_per_leg=memory,
    )


if __name__ == "__main__":
    main()
