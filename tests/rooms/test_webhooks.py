"""Which webhook an event goes to: the leg's, else its room's, else the server's; all signed."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hookswitch.testing.recorder import PATIENCE
from hookswitch.testing.server import run_switch


class Receiver:
    """Takes webhooks under any path, and keeps them by path."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        self.address = ""
        self._news = asyncio.Event()

    def url(self, path: str) -> str:
        return f"http://{self.address}/{path}"

    def types(self, path: str) -> list[str]:
        return [json.loads(body)["type"] for to, _, body in self.posts if to == f"/{path}"]

    async def wait(self, path: str, event_type: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while event_type not in self.types(path):
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                pairs = (line.split(": ", 1) for line in lines)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                self.posts.append((first.split(" ")[1], headers, body))
                writer.write(b"HTTP/1.1 204 X\r\n\r\n")
                self._news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.address = "{}:{}".format(*server.sockets[0].getsockname())
    async with server:
        yield receiver


def target(receiver: Receiver, path: str) -> dict[str, Any]:
    return {"webhook_url": receiver.url(path), "webhook_secret": f"{path}'s secret"}


async def test_the_most_specific_webhook_is_told(tmp_path: Path) -> None:
    async with (
        receiving() as receiver,
        run_switch(tmp_path, **target(receiver, "global")) as server,
    ):
        await server.ask("POST", "/v1/rooms", {"id": "r", **target(receiver, "room")})
        await server.ask("POST", "/v1/rooms", {"id": "plain"})
        own = (await server.dial(room_id="r", **target(receiver, "leg"))).leg
        plain = (await server.dial(room_id="r")).leg
        for leg in (own, plain):
            await server.ask("POST", f"/v1/legs/{leg.id}/mute")
            await server.ask("POST", "/v1/rooms/plain/legs", {"leg_id": leg.id})
        await server.ask("POST", "/v1/rooms/r/legs", {"leg_id": plain.id})
        for leg in (own, plain):
            await server.ask("DELETE", f"/v1/legs/{leg.id}")
            await leg.ended.wait()
        await server.ask("DELETE", "/v1/rooms/r")
        await asyncio.gather(
            receiver.wait("leg", "leg.disconnected"),
            receiver.wait("room", "leg.disconnected"),
            receiver.wait("room", "room.deleted"),
        )
        assert receiver.types("leg") == [
            "leg.ringing",
            "leg.connected",
            "leg.joined_room",
            "leg.muted",
            "leg.left_room",
            "leg.joined_room",
            "leg.left_room",
            "leg.disconnected",
        ]
        of_leg = [t for t in receiver.types("room") if t.startswith("leg.")]
        assert of_leg == [
            "leg.joined_room",
            "leg.muted",
            "leg.left_room",
            "leg.joined_room",
            "leg.left_room",
            "leg.disconnected",
        ]
        of_leg = [t for t in receiver.types("global") if t.startswith("leg.")]
        assert of_leg == ["leg.ringing", "leg.connected", "leg.joined_room", "leg.left_room"]
        of_rooms = [t for t in receiver.types("room") if t.startswith("room.")]
        assert of_rooms == ["room.created", "room.deleted"]


async def test_a_room_that_is_deleted_hears_of_its_legs_ends(tmp_path: Path) -> None:
    async with (
        receiving() as receiver,
        run_switch(tmp_path, **target(receiver, "global")) as server,
    ):
        await server.ask("POST", "/v1/rooms", {"id": "r", **target(receiver, "room")})
        await server.dial(room_id="r")
        await server.ask("DELETE", "/v1/rooms/r")
        await receiver.wait("room", "leg.disconnected")


async def test_what_is_posted_is_the_event_signed_with_its_targets_secret(
    tmp_path: Path,
) -> None:
    async with receiving() as receiver, run_switch(tmp_path) as server:
        leg = (await server.dial(app_id="shop", **target(receiver, "leg"))).leg
        await server.ask("DELETE", f"/v1/legs/{leg.id}")
        await receiver.wait("leg", "leg.disconnected")
        emitted = [e for e in server.events.events if e.get("leg_id") == leg.id]
        assert [json.loads(body) for _, _, body in receiver.posts] == emitted
        for (_, headers, body), event in zip(receiver.posts, emitted, strict=True):
            digest = hmac.new(b"leg's secret", body, hashlib.sha256).hexdigest()
            assert headers["x-signature-256"] == f"sha256={digest}"
            assert headers["x-event-id"] == event["event_id"]
            assert headers["content-type"] == "application/json"
            assert event["app_id"] == "shop"


async def test_without_a_secret_nothing_is_signed(tmp_path: Path) -> None:
    async with receiving() as receiver, run_switch(tmp_path) as server:
        await server.dial(webhook_url=receiver.url("leg"))
        await receiver.wait("leg", "leg.connected")
        assert all("x-signature-256" not in headers for _, headers, _ in receiver.posts)
