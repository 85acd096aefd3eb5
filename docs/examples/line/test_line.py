"""The tests of the plugin: what every transport must do, and what it is like to be a line."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import hookswitch_line
import numpy as np
import pytest

from hookswitch.testing.memory_bank import tone
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch.testing.transport import FarEnd, TransportContract


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    monkeypatch.setenv("LINE_PORT", str(number))
    return number


class TestLineTransport(TransportContract):
    plugin = hookswitch_line

    @asynccontextmanager
    async def far_end(self, server: RunningSwitch) -> AsyncIterator[FarEnd]:
        lines: list[asyncio.StreamWriter] = []

        async def hang_up() -> None:
            lines[-1].close()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            lines.append(writer)
            while await reader.read(640):
                pass
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
            number = listener.sockets[0].getsockname()[1]
            yield FarEnd({"type": "line", "port": number}, hang_up)


async def test_a_line_hears_the_others_in_its_room(tmp_path: Path, port: int) -> None:
    async with run_switch(tmp_path, hookswitch_line) as server:
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


async def test_dialling_a_line_that_nobody_answers(tmp_path: Path) -> None:
    async with run_switch(tmp_path, hookswitch_line) as server:
        leg = await server.ask("POST", "/v1/legs", {"type": "line", "port": 1})
        ended = await server.events.wait("leg.disconnected", leg_id=leg["id"])
        assert ended["cdr"]["reason"] == "connect_failed"
