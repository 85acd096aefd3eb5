"""Legs that arrive: ``GET /legs/websocket``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse

from hookswitch.api.asgi_socket import AsgiSocket, deny
from hookswitch.plugin import Forbidden, Leg, OperationFailed, Switch
from hookswitch.websocket.socket import SocketClosed

from .call import WebSocketCall
from .requests import ConnectLeg, captured_headers

if TYPE_CHECKING:
    from .transport import WebSocketTransport

PATH = "/legs/websocket"


def inbound_routes(switch: Switch, transport: WebSocketTransport) -> APIRouter:
    """The upgrade, and an answer to those who forget to ask for it."""
    router = APIRouter(tags=["legs"])

    @router.websocket(PATH)
    async def connect(websocket: WebSocket) -> None:
        try:
            query = ConnectLeg.from_query(websocket.query_params)
            transport.check(query)
            leg = switch.create_leg("websocket_in", query.options(_headers(websocket)))
        except Exception as problem:
            await deny(websocket, problem, switch.instance_id)
            return
        call = transport.call(leg, query)
        await _serve(switch, websocket, leg, call)

    @router.get(
        PATH,
        summary="Connect a WebSocket as a leg (HTTP upgrade)",
        status_code=426,
        responses=_RESPONSES,
        openapi_extra={"parameters": _parameters()},
    )
    async def without_upgrade(request: Request) -> Response:
        body = {
            "instance_id": switch.instance_id,
            "error": f"{PATH} is a WebSocket: connect to it with an Upgrade request",
        }
        return JSONResponse(body, 426, {"Upgrade": "websocket"})

    return router


async def _serve(switch: Switch, websocket: WebSocket, leg: Leg, call: WebSocketCall) -> None:
    socket = AsgiSocket(websocket)
    try:
        await _admit(switch, leg, call)
        await call.open()
        await socket.accept()
        leg.ringing(source_address=_source(websocket))
        await call.talk(socket)
    except SocketClosed as closed:
        call.ending.end(closed.reason)
    except Exception as problem:
        call.failed(problem)
        await deny(websocket, problem, switch.instance_id)
    finally:
        await call.close(socket)


async def _admit(switch: Switch, leg: Leg, call: WebSocketCall) -> None:
    """Raises Forbidden when a plugin refuses, OperationFailed when there is no room to be had."""
    if (reason := switch.admit(leg)) is not None:
        call.ending.end(reason)
        raise Forbidden(f"the call was refused: {reason}")
    switch.route(leg)
    if leg.pending_room is not None:
        try:
            await switch.rooms.ensure(leg.pending_room, leg.app_id)
        except Exception as error:
            raise OperationFailed(f"room_id: cannot create the room: {error}") from error


def _headers(websocket: WebSocket) -> dict[str, str]:
    key = websocket.scope.get("api_key")
    return captured_headers(websocket.headers.items(), key.secret if key else None)


def _source(websocket: WebSocket) -> str | None:
    client = websocket.client
    return f"{client.host}:{client.port}" if client else None


def _parameters() -> list[dict[str, Any]]:
    """The query, for OpenAPI."""
    properties = ConnectLeg.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "in": "query",
            "description": schema.pop("description"),
            "schema": schema,
        }
        for name, schema in properties.items()
    ]


_RESPONSES: dict[int | str, dict[str, Any]] = {
    101: {"description": "Switching Protocols: the upgrade succeeded"},
    400: {"description": "Invalid query parameters"},
    403: {"description": "A plugin refused the call"},
    426: {"description": "Not an upgrade request"},
    500: {"description": "The room could not be created"},
    503: {"description": "The server drains or is overloaded"},
}
