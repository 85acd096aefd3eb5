"""What it costs to set up calls: messages, and whole calls in both directions over UDP and TCP.

    python -m bench.signalling                       150 calls per second, 10 seconds per row
    python -m bench.signalling --rate 300 --seconds 5

Beside each row of the server stands SIPp's own callee under the same load in the same run. Figures
are processor milliseconds per call of the control process, its share of a core, and how long calls
took: to the first 180 and to the 200 where SIPp calls, from `leg.ringing` to `leg.connected` where
the server calls. Each call is answered, or placed and hung up, over the event stream.
"""

from __future__ import annotations

import argparse
import csv
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.parser import parse

from .clock import until
from .processes import cpu_seconds, helper, is_bound
from .server import Server, free_port

SCENARIOS = Path(__file__).parent / "scenarios"

STATISTICS = "stat.csv"
"""SIPp's file, in its folder."""

INVITE = (
    b"INVITE sip:service@192.0.2.1:5060 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bK-1234-1-0;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Caller" <sip:caller@192.0.2.9:5062>;tag=1234T1\r\n'
    b"To: <sip:service@192.0.2.1:5060>\r\n"
    b"Call-ID: 1-1234@192.0.2.9\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:caller@192.0.2.9:5062>\r\n"
    b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY\r\n"
    b"Supported: timer, replaces\r\n"
    b"User-Agent: SIPp\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: 216\r\n\r\n"
    b"v=0\r\no=sipp 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
    b"m=audio 6000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; the times are p50 and p95 in milliseconds."""

    what: str
    calls: int
    failed: int
    per_second: float
    cpu_ms: float
    share: float
    ringing: tuple[float, float] | None
    answered: tuple[float, float]


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rate", type=int, default=150, help="calls per second")
    parser.add_argument("--seconds", type=float, default=10.0, help="per row")
    asked = parser.parse_args()
    messages()
    print(f"\n{'':22} calls failed  /s    ms/call  core %    180 p50/p95     200 p50/p95")
    calls = int(asked.rate * asked.seconds)
    for name, transport in (("UDP", "u1"), ("TCP", "t1")):
        show(floor(f"SIPp answers, {name}", transport, asked.rate, calls))
        with tempfile.TemporaryDirectory() as folder:
            settings = {"SIP_TCP_ENABLED": "true", "SIP_AUTO_RINGING": "true"}
            server = Server(Path(folder), **settings)
            try:
                show(inbound(server, f"we answer, {name}", transport, asked.rate, calls))
                show(outbound(server, f"we call, {name}", transport, asked.rate, calls))
            finally:
                server.stop()


def messages() -> None:
    """Microseconds for one message."""
    invite = parse(INVITE)
    assert isinstance(invite, Request)
    assert invite.sdp is not None
    jobs: tuple[tuple[str, Callable[[], object]], ...] = (
        ("parse an INVITE with all its checks", lambda: parse(INVITE)),
        ("write it", lambda: bytes(invite)),
        ("make its 200", lambda: Response.to_request(invite, 200, to_tag="t")),
    )
    for what, job in jobs:
        best = min(timed(job) for _ in range(7))
        print(f"{what:40} {best:6.1f} µs")


def timed(job: Callable[[], object], times: int = 2000) -> float:
    """Microseconds of processor time for one run of a job."""
    before = time.process_time()
    for _ in range(times):
        job()
    return (time.process_time() - before) / times * 1e6


def floor(what: str, transport: str, rate: int, calls: int) -> Row:
    """SIPp against itself."""
    with tempfile.TemporaryDirectory() as folder, sipp_callee(Path(folder), transport) as callee:
        return measured(what, callee.port, callee.pid, transport, rate, calls, Path(folder))


def inbound(server: Server, what: str, transport: str, rate: int, calls: int) -> Row:
    """SIPp calls the server, whose application answers."""
    with helper("bench.application", server.http, "answer") as application:
        application.hear()
        with tempfile.TemporaryDirectory() as folder:
            arguments = (server.sip_port, server.pid, transport, rate, calls, Path(folder))
            return measured(what, *arguments)


def outbound(server: Server, what: str, transport: str, rate: int, calls: int) -> Row:
    """The server calls SIPp, and its application hangs up."""
    with tempfile.TemporaryDirectory() as folder, sipp_callee(Path(folder), transport) as callee:
        uri = f"sip:callee@127.0.0.1:{callee.port}"
        uri += ";transport=tcp" if transport == "t1" else ""
        arguments = (server.http, "call", uri, str(rate), str(calls))
        with helper("bench.application", *arguments) as application:
            application.hear()
            before, begun = cpu_seconds(server.pid), time.monotonic()
            report = application.hear()
            used, took = cpu_seconds(server.pid) - before, time.monotonic() - begun
    times = report["set_up_ms"]
    return Row(
        what,
        calls,
        calls - len(times),
        calls / took,
        used / calls * 1000,
        used / took,
        None,
        quantiles(times),
    )


def measured(
    what: str, port: int, pid: int, transport: str, rate: int, calls: int, folder: Path
) -> Row:
    """Have SIPp call a port, and see what the process behind it uses."""
    before, begun = cpu_seconds(pid), time.monotonic()
    timing = ("-trace_rtt", "-rtt_freq", "1")
    outcome = call_from_sipp(port, calls, rate, folder, "caller.xml", 0.0, transport, timing)
    used, took = cpu_seconds(pid) - before, time.monotonic() - begun
    times: dict[str, list[float]] = {"1": [], "2": []}
    for path in folder.glob("*_rtt.csv"):
        for line in path.read_text().splitlines()[1:]:
            _, milliseconds, number, *_ = line.split(";")
            times[number].append(float(milliseconds))
    return Row(
        what,
        calls,
        outcome.failed,
        calls / took,
        used / calls * 1000,
        used / took,
        quantiles(times["1"]),
        quantiles(times["2"]),
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of calls: how many of each; retransmissions are those of SIPp."""

    successful: int
    failed: int
    retransmissions: int

    @classmethod
    def read(cls, statistics: Path) -> Outcome:
        """From SIPp's file, its last line."""
        last = list(csv.DictReader(statistics.open(), delimiter=";"))[-1]
        columns = ("SuccessfulCall(C)", "FailedCall(C)", "Retransmissions(C)")
        return cls(*(int(last[column]) for column in columns))


def call_from_sipp(
    port: int,
    calls: int,
    rate: int,
    folder: Path,
    scenario: str,
    talk: float,
    transport: str = "u1",
    options: tuple[str, ...] = (),
) -> Outcome:
    """Have SIPp make calls to a port, with pauses of ``talk`` seconds, and wait for their end."""
    result = subprocess.run(
        [
            *sipp(scenario, transport, free_port(socket.SOCK_DGRAM)),
            *(f"127.0.0.1:{port}", "-r", str(rate), "-m", str(calls), "-l", str(calls)),
            *("-d", str(int(1000 * talk)), *options),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=calls / rate + 60,
    )
    if result.returncode not in (0, 1):
        raise RuntimeError(result.stderr.decode())
    return Outcome.read(folder / STATISTICS)


@dataclass(frozen=True, slots=True)
class Callee:
    """A SIPp that is called."""

    port: int
    pid: int
    statistics: Path
    """Written once a second, and at its end."""


@contextmanager
def sipp_callee(folder: Path, transport: str) -> Iterator[Callee]:
    """SIPp, answering; it sends back what it hears."""
    kind = socket.SOCK_DGRAM if transport == "u1" else socket.SOCK_STREAM
    port = free_port(kind)
    process = subprocess.Popen(
        [*sipp("callee.xml", transport, port), "-rtp_echo"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: is_bound(port), 5, "SIPp")
        yield Callee(port, process.pid, folder / STATISTICS)
    finally:
        process.kill()
        process.wait()


def sipp(scenario: str, transport: str, port: int) -> list[str]:
    """A command line."""
    return [
        *("sipp", "-sf", str(SCENARIOS / scenario), "-t", transport, "-nostdin"),
        *("-i", "127.0.0.1", "-p", str(port), "-mi", "127.0.0.1", "-max_socket", "10000"),
        *("-timer_resol", "1", "-trace_stat", "-stf", STATISTICS, "-fd", "1"),
    ]


def quantiles(values: list[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    if not values:
        return float("nan"), float("nan")
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]


def show(row: Row) -> None:
    """Print a line."""
    ringing = "" if row.ringing is None else "{:6.1f} /{:6.1f}".format(*row.ringing)
    answered = "{:6.1f} /{:6.1f}".format(*row.answered)
    print(
        f"{row.what:22} {row.calls:5} {row.failed:6} {row.per_second:5.0f} {row.cpu_ms:8.2f} "
        f"{row.share * 100:7.1f}  {ringing:15} {answered:15}",
        flush=True,
    )


if __name__ == "__main__":
    main()
