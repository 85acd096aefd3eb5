"""Starting the processes of a measurement, talking to them, and reading what they used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Processor time a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def module_of(pid: int) -> str:
    """What a process of the server does, by the module it runs."""
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    modules = [each for each in arguments if each.startswith("hookswitch.") and ":" in each]
    return modules[0].split(":")[0].split(".")[-2] if modules else "control"


def resident_bytes(pid: int) -> int:
    """Memory of a process that is not shared with others."""
    resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * _PAGE


def children(pid: int) -> list[int]:
    """Processes started by a process."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def proportional_bytes(pid: int) -> int:
    """Memory of a process, what it shares with others counted in parts."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"the kernel tells no Pss of {pid}")


def threads(pid: int) -> int:
    """Threads of a process."""
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors(pid: int) -> list[str]:
    """What the open descriptors of a process are."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def bound_ports(pid: int) -> int:
    """UDP ports a process has bound."""
    inodes = {what[8:-1] for what in descriptors(pid) if what.startswith("socket:[")}
    tables = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
    rows = [row.split() for table in tables for row in table.read_text().splitlines()[1:]]
    return sum(row[9] in inodes for row in rows)


def is_bound(port: int) -> bool:
    """Whether some process here has this UDP port, or listens at this TCP port."""
    tables = [Path(f"/proc/net/{name}") for name in ("udp", "udp6", "tcp", "tcp6")]
    rows = [row.split()[1] for table in tables for row in table.read_text().splitlines()[1:]]
    return any(local.endswith(f":{port:04X}") for local in rows)


class Helper:
    """A process of the measurement that takes and gives lines of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, **message: Any) -> None:
        """Say something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Wait for what it says next."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"helper {self.pid} ended")
        return json.loads(line)

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def helper(module: str, *arguments: str) -> Iterator[Helper]:
    """A helper that is ended whatever happens."""
    started = Helper(module, *arguments)
    try:
        yield started
    finally:
        started.stop()


def say(**message: Any) -> None:
    """The helper's side: say something to whoever started it."""
    print(json.dumps(message), flush=True)
