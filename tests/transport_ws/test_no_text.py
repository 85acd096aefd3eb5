"""A server without real-time text says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hookswitch.testing.server import run_switch
from hookswitch_transport_ws import plugin


async def test_text_is_refused_in_both_directions(tmp_path: Path) -> None:
    async with run_switch(tmp_path, plugin, rtt_enabled=False) as server:
        body = {"type": "websocket", "url": "ws://127.0.0.1:9/", "rtt": True}
        answer = await server.http.post("/v1/legs", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("rtt: ")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{server.ws}/v1/legs/websocket?rtt=true", proxy=None)
        assert refused.value.response.status_code == 400
        assert server.events.events == []
