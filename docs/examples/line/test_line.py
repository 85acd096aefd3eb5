"""What a plugin's own tests may look like: a server with the plugin, and a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import hookswitch_line
import numpy as np
import pytest
import pytest_asyncio

from hookswitch.testing.memory_bank import tone
from hookswitch.testing.server import RunningSwitch, run_switch


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    monkeypatch.setenv("LINE_PORT", str(number))
    return number


@pytest_asyncio.fixture
async def server(tmp_path: Path, port: int) -> AsyncIterator[RunningSwitch]:
    async with run_switch(tmp_path, hookswitch_line) as server:
        yield server


async def test_a_line_hears_the_others_in_its_room(server: RunningSwitch, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    leg = await server.events.wait("leg.connected", leg_type="line_in")
    await server.ask("POST", "/v1/rooms/lobby/legs", {"leg_id": leg["leg_id"]})
    other = await server.dial(room_id="lobby")
    other.says(tone(440, rate=16000))

    await reader.readexactly(16000)  # half a second, in which the tone begins
    heard = np.frombuffer(await reader.readexactly(32000), "<i2")
    assert abs(np.fft.rfft(heard)).argmax() == 440  # of one second, so in Hz

    writer.close()
    ended = await server.events.wait("leg.disconnected", leg_type="line_in")
    assert ended["cdr"]["reason"] == "hangup"


async def test_what_a_line_says_is_heard(server: RunningSwitch, port: int) -> None:
    other = await server.dial(room_id="lobby")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    leg = await server.events.wait("leg.connected", leg_type="line_in")
    await server.ask("POST", "/v1/rooms/lobby/legs", {"leg_id": leg["leg_id"]})
    for number in range(50):  # as fast as it hears, so in real time
        await reader.readexactly(640)
        writer.write(tone(700, rate=16000)(number, 320).astype("<i2").tobytes())
    await other.until(lambda heard: abs(heard).max() > 8000)
    writer.close()
    await server.events.wait("leg.disconnected", leg_type="line_in")


async def test_dialling_a_line_that_nobody_answers(server: RunningSwitch) -> None:
    leg = await server.ask("POST", "/v1/legs", {"type": "line", "port": 1})
    ended = await server.events.wait("leg.disconnected", leg_id=leg["id"])
    assert ended["cdr"]["reason"] == "connect_failed"
