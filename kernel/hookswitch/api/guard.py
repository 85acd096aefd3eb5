"""The door: ASGI layers that turn away callers before any route sees them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hookswitch.settings import KernelSettings

from .answers import error_response
from .keys import AllowedAddresses, ApiKey, key_for, parse_keys

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
"""Paths that need no key (but an allowed address)."""

DOCS_ASSETS = "/docs/assets/"
"""Below it is what the page ``/docs`` is made of; as open as the page."""

CALLERS = ("http", "websocket")
"""Types of ASGI scopes behind which somebody is."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_READABLE_STREAMS = frozenset({"/vsi", "/v1/vsi"})
"""WebSockets a read key may open; the stream itself refuses it commands that change something."""


class AddressGuard:
    """Checks where the caller is."""

    def __init__(self, app: ASGIApp, settings: KernelSettings, instance_id: str) -> None:
        self._app = app
        self._allowed = AllowedAddresses(settings.allowed_ips)
        self._trust_proxy = settings.trust_proxy_headers
        self._instance_id = instance_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in CALLERS and self._address(scope) not in self._allowed:
            response = error_response(403, "your address is not allowed here", self._instance_id)
            await refuse(response, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _address(self, scope: Scope) -> str:
        if self._trust_proxy and (forwarded := Headers(scope=scope).get("x-forwarded-for")):
            return forwarded.rpartition(",")[2].strip()
        return str(scope["client"][0]) if scope.get("client") else ""


class KeyGuard:
    """Checks the caller's key, if keys are used, and puts it into ``scope["api_key"]``."""

    def __init__(self, app: ASGIApp, settings: KernelSettings, instance_id: str) -> None:
        self._app = app
        self._keys = parse_keys(settings.api_keys)
        self._instance_id = instance_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in CALLERS and self._keys and not _is_open(scope):
            key = key_for(self._keys, _secret(scope, Headers(scope=scope)))
            if key is None:
                message = "an API key is needed: Authorization: Bearer <secret>"
                response = error_response(401, message, self._instance_id)
                response.headers["WWW-Authenticate"] = "Bearer"
                await refuse(response, scope, receive, send)
                return
            if key.scope == "read" and not _reads(scope):
                message = f"key {key.name} may only read"
                response = error_response(403, message, self._instance_id)
                await refuse(response, scope, receive, send)
                return
            scope["api_key"] = key
        await self._app(scope, receive, send)


async def refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer instead of the application."""
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


def _is_open(scope: Scope) -> bool:
    """Paths for everybody; and a browser asks for permission without credentials."""
    path: str = scope["path"]
    return path in OPEN_PATHS or path.startswith(DOCS_ASSETS) or is_preflight(scope)


def is_preflight(scope: Scope) -> bool:
    """Whether a browser asks what a page of another origin may do."""
    asks = "access-control-request-method" in Headers(scope=scope)
    return scope.get("method") == "OPTIONS" and asks
