"""SIPp: runs the scenarios of the folder beside this file, and tells what came of them.

Before a scenario is run, ``@name@`` in it is replaced: by the header fields every message of that
side has, by SDP, or by what the test says.
"""

from __future__ import annotations

import asyncio
import csv
import re
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from . import processes

SCENARIOS = Path(__file__).parent / "scenarios"

_CALLER = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: "SIPp" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]T[call_number]
To: <sip:service@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
Contact: <sip:sipp@[local_ip]:[local_port]>"""

_CALLER_OF_ONE = _CALLER.replace("[branch]", "z9hG4bK[pid]T[call_number]")
"""INVITE, CANCEL and the ACK of a refusal share their branch."""

_CALLER_ANEW = _CALLER.replace("[peer_tag_param]", "")
"""An INVITE after one that was refused."""

_CALLER_TRIES = {
    name: _CALLER.replace("[branch]", f"z9hG4bK[pid]T[call_number]-{name}")
    for name in ("first", "second", "third", "fourth")
}
"""An INVITE that is sent again for a challenge is another transaction."""

_AGAIN = """\
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]"""

_CALLEE = """\
[last_Via:]
[last_From:]
[last_To:];tag=[pid]T[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port]>"""

_ANSWER = """\
Via:[$via]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>"""
"""The response to an INVITE after another request came."""

_CALLEE_ASKS = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: [$callee];tag=[pid]T[call_number]
To: [$caller]
Call-ID: [call_id]
Contact: <sip:sipp@[local_ip]:[local_port]>"""

_SDP = """\
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a={direction}"""

_CALLER_BEHIND_NAT = re.sub(r"Contact: .*", "Contact: <sip:sipp@10.255.255.1:5060>", _CALLER)

_SDP_PLAIN = "\n".join(
    line.replace(" 0 101", " 0") for line in _SDP.splitlines() if ":101" not in line
)
"""Without telephone events."""

_MACROS = {
    "caller": _CALLER,
    "caller-nat": _CALLER_BEHIND_NAT,
    "caller-invite": _CALLER_OF_ONE,
    "caller-anew": _CALLER_ANEW,
    "again": _AGAIN,
    "callee": _CALLEE,
    "callee-asks": _CALLEE_ASKS,
    "answer": _ANSWER,
    "sdp": _SDP.format(version=1, port="[media_port]", direction="sendrecv"),
    "sdp-plain": _SDP_PLAIN.format(version=1, port="[media_port]", direction="sendrecv"),
    "sdp-stream": _SDP.format(version=1, port="[rtpstream_audio_port]", direction="sendrecv"),
    **{
        f"sdp-{name}": _SDP.format(version=1, port="[media_port]", direction="sendrecv").replace(
            "[media_ip]", host
        )
        for name, host in (
            ("bad-address", "999.1.1.1"),
            ("unknown-host", "phone.invalid"),
            ("named-host", "localhost"),
        )
    },
    "sdp-elsewhere": _SDP.format(version=1, port="[field0]", direction="sendrecv"),
    "sdp-sendonly": _SDP.format(version=2, port="[media_port]", direction="sendonly"),
    "sdp-recvonly": _SDP.format(version=2, port="[media_port]", direction="recvonly"),
    "sdp-inactive": _SDP.format(version=3, port="[media_port]", direction="inactive"),
    "sdp-sendrecv": _SDP.format(version=4, port="[media_port]", direction="sendrecv"),
    "empty": "Content-Length: 0",
    "pause": "200",
    # the tag of a refusal belongs to its ACK only
    **{f"{name}-try": text.replace("[peer_tag_param]", "") for name, text in _CALLER_TRIES.items()},
    **{f"{name}-ack": text for name, text in _CALLER_TRIES.items()},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What SIPp counted."""

    successful: int
    failed: int
    retransmissions: int
    unexpected: str
    """What it complained about."""


class Sipp:
    """One run of SIPp under way."""

    def __init__(self, process: Process, folder: Path, host: str, port: int) -> None:
        self.port = port
        self._process, self._folder, self._host = process, folder, host

    @property
    def uri(self) -> str:
        """Where it is called."""
        return f"sip:sipp@{self._host}:{self.port}"

    async def saw(self, text: str, times: int = 1, within: float = 10.0) -> None:
        """Wait until it sent or received this; SIPp tells it by a file only."""
        log = self._folder / "messages.log"
        await processes.until(
            lambda: log.exists() and log.read_text(errors="replace").count(text) >= times, within
        )

    @property
    def messages(self) -> str:
        """What it sent and received, in order."""
        return (self._folder / "messages.log").read_text(errors="replace")

    async def outcome(self) -> Outcome:
        """Wait for its end. SIPp ends by itself: after its calls, or its time."""
        status = await self._process.wait()
        complaints = self._folder / "errors.log"
        unexpected = complaints.read_text(errors="replace") if complaints.exists() else ""
        with (self._folder / "stat.csv").open(newline="") as table:
            row = list(csv.DictReader(table, delimiter=";"))[-1]
        assert status in (0, 1), f"SIPp: status {status}\n{unexpected}"
        return Outcome(
            int(row["SuccessfulCall(C)"]),
            int(row["FailedCall(C)"]),
            int(row["Retransmissions(C)"]),
            unexpected,
        )

    async def succeeded(self, calls: int = 1) -> None:
        """Wait for its end; every message must have been the expected one, sent once."""
        assert await self.outcome() == Outcome(calls, 0, 0, "")


@asynccontextmanager
async def sipp(
    scenario: str,
    folder: Path,
    *options: str,
    target: int | None = None,
    calls: int = 1,
    timeout_s: int = 20,
    fields: Mapping[str, str] | None = None,
    transport: str = "u1",
    host: str = "127.0.0.1",
    port: int | None = None,
    sdp: str = "sdp",
) -> AsyncIterator[Sipp]:
    """Run a scenario: as caller of the port ``target``, or waiting to be called.

    ``fields`` are put in where the scenario says ``@name@``; ``sdp`` names another description to
    stand where it says ``@sdp@``. ``transport`` is SIPp's: ``u1`` is UDP, ``t1`` one TCP
    connection, ``tn`` one for each call. An IPv6 ``host`` is in brackets.
    """
    processes.need("sipp")
    port = port or processes.free_port()
    folder = folder / f"sipp-{Path(scenario).stem}-{port}"
    folder.mkdir()
    (folder / "scenario.xml").write_text(
        expand((SCENARIOS / scenario).read_text(), {"sdp": _MACROS[sdp], **(fields or {})})
    )
    process = await asyncio.create_subprocess_exec(
        "sipp",
        *([f"{host}:{target}"] if target else []),
        *("-sf", "scenario.xml", "-i", host, "-p", str(port), "-nostdin", "-t", transport),
        *("-mi", host, "-mp", str(processes.free_port()), "-max_socket", "1000"),
        *("-m", str(calls), "-timeout", str(timeout_s), "-timeout_error"),
        *("-watchdog_interval", "0"),  # that SIPp itself got no time is no news of the server
        *("-trace_stat", "-stf", "stat.csv", "-trace_err", "-error_file", "errors.log"),
        *(["-trace_msg", "-message_file", "messages.log"] if calls == 1 else []),
        *options,
        cwd=folder,
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        if target is None:
            protocol = "udp" if transport.startswith("u") else "tcp"
            await processes.until_bound(port, protocol=protocol)
        yield Sipp(process, folder, host, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def session(port: int, direction: str = "sendrecv") -> str:
    """A session description with media at another port of loopback than SIPp's own."""
    return _SDP.format(version=1, port=port, direction=direction)


def expand(scenario: str, fields: Mapping[str, str]) -> str:
    """A scenario with its macros replaced."""
    known = {**_MACROS, **fields}
    return re.sub(r"@([a-z-]+)@", lambda match: known[match[1]], scenario)
