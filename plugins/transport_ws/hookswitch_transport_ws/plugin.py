"""What the kernel is offered."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from hookswitch.plugin import Settings, Switch, Transport, hookimpl, load

from .inbound import inbound_routes
from .settings import WebSocketSettings
from .transport import WebSocketTransport


@hookimpl
def register_settings() -> type[Settings]:
    return WebSocketSettings


@hookimpl
def register_transports(switch: Switch) -> Sequence[Transport]:
    return [WebSocketTransport(switch, load(WebSocketSettings))]


@hookimpl
def register_routes(switch: Switch) -> APIRouter | None:
    transport = switch.transports.get("websocket")
    if not isinstance(transport, WebSocketTransport):
        return None  # another plugin serves WebSocket legs
    return inbound_routes(switch, transport)
