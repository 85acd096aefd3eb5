"""Rooms over a bare WebSocket: ``/rooms/{id}/ws`` joins without being a leg."""

from __future__ import annotations

import json
import uuid
from typing import Any

from fastapi import APIRouter, WebSocket

from hookswitch.errors import BadRequest, Unavailable
from hookswitch.mixer.bank import PortReport
from hookswitch.rooms.room import Guest, Room
from hookswitch.switch import Switch
from hookswitch.websocket.pcm import PcmError, pack_pcm, unpack_pcm
from hookswitch.websocket.session import Counters, Ending, Patience, Session
from hookswitch.websocket.socket import Message, SocketClosed

from .answers import json_object
from .asgi_socket import AsgiSocket, deny
from .upgrade import add_upgrade_hint

RATE = 16000
"""Sampling rate of the audio both ways, whatever the room's is."""


def room_ws_routes(switch: Switch) -> APIRouter:
    """The route ``/rooms/{id}/ws``."""
    router = APIRouter()

    @router.websocket("/rooms/{room_id}/ws")
    async def room_ws(websocket: WebSocket, room_id: str) -> None:
        participant = _Participant(switch)
        try:
            await participant.enter(room_id)
            await participant.talk(AsgiSocket(websocket))
        except SocketClosed:
            pass  # gone before the upgrade was complete
        except Exception as problem:
            await deny(websocket, problem, switch.instance_id)
        finally:
            await participant.leave()

    add_upgrade_hint(
        router,
        "/rooms/{room_id}/ws",
        switch,
        tag="rooms",
        summary="Join a room as a bare participant",
        description="Frames of 20 ms at 16 kHz both ways, in JSON; the participant is no leg.",
        parameters=[
            {"name": "room_id", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        errors={404: "Room not found", 503: "The server drains or is overloaded"},
    )
    return router


class _Dialect:
    """Messages of this WebSocket: every one a JSON text."""

    def pack_frame(self, pcm: bytes) -> str:
        return f'{{"audio":"{pack_pcm(pcm)}"}}'

    def pack_ping(self, number: int) -> str:
        return _json(type="ping", event_id=number)


class _Participant:
    """One peer in one room."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._ending = Ending()
        self._session = Session(_Dialect(), RATE, self._ending, Patience(), Counters())
        self._guest = Guest(f"ws-{uuid.uuid4()}", lambda: self._ending.end("room_deleted"))
        self._room: Room | None = None

    async def enter(self, room_id: str) -> None:
        """Join the room. Raises HookswitchError, CommandError."""
        self._room = self._switch.rooms.get(room_id)
        if (why := self._switch.overload()) is not None:
            raise Unavailable(why)
        await self._session.open(self._switch.media, self._guest.id, self._on_report)
        await self._switch.rooms.add_guest(self._room, self._guest, self._guest.id)

    async def talk(self, socket: AsgiSocket) -> None:
        """Serve the peer until it leaves or the room is deleted."""
        await socket.accept()
        self._session.send(
            _json(
                type="connected",
                participant_id=self._guest.id,
                sample_rate=RATE,
                format="pcm_s16le",
            )
        )
        await self._session.run(socket, self._receive)
        await self.leave()
        await self._session.close(socket)

    async def leave(self) -> None:
        """Close the port and leave the room; once is enough, twice does no harm."""
        await self._switch.media.close_port(self._guest.id)
        if self._room is not None:
            await self._switch.rooms.remove_guest(self._room, self._guest)

    def _receive(self, message: Message) -> None:
        try:
            self._take(json_object(message, "message"))
        except BadRequest as error:
            self._session.complain(_json(type="error", error=str(error)))

    def _take(self, message: dict[str, Any]) -> None:
        if "audio" in message:
            try:
                self._session.say(unpack_pcm(message["audio"]))
            except PcmError as error:
                raise BadRequest(f"audio: {error}") from None
        elif message.get("type") == "stop":
            self._ending.end("hangup")
        elif message.get("type") == "ping":
            self._session.reply(_json(type="pong", event_id=message.get("event_id")))
        elif message.get("type") != "pong":
            raise BadRequest(f"type: {message.get('type')!r} is not one of: ping, pong, stop")

    def _on_report(self, report: PortReport) -> None:
        if report.kind == "closed":
            self._ending.end("server_error")


def _json(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"))
