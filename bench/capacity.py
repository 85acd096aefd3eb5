"""Cost, lateness and latency of N calls through the whole server, beside the floor.

    python -m bench.capacity                      all sizes
    python -m bench.capacity --legs 500 --seconds 20
    python -m bench.capacity --legs 500 --rooms 2 --codec PCMU,opus --srtp clear,AEAD_AES_128_GCM

The load runs in a process of its own. Figures are processor microseconds per leg-second: what one
call costs for one second of talking and hearing (50 packets in, 50 out).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .clock import let_pass
from .payloads import CLEAR
from .processes import Helper, children, cpu_seconds, helper
from .server import Server

WARM_UP = 10.0
"""Seconds of talk before anything is measured: all phones begin in the same instant, and what that
stalls is made up for within a few seconds."""


@dataclass(frozen=True)
class Figures:
    """One row of the table."""

    what: str
    codec: str
    suite: str
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


def options() -> argparse.ArgumentParser:
    """What may be asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--legs", default="50,200,500,1000", help="comma-separated")
    parser.add_argument("--seconds", type=float, default=10.0, help="measured time per row")
    parser.add_argument("--rooms", default="2,50", help="room sizes; comma-separated")
    parser.add_argument("--rate", type=int, default=16000, help="the rooms' sampling rate in Hz")
    parser.add_argument("--codec", default="PCMU", help="comma-separated")
    parser.add_argument("--srtp", default=CLEAR, help=f"suites, comma-separated; or {CLEAR}")
    parser.add_argument("--repeat", type=int, default=1, help="rounds; the last rows are medians")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    return parser


def main() -> None:
    """Run the measurements asked for."""
    arguments = options().parse_args()
    rows: list[Figures] = []
    print(HEADER)
    for _ in range(arguments.repeat):
        measured: list[Figures] = []
        for case in cases(arguments):
            measured.append(case.measure(arguments.seconds))
            print(line(measured[-1], measured), flush=True)
        rows += measured
    if arguments.repeat > 1:
        print("medians")
        rows = medians(rows)
        for row in rows:
            print(line(row, rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


@dataclass(frozen=True)
class Case:
    """What a row measures: ``room`` 0 is the floor."""

    legs: int
    codec: str
    room: int = 0
    rate: int = 0
    suite: str = CLEAR

    @property
    def name(self) -> str:
        """What its row is called."""
        if not self.room:
            return "floor"
        return f"rooms of {self.room} at {self.rate // 1000} kHz"

    def measure(self, seconds: float) -> Figures:
        """Run it for this long after the warm-up."""
        return server(self, seconds) if self.room else floor(self, seconds)


def cases(arguments: argparse.Namespace) -> Iterator[Case]:
    """What was asked for; per size and codec the floor first, in the clear before secured."""
    for legs, codec in itertools.product(map(int, _list(arguments.legs)), _list(arguments.codec)):
        yield Case(legs, codec)
        for room, suite in itertools.product(
            map(int, _list(arguments.rooms)), _list(arguments.srtp)
        ):
            if room > 2 and legs != 50 and room * 10 != legs:
                continue  # one room of 50, and ten of them
            yield Case(legs, codec, room, arguments.rate, suite)


def _list(text: str) -> list[str]:
    return [each for each in text.split(",") if each]


def medians(rows: list[Figures]) -> list[Figures]:
    """One row for all of the same case."""
    same: dict[tuple[object, ...], list[Figures]] = {}
    for row in rows:
        same.setdefault((row.what, row.codec, row.suite, row.legs), []).append(row)
    numbers = [field.name for field in fields(Figures) if field.type == "float"]
    return [
        replace(some[0], **{n: statistics.median(getattr(row, n) for row in some) for n in numbers})
        for some in same.values()
    ]


HEADER = (
    f"{'':36}{'':6}{'':24}{'legs':>5} {'media':>7} {'server':>7} {'x floor':>8} {'x clear':>8} "
    f"{'load':>7} "
    f"{'late %':>7} {'timer %':>8} {'p50 ms':>7} {'p99 ms':>7} {'heard %':>8} {'KiB/leg':>8}\n"
    f"{'':66}{'':5} {'us/leg-second':>15} {'(media)':>8} {'(server)':>8}"
)


def line(row: Figures, rows: list[Figures]) -> str:
    """One row as text, beside the floor and the same in the clear among ``rows``."""
    alike = [r for r in rows if (r.legs, r.codec) == (row.legs, row.codec) and r is not row]
    floors = [r.us_media for r in alike if r.what == "floor"]
    clear = [r.us_server for r in alike if (r.what, r.suite) == (row.what, CLEAR)]
    floored = f"{row.us_media / floors[-1]:8.2f}" if floors else f"{'':8}"
    secured = f"{row.us_server / clear[-1]:8.2f}" if clear and row.suite != CLEAR else f"{'':8}"
    return (
        f"{row.what:36}{row.codec:6}{row.suite:24}{row.legs:5} {row.us_media:7.0f} "
        f"{row.us_server:7.0f} {floored} {secured} "
        f"{row.us_generator:7.0f} {row.late * 100:7.2f} {row.timer_late * 100:8.2f} "
        f"{row.p50_ms:7.1f} {row.p99_ms:7.1f} {row.delivered * 100:8.2f} {row.kib_per_leg:8.1f}"
    )


def floor(case: Case, seconds: float) -> Figures:
    """The same packets through a bare socket loop."""
    with helper("bench.floor", str(case.legs)) as echo:
        ports = [str(port) for port in echo.hear()["ports"]]
        arguments = [str(case.legs), "1", str(WARM_UP), str(seconds), case.codec, CLEAR, *ports]
        with helper("bench.generator", *arguments) as load, helper("bench.timer") as timer:
            load.hear()
            used, report, ticks, late = _measure(load, timer, [echo.pid], seconds)
    return _figures(case, seconds, used, report, ticks, late, 0.0)


def server(case: Case, seconds: float) -> Figures:
    """The whole server, called over SIP."""
    legs, room = case.legs, case.room
    with tempfile.TemporaryDirectory() as folder:
        running = Server(
            Path(folder),
            RTP_TIMEOUT="3600",  # phones are silent until all are called
        )
        srtp = "off" if case.suite == CLEAR else "required"
        called = {"codecs": [case.codec], "srtp": srtp}
        try:
            before = running.memory()
            arguments = [str(legs), str(room), str(WARM_UP), str(seconds), case.codec, case.suite]
            with helper("bench.generator", *arguments) as load, helper("bench.timer") as timer:
                port = load.hear()["port"]
                asyncio.run(running.call(legs, room, case.rate, port, **called))
                load.hear()
                memory = (running.memory() - before) / legs / 1024
                pids = [*children(running.pid), running.pid]
                used, report, ticks, late = _measure(load, timer, pids, seconds, running.ticks)
        finally:
            running.stop()
    return _figures(case, seconds, used, report, ticks, late, memory)


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
    let_pass(WARM_UP)
    pids = [*pids, load.pid]
    before, ticks_before = [cpu_seconds(pid) for pid in pids], ticks()
    let_pass(seconds)
    used = [cpu_seconds(pid) - start for pid, start in zip(pids, before, strict=True)]
    late = tuple(after - start for after, start in zip(ticks(), ticks_before, strict=True))
    report = load.hear()
    timer.tell(stop=True)
    return used, report, timer.hear(), late


def _figures(
    case: Case,
    seconds: float,
    used: list[float],
    report: dict[str, Any],
    timer: dict[str, Any],
    ticks: tuple[float, ...],
    memory: float,
) -> Figures:
    latencies = sorted(report["latencies_ms"]) or [float("nan")]
    per_leg = 1e6 / case.legs / seconds
    return Figures(
        what=case.name,
        codec=case.codec,
        suite=case.suite,
        legs=case.legs,
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
