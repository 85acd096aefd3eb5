"""Processes the tests start, and what /proc tells about them."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest


def need(program: str) -> None:
    """Skip the test where a program is not installed; in CI that is a failure."""
    if shutil.which(program) is None:
        packages = "baresip, sip-tester, dnsmasq-base, kamailio, espeak-ng"
        message = f"{program} is not installed (Debian: {packages})"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


_STRIDE = 4
"""Between two ports that are given out: phones take the port after theirs for TLS or RTCP, and
SIPp the second after its own for video."""

_ports = itertools.cycle(range(10_000, 20_000, _STRIDE))
for _ in range(random.randrange(10_000 // _STRIDE)):  # not where the tests of another run begin
    next(_ports)


def free_port() -> int:
    """An even port of loopback nobody uses now over UDP or TCP, nor the port after it.

    It is none the system gives out by itself, so that no late packet of others arrives there, and
    none that was given out before: what asks for it may bind it only a while later.
    """
    return next(port for port in _ports if all(map(_is_free, (port, port + 1))))


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def children(pid: int) -> list[int]:
    """Processes a process started, in any of its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return sorted(found)


def command(pid: int) -> str:
    """What a process was started as; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def threads(pid: int) -> int:
    """Threads of a process."""
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid: int) -> list[str]:
    """What the open descriptors of a process are."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    return sorted(found)


def udp_ports(pid: int) -> list[int]:
    """UDP ports a process has bound."""
    inodes = {d[8:-1] for d in descriptors(pid) if d.startswith("socket:[")}
    return sorted(port for port, inode in _table() if inode in inodes)


def tcp_connections(port: int) -> int:
    """Connections of a port that have not been closed by its process."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    open_states = ("01", "08")  # ESTABLISHED, CLOSE_WAIT
    return sum(int(c[1].rpartition(":")[2], 16) == port and c[3] in open_states for c in rows)


async def until_bound(port: int, within: float = 10.0, protocol: str = "udp") -> None:
    """Wait until somebody has bound a UDP port, or listens on a TCP port."""
    await until(lambda: any(bound == port for bound, _ in _table(protocol)), within)


async def until(done: Callable[[], bool], within: float) -> None:
    """Look again and again for what other processes do and no event tells."""
    async with asyncio.timeout(within):
        while not done():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


def until_gone(pids: list[int], within: float = 5.0) -> None:
    """Wait until none of these processes, not ours to wait for, is running."""
    deadline = time.monotonic() + within
    while left := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.01)


def end(pid: int) -> None:
    """Kill a process if it is still there."""
    if is_running(pid):
        os.kill(pid, signal.SIGKILL)


_LISTENS = "0A"
"""State of a TCP socket in /proc/net/tcp."""


def _table(protocol: str = "udp") -> list[tuple[int, str]]:
    """Port and inode of bound UDP sockets, or of TCP sockets that listen, of both families."""
    rows = [
        row.split()
        for name in (protocol, protocol + "6")
        for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    listening = [c for c in rows if protocol == "udp" or c[3] == _LISTENS]
    return [(int(c[1].rpartition(":")[2], 16), c[9]) for c in listening]
