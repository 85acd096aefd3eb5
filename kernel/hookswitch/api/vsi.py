"""The event stream ``/vsi``: every event over one WebSocket, and commands the other way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from hookswitch.errors import BadRequest, Forbidden, HookswitchError, NotFound, NotSupported
from hookswitch.events.stream import EventStream, StreamClosed
from hookswitch.operations.absent import COMMANDS, install_hint
from hookswitch.operations.model import parse
from hookswitch.operations.operation import Operation
from hookswitch.switch import Switch

from .answers import error_response, json_object, stamped, translated
from .asgi_socket import AsgiSocket
from .guard import may_control
from .upgrade import add_upgrade_hint

PING_EVERY = 30.0
WRITE_WITHIN = 5.0
"""Seconds a frame may take to be written before the stream is closed."""

MAX_COMMANDS = 64
"""Commands of one connection under way at once; further ones wait their turn."""

_QUERY = {
    "app_id": "Regular expression: events of these applications only",
    "after": "Cursor of an event: begin with what came after it",
}

_ALIASES = {"id": ("leg_id", "room_id"), "room_id": ("id",), "leg_id": ("id",)}


def vsi_routes(switch: Switch) -> APIRouter:
    """The route of the event stream."""
    router = APIRouter()
    commands = {operation.command: operation for operation in switch.operations}

    @router.websocket("/vsi")
    async def vsi(websocket: WebSocket) -> None:
        try:
            stream = _subscribe(switch, websocket)
        except HookswitchError as error:
            response = error_response(error.status, error.message, switch.instance_id)
            await websocket.send_denial_response(response)
            return
        try:
            await websocket.accept()
            await _Connection(switch, websocket, stream, commands).run()
        finally:
            switch.events.unsubscribe(stream)

    add_upgrade_hint(
        router,
        "/vsi",
        switch,
        tag="events",
        summary="Read the event stream, and send commands",
        description="Every event as a JSON text message; a message the other way is a command.",
        parameters=[
            {"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}}
            for name, meaning in _QUERY.items()
        ],
        errors={400: "Invalid query parameters"},
    )
    return router


def _subscribe(switch: Switch, websocket: WebSocket) -> EventStream:
    query = websocket.query_params
    after = query.get("after") or None
    if after is not None and not (after.isascii() and after.isdigit()):
        raise BadRequest("after: must be the cursor of an event")
    return switch.events.stream(
        app_id=query.get("app_id") or None,
        after=None if after is None else int(after),
        buffer_size=switch.settings.vsi_event_buffer_size,
    )


class _Connection:
    """One reader of the stream."""

    def __init__(
        self,
        switch: Switch,
        websocket: WebSocket,
        stream: EventStream,
        commands: Mapping[str, Operation],
    ) -> None:
        self._switch, self._websocket, self._stream = switch, websocket, stream
        self._commands = commands
        self._socket = AsgiSocket(websocket)
        self._writing = asyncio.Lock()
        self._slots = asyncio.Semaphore(MAX_COMMANDS)
        self._pings = 0

    async def run(self) -> None:
        """Serve until either side ends it."""
        with suppress(WebSocketDisconnect, TimeoutError, RuntimeError, OSError):
            await self._send({"type": "connected"})
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._quietly(work))
                    for work in (self._tell_events, self._ping)
                ]
                await self._quietly(lambda: self._read(group))
                for task in tasks:
                    task.cancel()
        await self._socket.close(1000, "")

    async def _quietly(self, work: Callable[[], Any]) -> None:
        """Run a part of the connection; when the peer is gone, end the reading too."""
        try:
            await work()
        except (WebSocketDisconnect, TimeoutError, RuntimeError, OSError, StreamClosed):
            self._stream.close()

    async def _tell_events(self) -> None:
        try:
            while True:
                await self._write((await self._stream.next()).decode())
        finally:
            # wakes the reader, which has nobody to read for any more
            await self._socket.close(1000, "")

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY)
            self._pings += 1
            await self._send({"type": "ping", "seq": self._pings, "event_id": self._pings})

    async def _read(self, group: asyncio.TaskGroup) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or (message.get("bytes") or b"").decode("utf-8", "replace")
            if not await self._take(text, group):
                return

    async def _take(self, text: str, group: asyncio.TaskGroup) -> bool:
        """Take one message of the peer; answers whether to go on."""
        try:
            message = json_object(text, "message")
        except BadRequest as error:
            await self._send_error(None, error)
            return True
        if message.get("type") == "stop":
            return False
        if message.get("type") not in ("pong", "ping"):
            await self._slots.acquire()
            group.create_task(self._command(message))
        elif message["type"] == "ping":
            await self._send({"type": "pong"})
        return True

    async def _command(self, message: dict[str, Any]) -> None:
        request_id = message.get("request_id")
        try:
            answer = await self._execute(message.get("type"), message.get("payload") or {})
            reply = {"type": f"{message['type']}.result", "request_id": request_id, "data": answer}
            await self._quietly(lambda: self._send(reply))
        except Exception as problem:
            error = translated(problem)
            await self._quietly(lambda: self._send_error(request_id, error))
        finally:
            self._slots.release()

    async def _execute(self, command: Any, payload: Any) -> Any:
        if not isinstance(command, str):
            raise BadRequest("type: required, a string")
        if command not in self._commands:
            if command in COMMANDS:
                raise NotSupported(install_hint(f"the command {command}", COMMANDS[command]))
            raise NotFound(f"type: {command!r} is no command")
        if not isinstance(payload, dict):
            raise BadRequest("payload: must be a JSON object")
        operation = self._commands[command]
        if operation.method != "GET" and not may_control(self._websocket.scope):
            raise Forbidden("your key may only read")
        ids = path_ids(operation.path, payload)
        parsed = None if operation.request is None else parse(operation.request, payload)
        answer = await operation.perform(self._switch, ids, parsed)
        return stamped(answer, self._switch.instance_id)

    async def _send_error(self, request_id: Any, error: HookswitchError) -> None:
        data = {"code": error.status, "message": error.message}
        await self._send({"type": "error", "request_id": request_id, "data": data})

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._write(json.dumps(message, separators=(",", ":"), ensure_ascii=False))

    async def _write(self, text: str) -> None:
        try:
            async with self._writing, asyncio.timeout(WRITE_WITHIN):
                await self._websocket.send_text(text)
        except TimeoutError:
            self._socket.abort()  # a close frame would wait behind what is not read
            raise


def path_ids(path: str, payload: Mapping[str, Any]) -> dict[str, str]:
    """The ids of an operation's path, from a payload. Raises BadRequest naming one that lacks."""
    ids = {}
    for part in path.split("/"):
        if not part.startswith("{"):
            continue
        name = part[1:-1]
        values = [payload[key] for key in (name, *_ALIASES.get(name, ())) if payload.get(key)]
        if not values or not isinstance(values[0], str):
            raise BadRequest(f"{name}: required, a string")
        ids[name] = values[0]
    return ids
