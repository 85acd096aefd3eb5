"""The program in the plugin's README, run as it stands there."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from hookswitch.testing.server import RunningSwitch
from hookswitch_transport_ws.settings import WebSocketSettings
from tests.peers import connected
from tests.sound import level

README = (Path(__file__).parents[2] / "plugins/transport_ws/README.md").read_text()


async def test_the_program_says_back_what_it_hears(server: RunningSwitch) -> None:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    source = found[1].replace("asyncio.run(main())", "")
    assert "ws://127.0.0.1:8080" in source
    program = {"__name__": "readme"}
    exec(compile(source.replace("ws://127.0.0.1:8080", server.ws), "README.md", "exec"), program)
    running = asyncio.create_task(program["main"]())  # type: ignore[operator]
    async with connected(f"{server.ws}/legs/websocket?room_id=lobby", frequency=440) as caller:
        await server.events.wait("leg.joined_room")
        await caller.hears(0.6)
        assert level(await caller.hears(0.5), 440, 16000) == pytest.approx(-18, abs=0.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_every_setting_is_described() -> None:
    for name, field in WebSocketSettings.model_fields.items():
        assert f"| `{name.upper()}` | {field.default:g} |" in README
