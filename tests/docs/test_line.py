"""The sample transport: installed as its users install it, tested by its own tests, and called."""

from __future__ import annotations

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.interop.server import Server
from tests.sound import level, tone

from . import DOCS

LINE = DOCS / "examples" / "line"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin installed in it."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    _python("-m", "pip", "install", *options, "--target", str(folder), str(LINE))
    return folder


def _python(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_small() -> None:
    """Fewer than 80 lines of code."""
    source = (LINE / "hookswitch_line.py").read_text()
    docstring = ast.parse(source).body[0]
    code = [line for line in source.splitlines()[docstring.end_lineno :] if line.strip()]
    assert len(code) < 80


def test_it_is_found_when_installed(site: Path) -> None:
    listed = _python("-m", "hookswitch", "plugins", PYTHONPATH=str(site))
    assert "\nline " in listed
    settings = _python("-m", "hookswitch", "config", PYTHONPATH=str(site))
    assert "\nLINE_PORT=7000\n" in settings


def test_its_own_tests_pass(site: Path, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "test_line.py"):
        (tmp_path / name).write_text((LINE / name).read_text())
    _python("-m", "pytest", "-q", "-Werror", str(tmp_path), PYTHONPATH=str(site))


def test_two_lines_hear_each_other_in_a_real_server(site: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server(tmp_path, PYTHONPATH=str(site), LINE_PORT=str(port))
    server.start()
    try:
        _hear(server, port)
    finally:
        server.stop()


def _hear(server: Server, port: int) -> None:
    voice = tone(440, 2.0, 16000).tobytes()
    with (
        socket.create_connection(("127.0.0.1", port)) as speaker,
        socket.create_connection(("127.0.0.1", port)) as listener,
        httpx.Client(base_url=server.url, trust_env=False) as api,
    ):
        for line in (speaker, listener):
            line.settimeout(10)
            _receive(line, 640)  # it is connected
        for leg in api.get("/v1/legs").json():
            assert leg["type"] == "line_in"
            answer = api.post("/v1/rooms/lobby/legs", json={"leg_id": leg["id"]})
            assert answer.json()["status"] == "added"
        heard = b""
        for start in range(0, len(voice), 640):
            speaker.sendall(voice[start : start + 640])
            heard += _receive(listener, 640)
        last = np.frombuffer(heard, "<i2")[-16000:]
        assert level(last, 440, 16000) == pytest.approx(-12, abs=0.5)


def _receive(line: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        assert more, "the line is closed"
        data += more
    return data
