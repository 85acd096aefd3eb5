"""What passes over an open leg besides audio, and all the ways in which it ends."""

from __future__ import annotations

import asyncio
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hookswitch.mixer.bank import PortReport
from hookswitch.plugin import Conflict, Leg
from hookswitch.testing.recorder import PATIENCE
from hookswitch.testing.server import RunningSwitch
from tests.peers import connected


def url(server: RunningSwitch, query: str = "") -> str:
    return f"{server.ws}/legs/websocket?{query}"


async def new_leg(server: RunningSwitch) -> Leg:
    event = await server.events.wait("leg.connected")
    return server.switch.legs.get(event["leg_id"])


# -- text, pings, complaints


async def test_text_goes_to_the_others_of_the_room(server: RunningSwitch) -> None:
    async with (
        connected(url(server, "room_id=r&rtt=true")) as a,
        connected(
            url(server, "room_id=r&rtt=1&wire_format=json_base64"), 16000, "json_base64"
        ) as b,
        connected(url(server, "room_id=r")) as deaf_to_text,
    ):
        for peer in (a, b, deaf_to_text):
            await peer.hears(0.04)
        await a.send(type="text", text="héllo")
        assert await b.receives(type="text") == {"type": "text", "text": "héllo"}
        event = await server.events.wait("rtt.received")
        assert (event["text"], event["room_id"]) == ("héllo", "r")
        await deaf_to_text.hears(0.04)
        assert deaf_to_text.json == []


async def test_text_from_the_server(server: RunningSwitch) -> None:
    async with connected(url(server, "rtt=true")) as peer:
        leg = await new_leg(server)
        assert leg.call.takes_text
        leg.call.send_text("hi")
        await peer.receives(type="text", text="hi")


async def test_without_the_text_channel(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        leg = await new_leg(server)
        assert not leg.call.takes_text
        with pytest.raises(Conflict):
            leg.call.send_text("hi")
        await peer.send(type="text", text="hi")
        assert "rtt=true" in (await peer.receives(type="error"))["error"]
    assert not [event for event in server.events.events if event["type"] == "rtt.received"]


async def test_a_ping_is_answered_with_its_number(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        await peer.send(type="ping", event_id=7)
        assert await peer.receives(type="pong") == {"type": "pong", "event_id": 7}


async def test_digits_cannot_be_sent(server: RunningSwitch) -> None:
    async with connected(url(server)):
        leg = await new_leg(server)
        response = await server.http.post(f"/legs/{leg.id}/dtmf", json={"digits": "1"})
        assert response.status_code == 500
        response = await server.http.post(f"/legs/{leg.id}/answer")
        assert response.status_code == 400


@pytest.mark.parametrize(
    "message",
    ["{", "[]", "7", "{}", '{"type":"dance"}', '{"type":"text","text":"\\ud800"}', "[" * 100_000],
)
async def test_a_message_nobody_understands_is_answered(
    server: RunningSwitch, message: str
) -> None:
    async with connected(url(server, "rtt=true")) as peer:
        await peer.socket.send(message)
        await peer.receives(type="error")
        await peer.hears(0.04)


async def test_complaints_are_not_answered(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        await peer.send(type="error", error="what?")
        await peer.send(type="ping", event_id=1)
        await peer.receives(type="pong")
        assert [message["type"] for message in peer.json] == ["pong"]


# -- ends


async def test_the_peer_hangs_up(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        leg = await new_leg(server)
        await peer.send(type="hangup")
        assert (await server.leg_ended(leg.id))["reason"] == "hangup"
        await peer.closed.wait()
        assert peer.socket.close_code == 1000


async def test_the_api_hangs_up(server: RunningSwitch) -> None:
    async with connected(url(server, "room_id=r")) as peer:
        leg = await new_leg(server)
        response = await server.http.delete(f"/v1/legs/{leg.id}")
        assert response.status_code == 202
        assert (await server.leg_ended(leg.id))["reason"] == "api_hangup"
        await peer.closed.wait()
        assert (peer.socket.close_code, peer.socket.close_reason) == (1000, "api_hangup")


async def test_the_room_is_deleted(server: RunningSwitch) -> None:
    async with connected(url(server, "room_id=r")) as peer:
        leg = await new_leg(server)
        await server.events.wait("leg.joined_room")
        await server.http.delete("/rooms/r")
        assert (await server.leg_ended(leg.id))["reason"] == "room_deleted"
        await peer.closed.wait()


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, "hangup"), (1001, "hangup"), (1011, "ws_error")]
)
async def test_the_peer_closes(server: RunningSwitch, code: int, reason: str) -> None:
    async with connected(url(server)) as peer:
        leg = await new_leg(server)
        await peer.socket.close(code)
        assert (await server.leg_ended(leg.id))["reason"] == reason


async def test_the_connection_breaks(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        leg = await new_leg(server)
        peer.socket.transport.abort()
        assert (await server.leg_ended(leg.id))["reason"] == "connection_reset"


async def test_a_message_that_is_too_long(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        leg = await new_leg(server)
        await peer.socket.send(bytes(1 << 21))
        assert (await server.leg_ended(leg.id))["reason"] == "ws_error"


async def test_the_peer_breaks_the_protocol(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        leg = await new_leg(server)
        peer.socket.transport.write(b"\xff" * 64)
        assert (await server.leg_ended(leg.id))["reason"] == "ws_error"


@pytest.mark.usefixtures("impatience")
async def test_a_peer_that_only_listens_is_kept(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        await peer.receives(type="ping", event_id=1)
        await peer.receives(type="ping", event_id=5)
        await peer.hears(0.04)


def upgrade_by_hand(server: RunningSwitch, buffer: int | None = None) -> socket.socket:
    """A connection that does nothing after its upgrade request."""
    host, port = server.ws.removeprefix("ws://").split(":")
    raw = socket.socket()
    if buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    raw.connect((host, int(port)))
    raw.sendall(
        b"GET /legs/websocket?sample_rate=48000 HTTP/1.1\r\n"
        b"Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    return raw


@pytest.mark.usefixtures("impatience")
async def test_a_peer_that_shows_no_life(server: RunningSwitch) -> None:
    with upgrade_by_hand(server):
        leg = await new_leg(server)
        assert (await server.leg_ended(leg.id))["reason"] == "timeout"


async def test_a_peer_that_does_not_read(server: RunningSwitch) -> None:
    with upgrade_by_hand(server, buffer=2048):
        leg = await new_leg(server)
        fill_up(leg)
        assert (await server.leg_ended(leg.id))["reason"] == "peer_slow"


def fill_up(leg: Leg) -> None:
    """Have the server say more than all buffers on the way hold."""
    for _ in range(64):
        leg.call._session.send(bytes(1 << 17))  # type: ignore[attr-defined]


async def test_a_peer_that_does_not_read_is_hung_up_all_the_same(server: RunningSwitch) -> None:
    with upgrade_by_hand(server, buffer=2048):
        leg = await new_leg(server)
        leg.call._session.send(bytes(1 << 20))  # type: ignore[attr-defined]
        leg.hang_up("api_hangup")
        assert (await server.leg_ended(leg.id))["reason"] == "api_hangup"


async def test_a_peer_that_vanishes_while_it_connects(server: RunningSwitch) -> None:
    for _ in range(10):
        upgrade_by_hand(server).close()
    async with connected(url(server)) as peer:
        await peer.hears(0.1)
    async with asyncio.timeout(PATIENCE):
        while len(server.switch.legs):
            await next(iter(server.switch.legs)).ended.wait()


async def test_the_server_stops(server: RunningSwitch) -> None:
    async with connected(url(server, "room_id=r")) as peer:
        leg = await new_leg(server)
        await server.switch.stop()
        assert (await server.leg_ended(leg.id))["reason"] == "api_hangup"
        await peer.closed.wait()
        assert peer.socket.close_code == 1000


async def test_media_fails(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        leg = await new_leg(server)
        leg.on_report(PortReport(leg.id, "closed", {"error": "the bank raised"}))
        assert (await server.leg_ended(leg.id))["reason"] == "server_error"
        await peer.closed.wait()
        assert peer.socket.close_code == 1011


async def test_many_come_and_go(server: RunningSwitch) -> None:
    async def call() -> None:
        async with connect(url(server, "room_id=r"), proxy=None, compression=None) as peer:
            await peer.recv()

    await asyncio.gather(*(call() for _ in range(30)))
    async with asyncio.timeout(PATIENCE):
        while len(server.switch.legs):
            await next(iter(server.switch.legs)).ended.wait()
    assert server.open_ports == []


async def test_a_flood_of_pings_does_no_harm(server: RunningSwitch) -> None:
    async with connected(url(server)) as peer:
        try:
            for number in range(5000):
                await peer.send(type="ping", event_id=number)
        except ConnectionClosed:
            pytest.fail("a flood is no reason to hang up")
        await peer.hears(0.04)
        await peer.send(type="hangup")
        await peer.closed.wait()
    assert (await server.events.wait("leg.disconnected"))["cdr"]["reason"] == "hangup"
