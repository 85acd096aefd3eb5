"""Bare participants: ``/rooms/{id}/ws``."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hookswitch.api import room_ws
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch.websocket.session import Patience
from tests.peers import Peer, connected
from tests.sound import level


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
    async with run_switch(tmp_path) as server:
        yield server


async def open_room(server: RunningSwitch, **fields: Any) -> None:
    response = await server.http.post("/v1/rooms", json={"id": "r", **fields})
    assert response.status_code == 201


def joined(server: RunningSwitch, frequency: float | None = None, room: str = "r") -> Any:
    return connected(f"{server.ws}/v1/rooms/{room}/ws", 16000, "bare", frequency)


async def gone(server: RunningSwitch, peer: Peer) -> None:
    """Wait until the peer is told and its port is closed."""
    await peer.closed.wait()
    assert server.open_ports == []


@pytest.mark.parametrize("sample_rate", [8000, 16000, 48000])
async def test_two_participants_hear_each_other(server: RunningSwitch, sample_rate: int) -> None:
    await open_room(server, sample_rate=sample_rate)
    async with joined(server, 440) as a, joined(server, 1000) as b:
        await asyncio.gather(a.hears(0.4), b.hears(0.4))
        heard_by_a, heard_by_b = await asyncio.gather(a.hears(0.6), b.hears(0.6))
        assert level(heard_by_a, 1000, 16000) == pytest.approx(-12, abs=0.5)
        assert level(heard_by_a, 440, 16000) < -60
        assert level(heard_by_b, 440, 16000) == pytest.approx(-12, abs=0.5)
        assert a.sizes == {640}


async def test_the_first_message(server: RunningSwitch) -> None:
    await open_room(server)
    async with connect(f"{server.ws}/rooms/r/ws", proxy=None) as socket:
        message = json.loads(await socket.recv())
        assert message.pop("participant_id")
        assert message == {"type": "connected", "sample_rate": 16000, "format": "pcm_s16le"}
        frame = json.loads(await socket.recv())
        assert frame.keys() == {"audio"}
        assert len(base64.b64decode(frame["audio"])) == 640


async def test_it_stops(server: RunningSwitch) -> None:
    await open_room(server)
    async with joined(server) as peer:
        await peer.receives(type="connected")
        assert len(server.switch.rooms.get("r").guests) == 1
        await peer.send(type="stop")
        await gone(server, peer)
        assert server.switch.rooms.get("r").guests == {}
        assert peer.socket.close_code == 1000


async def test_the_room_is_deleted(server: RunningSwitch) -> None:
    await open_room(server)
    async with joined(server) as peer:
        await peer.receives(type="connected")
        assert (await server.http.delete("/v1/rooms/r")).status_code == 200
        await gone(server, peer)
        assert peer.socket.close_reason == "room_deleted"


async def test_there_is_no_such_room(server: RunningSwitch) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with joined(server):
            pass
    response = refused.value.response
    assert response.status_code == 404
    assert json.loads(response.body or b"") == {
        "instance_id": "test-instance",
        "error": "room r not found",
    }


async def test_draining_takes_nobody(server: RunningSwitch) -> None:
    await open_room(server)
    server.switch.drain()
    with pytest.raises(InvalidStatus) as refused:
        async with joined(server):
            pass
    assert refused.value.response.status_code == 503


async def test_a_room_deleted_in_the_doorway(
    server: RunningSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_room(server)
    open_ring = server.switch.media.open_ring

    async def delete_then_open(*args: Any, **kwargs: Any) -> Any:
        await server.switch.rooms.delete("r")
        return await open_ring(*args, **kwargs)

    monkeypatch.setattr(server.switch.media, "open_ring", delete_then_open)
    with pytest.raises(InvalidStatus) as refused:
        async with joined(server):
            pass
    assert refused.value.response.status_code == 404
    assert server.open_ports == []


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("{", "message: malformed JSON"),
        ("7", "message: must be a JSON object"),
        ('{"audio":"A"}', "audio: not base64"),
        ('{"audio":"QQ=="}', "audio: 1 bytes"),
        ('{"audio":7}', "audio: must be a base64 string"),
        ('{"type":"dance"}', "type: 'dance' is not one of"),
        (b"\xff\xff", "message: malformed JSON"),
    ],
)
async def test_a_message_nobody_understands(
    server: RunningSwitch, message: str | bytes, says: str
) -> None:
    await open_room(server)
    async with joined(server) as peer:
        await peer.socket.send(message)
        assert (await peer.receives(type="error"))["error"].startswith(says)
        await peer.hears(0.04)


async def test_pings_both_ways(server: RunningSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_ws, "Patience", lambda: Patience(0.05, 0.05))
    await open_room(server)
    async with joined(server) as peer:
        await peer.send(type="ping", event_id=7)
        assert await peer.receives(type="pong") == {"type": "pong", "event_id": 7}
        await peer.receives(type="ping", event_id=3)
        await peer.send(type="pong", event_id=3)
        assert not [message for message in peer.json if message["type"] == "error"]


async def test_the_connection_breaks(server: RunningSwitch) -> None:
    await open_room(server)
    async with joined(server) as peer:
        await peer.receives(type="connected")
        guests = server.switch.rooms.get("r").guests
        peer.socket.transport.abort()
        await peer.closed.wait()
        async with joined(server) as other:
            await other.hears(0.1)
            assert len(guests) == 1


async def test_the_server_stops(server: RunningSwitch) -> None:
    await open_room(server)
    async with joined(server) as peer:
        await peer.receives(type="connected")
        await server.switch.stop()
        await peer.closed.wait()
