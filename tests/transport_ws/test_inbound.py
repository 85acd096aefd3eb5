"""Programs that connect to ``/legs/websocket``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hookswitch.plugin import Leg, Refusal, hookimpl
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch_transport_ws import plugin
from tests.peers import connected
from tests.sound import level, longest_gap_ms


def url(server: RunningSwitch, **query: Any) -> str:
    pairs = "&".join(f"{name}={value}" for name, value in query.items())
    return f"{server.ws}/v1/legs/websocket?{pairs}"


async def new_leg(server: RunningSwitch) -> Leg:
    """The one leg there is, once connected."""
    event = await server.events.wait("leg.connected")
    return server.switch.legs.get(event["leg_id"])


async def test_two_programs_in_a_room_hear_each_other(server: RunningSwitch) -> None:
    async with (
        connected(url(server, room_id="r"), frequency=440) as a,
        connected(
            url(server, room_id="r", wire_format="json_base64"),
            wire_format="json_base64",
            frequency=1000,
        ) as b,
    ):
        await asyncio.gather(a.hears(0.5), b.hears(0.5))
        heard_by_a, heard_by_b = await asyncio.gather(a.hears(1.0), b.hears(1.0))
        assert level(heard_by_a, 1000, 16000) == pytest.approx(-12, abs=0.5)
        assert level(heard_by_a, 440, 16000) < -60
        assert level(heard_by_b, 440, 16000) == pytest.approx(-12, abs=0.5)
        assert longest_gap_ms(heard_by_a, 16000) <= 20
        assert a.sizes == b.sizes == {640}


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("wire_format", ["binary", "json_base64"])
async def test_every_rate_in_both_formats(
    server: RunningSwitch, rate: int, wire_format: str
) -> None:
    query = {"room_id": "r", "sample_rate": rate, "wire_format": wire_format}
    async with (
        connected(url(server, **query), rate, wire_format, frequency=440) as a,
        connected(url(server, room_id="r"), frequency=1000) as b,
    ):
        await asyncio.gather(a.hears(0.4), b.hears(0.4))
        heard_by_a, heard_by_b = await asyncio.gather(a.hears(0.6), b.hears(0.6))
        assert level(heard_by_a, 1000, rate) == pytest.approx(-12, abs=0.5)
        assert level(heard_by_b, 440, 16000) == pytest.approx(-12, abs=0.5)
        assert a.sizes == {rate // 50 * 2}


async def test_through_a_media_worker(tmp_path: Path) -> None:
    async with (
        run_switch(tmp_path, plugin, media_workers=1) as server,
        connected(url(server, room_id="r"), frequency=440) as a,
        connected(url(server, room_id="r"), frequency=1000),
    ):
        await a.hears(0.5)
        assert level(await a.hears(0.5), 1000, 16000) == pytest.approx(-12, abs=0.5)


async def test_the_leg_and_its_events(server: RunningSwitch) -> None:
    headers = {
        "X-Customer-ID": "42",
        "P-Asserted": "me",
        "Authorization": "Bearer t",
        "Accept": "*/*",
    }
    query = {"room_id": "r", "app_id": "shop", "sample_rate": "", "rtt": ""}
    async with connected(url(server, **query), additional_headers=headers) as peer:
        leg = await new_leg(server)
        view = (await server.http.get(f"/v1/legs/{leg.id}")).json()
        assert view["type"] == "websocket_in"
        assert view["state"] == "connected"
        assert view["app_id"] == "shop"
        assert view["room_id"] == "r"
        assert view["headers"] == {
            "X-Customer-Id": "42",
            "P-Asserted": "me",
            "Authorization": "Bearer t",
        }
        await peer.socket.close()
        cdr = await server.leg_ended(leg.id)
    assert cdr["reason"] == "hangup"
    ringing = await server.events.wait("leg.ringing")
    assert ringing["headers"] == view["headers"]
    assert ringing["source_address"].startswith("127.0.0.1:")
    assert server.events.types(leg_id=leg.id) == [
        "leg.ringing",
        "leg.connected",
        "leg.joined_room",
        "leg.left_room",
        "leg.disconnected",
    ]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"sample_rate": "44100"}, "sample_rate"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"sample_rate": "9" * 5000}, "sample_rate"),
        ({"wire_format": "opus"}, "wire_format"),
        ({"sample_format": "f32le"}, "sample_format"),
        ({"rtt": "maybe"}, "rtt"),
        ({"webhook_url": "nowhere"}, "webhook_url"),
    ],
)
async def test_a_bad_parameter_is_refused_by_name(
    server: RunningSwitch, query: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(url(server, **query), proxy=None)
    response = refused.value.response
    assert response.status_code == 400
    error = error_in(response.body)
    assert error["instance_id"] == "test-instance"
    assert error["error"].startswith(f"{named}: ")
    assert server.events.events == []


def error_in(body: bytes | bytearray | None) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(body or b"{}")
    return parsed


async def test_draining_takes_no_calls(server: RunningSwitch) -> None:
    server.switch.drain()
    with pytest.raises(InvalidStatus) as refused:
        await connect(url(server), proxy=None)
    assert refused.value.response.status_code == 503


class Bouncer:
    @hookimpl
    def refusal_from_leg(self, leg: Leg) -> Refusal:
        return Refusal("declined")


async def test_a_plugin_refuses(tmp_path: Path) -> None:
    async with run_switch(tmp_path, plugin, Bouncer()) as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url(server, room_id="r"), proxy=None)
        assert refused.value.response.status_code == 403
        assert "declined" in error_in(refused.value.response.body)["error"]
        assert server.events.events == []


async def test_a_room_that_cannot_be_created(
    server: RunningSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(server.switch.rooms, "create", fail)
    with pytest.raises(InvalidStatus) as refused:
        await connect(url(server, room_id="r"), proxy=None)
    assert refused.value.response.status_code == 500
    assert "no memory" in error_in(refused.value.response.body)["error"]


async def test_no_media_to_be_had(server: RunningSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(server.switch.media, "open_ring", fail)
    with pytest.raises(InvalidStatus) as refused:
        await connect(url(server), proxy=None)
    assert refused.value.response.status_code == 503


async def test_a_plain_request_is_told_to_upgrade(server: RunningSwitch) -> None:
    for prefix in ("", "/v1"):
        response = await server.http.get(f"{prefix}/legs/websocket")
        assert response.status_code == 426
        assert response.headers["upgrade"] == "websocket"
        assert "WebSocket" in response.json()["error"]


async def test_the_upgrade_is_documented(server: RunningSwitch) -> None:
    paths = (await server.http.get("/openapi.json")).json()["paths"]
    operation = paths["/v1/legs/websocket"]["get"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "sample_rate",
        "wire_format",
        "sample_format",
        "room_id",
        "app_id",
        "rtt",
        "webhook_url",
        "webhook_secret",
    }
    assert {"101", "400", "500"} <= set(operation["responses"])


async def test_an_api_key_does_not_show(tmp_path: Path) -> None:
    async with run_switch(tmp_path, plugin, api_keys="me:s3cret") as server:
        bearer = {"Authorization": "Bearer s3cret", "X-Other": "x"}
        async with connected(url(server), additional_headers=bearer):
            assert (await new_leg(server)).headers == {"X-Other": "x"}
        with pytest.raises(InvalidStatus) as refused:
            await connect(url(server), proxy=None)
        assert refused.value.response.status_code == 401


async def test_audio_of_any_length_and_pace_is_taken(server: RunningSwitch) -> None:
    transport = server.switch.transports["websocket"]
    async with connected(url(server, room_id="r")) as peer:
        await peer.socket.send(b"")
        await peer.socket.send(bytes(2 * 123))
        for _ in range(20):
            await peer.socket.send(np.zeros(16000, np.int16).tobytes())
        await peer.socket.send(b"odd")
        error = await peer.receives(type="error")
        assert error["error"].startswith("audio: 3 bytes")
        await peer.hears(0.1)
    assert transport.metrics()["ws_bad_messages_total"] == 1
    assert transport.metrics()["ws_dropped_samples_total"] > 16000 * 17
