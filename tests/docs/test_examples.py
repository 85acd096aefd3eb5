"""The programs under docs/examples, run as they stand but for the server's address."""

from __future__ import annotations

import asyncio
import runpy
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hookswitch.events.posting import signature
from hookswitch.testing.memory_bank import tone
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch_transport_ws import plugin as websocket_legs
from tests.sound import level

from . import DOCS

EXAMPLES = DOCS / "examples"


@asynccontextmanager
async def program(
    folder: Path, name: str, *changes: tuple[str, str]
) -> AsyncIterator[asyncio.StreamReader]:
    """Run an example with some of its words changed; yields what it prints."""
    source = (EXAMPLES / name).read_text()
    for before, after in changes:
        assert before in source
        source = source.replace(before, after)
    file = folder / name
    file.write_text(source)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(file), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            yield process.stdout
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server keeps nothing."""
    made = tmp_path / "programs"
    made.mkdir()
    return made


def address(server: RunningSwitch) -> tuple[str, str]:
    return "127.0.0.1:8080", server.address


async def test_tone_says_a_tone_and_prints_what_it_hears(tmp_path: Path, folder: Path) -> None:
    async with run_switch(tmp_path, websocket_legs) as server:
        phone = await server.dial(room_id="lobby")
        phone.says(tone(440, rate=16000))
        changes = [address(server), ("range(500)", "range(100)")]
        async with program(folder, "tone.py", *changes) as printed:
            peaks = [int(await printed.readline()) for _ in range(2)]
            assert peaks[1] == pytest.approx(8230, abs=100)
            assert await printed.read() == b""
        heard = phone.heard[-24000:-8000]
        assert level(heard, 660, 16000) == pytest.approx(-12.2, abs=1)


async def test_answer_puts_calls_into_a_room(tmp_path: Path, folder: Path) -> None:
    async with (
        run_switch(tmp_path) as server,
        program(folder, "answer.py", address(server)) as printed,
    ):
        assert await printed.readline() == b"waiting for calls\n"
        call = server.fake.receive("sip_inbound")
        joined = await server.events.wait("leg.joined_room", leg_id=call.leg.id)
        assert joined["room_id"] == "lobby"


async def test_webhook_prints_signed_events(tmp_path: Path, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    target = {"webhook_url": f"http://127.0.0.1:{port}/events", "webhook_secret": "change me"}
    async with (
        program(folder, "webhook.py", ("9000", str(port))) as printed,
        run_switch(tmp_path, **target) as server,
    ):
        await server.ask("POST", "/v1/rooms", {"id": "lobby"})
        assert (await printed.readline()).split() == [b"room.created"]


def test_webhook_believes_no_other_signature() -> None:
    is_genuine = runpy.run_path(str(EXAMPLES / "webhook.py"))["is_genuine"]
    assert is_genuine(b"{}", signature("change me", b"{}"))
    assert not is_genuine(b"{}", signature("change me", b"[]"))
    assert not is_genuine(b"{}", signature("another", b"{}"))
    assert not is_genuine(b"{}", "")
    assert not is_genuine(b"{}", "sha256=ä")
