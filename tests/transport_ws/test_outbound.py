"""Programs that are dialled by ``POST /legs``."""

from __future__ import annotations

import asyncio
import http
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from hookswitch.testing.server import RunningSwitch
from tests.peers import Peer, connected, talking
from tests.sound import level

Handler = Callable[[ServerConnection], Awaitable[None]]


def address(listener: Server | asyncio.Server) -> str:
    host, port = next(iter(listener.sockets)).getsockname()[:2]
    return f"ws://{host}:{port}/bot"


async def create(server: RunningSwitch, **fields: Any) -> httpx.Response:
    return await server.http.post("/v1/legs", json={"type": "websocket", **fields})


@asynccontextmanager
async def dialled(
    server: RunningSwitch, rate: int = 16000, wire_format: str = "binary", **fields: Any
) -> AsyncIterator[tuple[str, Peer]]:
    """A bot that was dialled and answered: the leg's id and the bot."""
    arrived: asyncio.Queue[ServerConnection] = asyncio.Queue()

    async def keep(connection: ServerConnection) -> None:
        await arrived.put(connection)
        await connection.wait_closed()

    async with serve(keep, "127.0.0.1", 0) as listener:
        response = await create(
            server,
            url=address(listener),
            sample_rate=rate,
            wire_format=wire_format,
            **fields,
        )
        assert response.status_code == 201, response.text
        leg_id: str = response.json()["id"]
        connection = await arrived.get()
        async with talking(connection, rate, wire_format, frequency=1000) as bot:
            yield leg_id, bot


@pytest.mark.parametrize("rate", [8000, 24000])
@pytest.mark.parametrize("wire_format", ["binary", "json_base64"])
async def test_a_bot_and_a_caller_hear_each_other(
    server: RunningSwitch, rate: int, wire_format: str
) -> None:
    inbound = f"{server.ws}/legs/websocket?room_id=r"
    async with (
        dialled(server, rate, wire_format, room_id="r") as (_, bot),
        connected(inbound, frequency=440) as caller,
    ):
        await asyncio.gather(bot.hears(0.4), caller.hears(0.4))
        heard_by_bot, heard_by_caller = await asyncio.gather(bot.hears(0.6), caller.hears(0.6))
        assert level(heard_by_bot, 440, rate) == pytest.approx(-12, abs=0.5)
        assert level(heard_by_caller, 1000, 16000) == pytest.approx(-12, abs=0.5)
        assert bot.sizes == {rate // 50 * 2}


async def test_the_leg_and_its_events(server: RunningSwitch) -> None:
    headers = {"X-Call": "7", "Authorization": "Bearer bot"}
    async with dialled(server, headers=headers, app_id="shop", rtt=True) as (leg_id, bot):
        await server.events.wait("leg.connected", leg_id=leg_id)
        assert bot.socket.request is not None
        sent = bot.socket.request.headers
        assert (sent["X-Call"], sent["Authorization"]) == ("7", "Bearer bot")
        view = (await server.http.get(f"/legs/{leg_id}")).json()
        assert (view["type"], view["headers"]) == ("websocket_out", headers)
        await bot.send(type="text", text="hello")
        assert (await server.events.wait("rtt.received"))["text"] == "hello"
        await bot.send(type="hangup")
        assert (await server.leg_ended(leg_id))["reason"] == "hangup"
        await bot.closed.wait()
    ringing = await server.events.wait("leg.ringing")
    assert ringing["uri"].startswith("ws://127.0.0.1:")
    assert server.events.types(leg_id=leg_id) == [
        "leg.ringing",
        "leg.connected",
        "rtt.received",
        "leg.disconnected",
    ]


async def test_fields_of_other_transports_are_ignored(server: RunningSwitch) -> None:
    others: dict[str, Any] = {
        "to": "sip:x@y",
        "codecs": ["PCMU"],
        "privacy": "id",
        "from": "",
        "auth": {},
    }
    async with dialled(server, **others) as (leg_id, _):
        await server.events.wait("leg.connected", leg_id=leg_id)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "ws://"}, "url"),
        ({"url": "ws://x/#part"}, "url"),
        ({"url": 7}, "url"),
        ({"url": "ws://x/", "sample_rate": 44100}, "sample_rate"),
        ({"url": "ws://x/", "wire_format": "opus"}, "wire_format"),
        ({"url": "ws://x/", "sample_format": "f32le"}, "sample_format"),
        ({"url": "ws://x/", "rtt": "yes"}, "rtt"),
        ({"url": "ws://x/", "amd": {}}, "amd"),
        ({"url": "ws://x/", "headers": {"X-A": "b\r\nc"}}, "headers"),
        ({"url": "ws://x/", "headers": {"X A": "b"}}, "headers"),
        ({"url": "ws://x/", "headers": {"X-A": "ü"}}, "headers"),
        ({"url": "ws://x/", "headers": {"Sec-WebSocket-Key": "b"}}, "headers"),
        ({"url": "ws://x/", "headers": {"host": "b"}}, "headers"),
    ],
)
async def test_a_bad_request_names_the_field(
    server: RunningSwitch, fields: dict[str, Any], named: str
) -> None:
    response = await create(server, **fields)
    assert response.status_code == 400
    assert response.json()["error"].startswith(f"{named}: ")
    assert server.events.events == []


async def test_credentials_in_the_url_do_not_show(server: RunningSwitch) -> None:
    response = await create(server, url="ws://user:secret@127.0.0.1:1/")
    await server.leg_ended(response.json()["id"])
    assert (await server.events.wait("leg.ringing"))["uri"] == "ws://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (503, "service_unavailable"),
        (500, "ws_dial_failed"),
        (200, "ws_dial_failed"),
    ],
)
async def test_a_server_that_refuses(server: RunningSwitch, status: int, reason: str) -> None:
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(http.HTTPStatus(status), "no\n")

    async def never(connection: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as listener:
        response = await create(server, url=address(listener), ring_timeout=5)
        cdr = await server.leg_ended(response.json()["id"])
    assert (cdr["reason"], cdr["duration_answered"]) == (reason, 0)


async def test_nobody_listens(server: RunningSwitch) -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as listener:
        gone = address(listener)
    response = await create(server, url=gone)
    assert (await server.leg_ended(response.json()["id"]))["reason"] == "ws_dial_failed"


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A server that takes connections and says nothing; and whether its caller has gone."""
    gone = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        gone.set()
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as listener:
        yield address(listener), gone


async def test_nobody_answers(server: RunningSwitch) -> None:
    async with silent() as (url, gone):
        response = await create(server, url=url, ring_timeout=1)
        assert response.json()["state"] == "ringing"
        cdr = await server.leg_ended(response.json()["id"])
        assert cdr["reason"] == "ring_timeout"
        assert cdr["duration_total"] == pytest.approx(1, abs=0.5)
        await gone.wait()


async def test_hung_up_while_dialling(server: RunningSwitch) -> None:
    async with silent() as (url, gone):
        leg_id = (await create(server, url=url)).json()["id"]
        await server.http.delete(f"/legs/{leg_id}")
        assert (await server.leg_ended(leg_id))["reason"] == "api_hangup"
        await gone.wait()


async def test_the_server_stops_while_dialling(server: RunningSwitch) -> None:
    async with silent() as (url, gone):
        leg_id = (await create(server, url=url)).json()["id"]
        await server.switch.stop()
        assert (await server.leg_ended(leg_id))["reason"] == "api_hangup"
        await gone.wait()


async def test_something_else_answers(server: RunningSwitch) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as listener:
        response = await create(server, url=address(listener))
        assert (await server.leg_ended(response.json()["id"]))["reason"] == "ws_dial_failed"


async def test_the_api_hangs_up(server: RunningSwitch) -> None:
    async with dialled(server) as (leg_id, bot):
        await server.events.wait("leg.connected", leg_id=leg_id)
        await server.http.delete(f"/legs/{leg_id}")
        assert (await server.leg_ended(leg_id))["reason"] == "api_hangup"
        await bot.closed.wait()
        assert (bot.socket.close_code, bot.socket.close_reason) == (1000, "api_hangup")


async def test_the_call_is_long_enough(server: RunningSwitch) -> None:
    async with dialled(server, max_duration=1) as (leg_id, _):
        cdr = await server.leg_ended(leg_id)
        assert cdr["reason"] == "max_duration"


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, "hangup"), (1001, "hangup"), (1011, "ws_error")]
)
async def test_the_bot_closes(server: RunningSwitch, code: int, reason: str) -> None:
    async with dialled(server) as (leg_id, bot):
        await server.events.wait("leg.connected", leg_id=leg_id)
        await bot.socket.close(code)
        assert (await server.leg_ended(leg_id))["reason"] == reason


async def test_the_connection_breaks(server: RunningSwitch) -> None:
    async with dialled(server) as (leg_id, bot):
        await server.events.wait("leg.connected", leg_id=leg_id)
        bot.socket.transport.abort()
        assert (await server.leg_ended(leg_id))["reason"] == "connection_reset"


@pytest.mark.usefixtures("impatience")
async def test_a_bot_that_shows_no_life(server: RunningSwitch) -> None:
    async with dialled(server) as (leg_id, bot):
        await server.events.wait("leg.connected", leg_id=leg_id)
        await bot.receives(type="ping")
        bot.socket.transport.pause_reading()
        assert (await server.leg_ended(leg_id))["reason"] == "timeout"
        bot.socket.transport.resume_reading()


async def test_a_bot_that_does_not_read(server: RunningSwitch) -> None:
    async with dialled(server, rtt=True) as (leg_id, bot):
        await server.events.wait("leg.connected", leg_id=leg_id)
        bot.socket.transport.pause_reading()
        call = server.switch.legs.get(leg_id).call
        for _ in range(100):
            call.send_text("x" * 100_000)
        assert (await server.leg_ended(leg_id))["reason"] == "peer_slow"
        bot.socket.transport.resume_reading()


async def test_no_media_to_be_had(server: RunningSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("too many open files")

    monkeypatch.setattr(server.switch.media, "open_ring", fail)
    async with dialled(server) as (leg_id, bot):
        assert (await server.leg_ended(leg_id))["reason"] == "server_error"
        await bot.closed.wait()
        assert bot.socket.close_code == 1011


async def test_it_calls_itself(server: RunningSwitch) -> None:
    response = await create(server, url=f"{server.ws}/legs/websocket?rtt=true", rtt=True)
    leg_id = response.json()["id"]
    inbound = await server.events.wait("leg.connected", leg_type="websocket_in")
    await server.events.wait("leg.connected", leg_id=leg_id)
    server.switch.legs.get(leg_id).call.send_text("to myself")
    await server.events.wait("rtt.received", leg_id=inbound["leg_id"], text="to myself")
    await server.http.delete(f"/legs/{leg_id}")
    await server.leg_ended(leg_id)
    assert (await server.leg_ended(inbound["leg_id"]))["reason"] == "hangup"
