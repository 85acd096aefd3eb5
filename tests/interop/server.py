"""The server as a process of its own, as its users run it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import processes

_STARTS = re.compile(r"^\S+ \S+ (?P<level>[A-Z]+) ")
_SIP = re.compile(r"SIP on udp:\S+:(\d+)")
_API = re.compile(r"API on http://\S+:(\d+)")


class Server:
    """``hookswitch serve`` on free ports of loopback; `start` returns when it is ready."""

    def __init__(
        self, folder: Path, *, program: tuple[str, ...] = ("-m", "hookswitch"), **settings: str
    ) -> None:
        """``program`` is what Python runs."""
        self.folder = folder
        self._program = program
        self.settings = settings
        self.expected: list[str] = []
        """Patterns of error lines a test provokes on purpose."""
        self.sip_port = self.http_port = 0
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._workers: list[int] = []
        self._lines: list[str] = []
        self._more = threading.Condition()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def port_of(self, transport: str) -> int:
        """The port SIP is on, over TCP or TLS."""
        return int(self._line(re.compile(rf"SIP on {transport}:\S+:(\d+)"))[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log(self) -> str:
        """What it has logged."""
        with self._more:
            return "\n".join(self._lines)

    @property
    def workers(self) -> list[int]:
        """Its processes: media workers, player, recorder."""
        return processes.children(self.pid)

    @property
    def media_workers(self) -> list[int]:
        return [pid for pid in self.workers if "hookswitch.media.worker:" in processes.command(pid)]

    @property
    def errors(self) -> list[str]:
        """Lines of its log that no test expects."""
        with self._more:
            lines = list(self._lines)
        bad = [line for line in lines if _is_bad(line)]
        return [line for line in bad if not any(re.search(e, line) for e in self.expected)]

    def start(self) -> None:
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "VIRTUAL_ENV")}
        settings = {
            "DATA_DIR": str(self.folder / "data"),
            "HTTP_ADDR": "127.0.0.1:0",
            "SIP_PORT": "0",
            "RTP_PORT_MIN": "20000",
            "RTP_PORT_MAX": "29999",
            "MEDIA_WORKERS": "1",
            **self.settings,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-W", "default", *self._program, "serve"],
            env={**kept, **settings},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines.clear()
        self._reader = threading.Thread(target=self._read, name="server log")
        self._reader.start()
        self.sip_port = int(self._line(_SIP)[1])
        self.http_port = int(self._line(_API)[1])

    def stop(self) -> None:
        """End it; it must end cleanly and leave nothing behind."""
        self.terminate()
        self.ended()

    def terminate(self) -> None:
        """SIGTERM."""
        assert self._process is not None
        self._workers = self.workers
        self._process.send_signal(signal.SIGTERM)

    def ended(self) -> None:
        """Wait for its end after `terminate`."""
        assert self._process is not None
        try:
            status = self._process.wait(20)
        finally:
            self.close()
        assert status == 0, self.log
        assert self.errors == [], self.errors
        processes.until_gone(self._workers)

    def kill(self) -> None:
        """kill -9; its workers must notice and end."""
        assert self._process is not None
        workers = self.workers
        self._process.kill()
        self._process.wait(5)
        processes.until_gone(workers)
        self.close()

    def close(self) -> None:
        """Whatever happened: nothing is left running."""
        if self._process is None:
            return
        workers = self.workers if self._process.poll() is None else []
        self._process.kill()
        self._process.wait(5)
        for pid in workers:
            processes.end(pid)
        if self._reader is not None:
            self._reader.join(5)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _line(self, pattern: re.Pattern[str], within: float = 30.0) -> re.Match[str]:
        """Wait for a line of the log."""
        with self._more:
            found = self._more.wait_for(lambda: self._ended() or self._search(pattern), within)
            match = self._search(pattern)
        assert found, f"{pattern.pattern!r} was not logged in {within} s"
        assert match, "the server ended:\n" + self.log
        return match

    def _search(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        return next((m for m in map(pattern.search, self._lines) if m), None)

    def _ended(self) -> bool:
        return self._reader is None or not self._reader.is_alive()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._more:
                self._lines.append(line.rstrip())
                self._more.notify_all()
        with self._more:
            self._more.notify_all()


@contextmanager
def serving(
    folder: Path, *, program: tuple[str, ...] = ("-m", "hookswitch"), **settings: str
) -> Iterator[Server]:
    """A server that runs, and at the end is stopped, cleanly."""
    server = Server(folder, program=program, **settings)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        server.close()


def _is_bad(line: str) -> bool:
    """An error, a warning of Python's, or a part of a traceback."""
    starts = _STARTS.match(line)
    if starts is None:
        return line[:1] not in ("", " ")  # print, warnings, tracebacks: each has such a line
    return starts["level"] in ("ERROR", "CRITICAL")
