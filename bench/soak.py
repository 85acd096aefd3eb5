"""Many short calls, and whether the server is afterwards what it was before.

    python -m bench.soak                                10,000 calls each way, 100 a second
    python -m bench.soak --calls 1000 --direction in

SIPp calls over UDP, talks for a second and hangs up; an application answers over the event stream.
Then the server calls SIPp, which sends back what it hears, and the application hangs up. The server
is looked at while it is idle: at rest, after the first tenth of the calls, half-way, at the end.
The ladders of finished calls are kept for an hour by design, in an amount of memory that is set
here so low that it is full early. The status is 1 if a call failed, or if anything but memory is
not at the end what it was at rest; memory is for the reader to judge, from half-way to the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .clock import let_pass
from .processes import (
    bound_ports,
    children,
    descriptors,
    helper,
    proportional_bytes,
    threads,
)
from .server import Server
from .signalling import Outcome, call_from_sipp, sipp_callee

TALK = 1.0
"""Seconds SIPp talks in a call."""

QUIET = 45.0
"""Seconds after the last call until all it is remembered for is gone: transactions wait 32 s."""

STAGES = (0.1, 0.45, 0.45)
"""Parts of the calls that are made between two looks."""


@dataclass(frozen=True, slots=True)
class Look:
    """What an idle server has; processes in order of their ids, the control process first."""

    counts: dict[str, object]
    memory: tuple[int, ...]

    @classmethod
    def at(cls, server: Server) -> Look:
        names = {
            "legs": "hookswitch_active_legs",
            "ports of the mixer": "hookswitch_media_ports",
            "tasks": "hookswitch_tasks",
        }
        told = {what: int(server.metric(name)) for what, name in names.items()}
        let_pass(0.5)  # the connections of these requests are closed by then
        pids = [server.pid, *children(server.pid)]
        counts: dict[str, object] = {
            **told,
            "UDP ports": [bound_ports(pid) for pid in pids],
            "descriptors": [len(descriptors(pid)) for pid in pids],
            "threads": [threads(pid) for pid in pids],
            "processes": pids,
        }
        return cls(counts, tuple(proportional_bytes(pid) for pid in pids))


def main() -> int:
    """Soak the server; answers with the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--calls", type=int, default=10_000, help="each way")
    parser.add_argument("--rate", type=int, default=100, help="calls per second")
    parser.add_argument("--direction", choices=("in", "out", "both"), default="both")
    asked = parser.parse_args()
    jobs = {"in": inbound, "out": outbound}
    ways = jobs if asked.direction == "both" else {asked.direction: jobs[asked.direction]}
    clean = [soak(name, job, asked.calls, asked.rate) for name, job in ways.items()]
    return 0 if all(clean) else 1


Job = Callable[[Server, int, int], Outcome]
"""Makes so many calls at such a rate."""


def soak(name: str, job: Job, calls: int, rate: int) -> bool:
    """Make the calls and print what was found; tells whether all is as it was."""
    settings = {"SIP_AUTO_RINGING": "true", "SIP_LADDER_MEMORY_MB": "1"}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), **settings)
        try:
            job(server, 1, 1)  # what is made at first use is there from now on
            looks, outcomes = [look(server, None)], []
            for part in STAGES:
                outcomes.append(job(server, round(calls * part), rate))
                looks.append(look(server, looks[0]))
        finally:
            server.stop()
    total = Outcome(
        sum(outcome.successful for outcome in outcomes),
        sum(outcome.failed for outcome in outcomes),
        sum(outcome.retransmissions for outcome in outcomes),
    )
    return report(name, calls, total, looks)


def look(server: Server, rest: Look | None) -> Look:
    """Look at the server once it is quiet, and at the latest 45 seconds after that."""
    let_pass(QUIET)
    deadline = time.monotonic() + QUIET
    while True:
        seen = Look.at(server)
        if rest is None or seen.counts == rest.counts or time.monotonic() > deadline:
            return seen
        let_pass(1.0)  # until the next look: memory and ports come back by themselves


def inbound(server: Server, calls: int, rate: int) -> Outcome:
    """SIPp calls."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "talk.ulaw").write_bytes(bytes([0x55, 0xD5] * 4000))
        with helper("bench.application", server.http, "answer") as application:
            application.hear()
            return call_from_sipp(
                server.sip_port, calls, rate, Path(folder), "caller_talks.xml", TALK
            )


def outbound(server: Server, calls: int, rate: int) -> Outcome:
    """The server calls."""
    with tempfile.TemporaryDirectory() as folder, sipp_callee(Path(folder), "u1") as callee:
        uri = f"sip:callee@127.0.0.1:{callee.port}"
        arguments = (server.http, "call", uri, str(rate), str(calls))
        with helper("bench.application", *arguments) as application:
            application.hear()
            connected = len(application.hear()["set_up_ms"])
        let_pass(2.0)  # the callee's statistics are written once a second
        retransmissions = Outcome.read(callee.statistics).retransmissions
    return Outcome(connected, calls - connected, retransmissions)


def report(name: str, calls: int, total: Outcome, looks: list[Look]) -> bool:
    """Print the table."""
    done = [1, *(1 + round(calls * sum(STAGES[: n + 1])) for n in range(len(STAGES)))]
    print(
        f"\ncalls {name}: {total.successful} completed, {total.failed} failed, "
        f"{total.retransmissions} retransmissions by SIPp"
    )
    print(f"{'after calls':20}" + "".join(f"{number:>26}" for number in done))
    clean = total.failed == 0 and total.successful == calls
    for what, at_rest in looks[0].counts.items():
        values = [each.counts[what] for each in looks]
        same = values[-1] == at_rest
        clean &= same
        print(f"{what:20}" + "".join(f"{value!s:>26}" for value in values), "" if same else "!")
    cells = [" ".join(f"{size / 2**20:.1f}" for size in each.memory) for each in looks]
    print(f"{'memory, MiB (Pss)':20}" + "".join(f"{cell:>26}" for cell in cells))
    grown = sum(looks[-1].memory) - sum(looks[-2].memory)
    print(f"grown by {grown / max(done[-1] - done[-2], 1):.0f} octets per call in the last part")
    return clean


if __name__ == "__main__":
    sys.exit(main())
