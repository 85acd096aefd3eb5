"""The server as a process: it starts, drains when it is told to, and ends well."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from websockets.asyncio.client import connect

from hookswitch.api.folders import instance_id
from hookswitch.api.server import listen
from hookswitch.settings import KernelSettings, SettingsError

PATIENCE = 20.0

SERVER = """
import asyncio, logging, sys
from hookswitch.api.server import serve
from hookswitch.plugins.manager import Plugins
from hookswitch.settings import KernelSettings, load
from hookswitch.testing.fake_transport import FakePlugin

logging.basicConfig(level="INFO", stream=sys.stderr)
plugins = Plugins()
plugins.register(FakePlugin(), "fake")
asyncio.run(serve(load(KernelSettings), plugins))
"""
"""What ``hookswitch serve`` does, with the fake transport instead of those installed."""


class ServerProcess:
    def __init__(self, process: Process) -> None:
        self.process = process
        self.log = ""
        self.address = ""

    async def logged(self, pattern: str) -> re.Match[str]:
        """Read the log until something is in it."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while (found := re.search(pattern, self.log)) is None:
                line = await self.process.stderr.readline()
                assert line, f"the server ended: {self.log}"
                self.log += line.decode()
        return found

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            _, rest = await self.process.communicate()
        self.log += rest.decode()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def server_process(data_dir: Path, **settings: str) -> AsyncIterator[ServerProcess]:
    environment = {
        **os.environ,
        "DATA_DIR": str(data_dir),
        "RECORDING_DIR": str(data_dir / "recordings"),
        "HTTP_ADDR": "127.0.0.1:0",
        "MEDIA_WORKERS": "1",
        **settings,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, env=environment, stderr=PIPE
    )
    server = ServerProcess(process)
    try:
        server.address = (await server.logged(r"API on http://(\S+),")).group(1)
        yield server
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_server_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    async with server_process(tmp_path, DRAIN_TIMEOUT="60") as server:
        async with httpx.AsyncClient(base_url=f"http://{server.address}") as client:
            assert (await client.get("/readyz")).status_code == 200
        server.process.send_signal(number)
        assert await server.ended() == 0
        assert "Traceback" not in server.log
        assert (tmp_path / "instance_id").read_text().strip()


async def test_it_drains_and_calls_are_given_time(tmp_path: Path) -> None:
    async with (
        server_process(tmp_path, DRAIN_TIMEOUT="60") as server,
        httpx.AsyncClient(base_url=f"http://{server.address}/v1") as client,
    ):
        body = {"type": "fake", "to": "answers", "room_id": "r"}
        leg = (await client.post("/legs", json=body)).json()
        async with connect(f"ws://{server.address}/v1/vsi", proxy=None) as stream:
            assert "connected" in str(await stream.recv())
            server.process.send_signal(signal.SIGTERM)
            await server.logged("draining")
            assert (await client.get(f"http://{server.address}/readyz")).status_code == 503
            assert (await client.post("/legs", json=body)).status_code == 503
            assert (await client.get(f"/legs/{leg['id']}")).status_code == 200
            assert (await client.delete(f"/legs/{leg['id']}")).status_code == 202
            assert await server.ended() == 0
        assert "Traceback" not in server.log


async def test_calls_that_last_too_long_are_hung_up(tmp_path: Path) -> None:
    async with (
        server_process(tmp_path, DRAIN_TIMEOUT="0.1") as server,
        httpx.AsyncClient(base_url=f"http://{server.address}/v1") as client,
    ):
        await client.post("/legs", json={"type": "fake", "to": "answers", "room_id": "r"})
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert "1 legs are left" in server.log
        assert "Traceback" not in server.log


async def test_who_signals_twice_is_in_a_hurry(tmp_path: Path) -> None:
    async with (
        server_process(tmp_path, DRAIN_TIMEOUT="600") as server,
        httpx.AsyncClient(base_url=f"http://{server.address}/v1") as client,
    ):
        await client.post("/legs", json={"type": "fake", "to": "answers"})
        server.process.send_signal(signal.SIGTERM)
        await server.logged("draining")
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 0


async def test_a_second_server_on_the_same_data_says_so_in_one_line(tmp_path: Path) -> None:
    async with server_process(tmp_path):
        environment = {
            **os.environ,
            "DATA_DIR": str(tmp_path),
            "HTTP_ADDR": "127.0.0.1:0",
            "RECORDING_DIR": str(tmp_path / "recordings"),
        }
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hookswitch", "serve", env=environment, stderr=PIPE
        )
        async with asyncio.timeout(PATIENCE):
            _, said = await second.communicate()
        store = tmp_path / "events.sqlite3"
        assert said.decode() == f"hookswitch: event store {store}: in use by another server\n"
        assert second.returncode == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\0" * 37, b"a\nb", b"x" * 4096], ids=str)
def test_a_damaged_name_of_an_instance_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    file = tmp_path / "instance_id"
    file.write_bytes(content)
    settings = KernelSettings(data_dir=tmp_path, instance_id="")
    made_up = instance_id(settings)
    assert str(UUID(made_up)) == instance_id(settings) == made_up
    assert [aside.read_bytes() for aside in tmp_path.glob("instance_id.corrupt-*")] == [content]
    assert f"{file} is damaged" in caplog.text


def test_an_empty_name_of_an_instance_is_made_up(tmp_path: Path) -> None:
    (tmp_path / "instance_id").write_text("\n")
    assert instance_id(KernelSettings(data_dir=tmp_path, instance_id=""))


def test_the_name_of_an_instance_is_kept(tmp_path: Path) -> None:
    settings = KernelSettings(data_dir=tmp_path / "new", instance_id="")
    made_up = instance_id(settings)
    assert instance_id(settings) == made_up
    assert instance_id(KernelSettings(data_dir=tmp_path / "other", instance_id="")) != made_up
    assert instance_id(KernelSettings(data_dir=tmp_path / "new", instance_id="mine")) == "mine"


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:0", "[::1]:0", "0.0.0.0:0", ":0"])
def test_it_listens(address: str) -> None:
    with listen(address) as listener:
        assert listener.getsockname()[1] > 0


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with listen("127.0.0.1:0") as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("address", ["192.0.2.1:0", "no.such.host.invalid:0"])
def test_an_address_that_is_not_ours_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="HTTP_ADDR: cannot listen on"):
        listen(address)
