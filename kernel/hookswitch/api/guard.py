"""The door: an ASGI layer that turns away callers before any route sees them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hookswitch.settings import KernelSettings

from .answers import error_response
from .keys import AllowedAddresses, ApiKey, key_for, parse_keys

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
"""Paths that need no key (but an allowed address)."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_READABLE_STREAMS = frozenset({"/vsi", "/v1/vsi"})
"""WebSockets a read key may open; the stream itself refuses it commands that change something."""


class Guard:
    """Checks the caller's address and key. Puts the key into ``scope["api_key"]``."""

    def __init__(self, app: ASGIApp, settings: KernelSettings, instance_id: str) -> None:
        self._app = app
        self._allowed = AllowedAddresses(settings.allowed_ips)
        self._keys = parse_keys(settings.api_keys)
        self._trust_proxy = settings.trust_proxy_headers
        self._instance_id = instance_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._address(scope, headers) not in self._allowed:
            await self._refuse(403, "your address is not allowed here", scope, receive, send)
            return
        if self._keys and scope["path"] not in OPEN_PATHS and not _is_preflight(scope, headers):
            key = key_for(self._keys, _secret(scope, headers))
            if key is None:
                message = "an API key is needed: Authorization: Bearer <secret>"
                await self._refuse(401, message, scope, receive, send)
                return
            if key.scope == "read" and not _reads(scope):
                message = f"key {key.name} may only read"
                await self._refuse(403, message, scope, receive, send)
                return
            scope["api_key"] = key
        await self._app(scope, receive, send)

    def _address(self, scope: Scope, headers: Headers) -> str:
        if self._trust_proxy and (forwarded := headers.get("x-forwarded-for")):
            return forwarded.rpartition(",")[2].strip()
        return str(scope["client"][0]) if scope.get("client") else ""

    async def _refuse(
        self, status: int, message: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        response = error_response(status, message, self._instance_id)
        if status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        if scope["type"] == "websocket":
            await receive()  # the connect event
        await response(scope, receive, send)


def may_control(scope: dict[str, Any] | Scope) -> bool:
    """Whether the caller's key (if keys are used at all) allows to change something."""
    key: ApiKey | None = scope.get("api_key")
    return key is None or key.scope == "control"


def _secret(scope: Scope, headers: Headers) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scope["type"] == "websocket":
        query = parse_qs(scope["query_string"].decode("latin-1"))
        secret: list[str] = query.get("api_key", [""])
        return secret[0]
    return ""


def _reads(scope: Scope) -> bool:
    if scope["type"] == "websocket":
        return scope["path"] in _READABLE_STREAMS
    return scope["method"] in _READING


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    """A browser asks for permission without credentials."""
    return scope.get("method") == "OPTIONS" and "access-control-request-method" in headers
