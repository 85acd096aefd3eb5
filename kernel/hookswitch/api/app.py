"""The application: everything HTTP, put together for one switch."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match
from starlette.types import ASGIApp

from hookswitch import __version__
from hookswitch.errors import NotFound
from hookswitch.switch import Switch

from .answers import error_response, json_response
from .asgi_socket import deny
from .browsers import BrowserGuard
from .guard import DOCS_ASSETS, AddressGuard, KeyGuard
from .metrics import Metrics
from .openapi import describe
from .rest import absent_routes, operation_routes
from .room_ws import room_ws_routes
from .upgrade import ERROR_CONTENT
from .vsi import vsi_routes

PREFIX = "/v1"


def create_app(switch: Switch) -> ASGIApp:
    """The ASGI application of a switch."""
    # The page comes with its scripts: many servers, and browsers near them, reach no CDN.
    app = FastAPIOffline(
        title="hookswitch", version=__version__, redoc_url=None, static_url=DOCS_ASSETS.rstrip("/")
    )
    plugins: list[APIRouter] = switch.plugins.collect("register_routes", APIRouter, switch=switch)
    present = {
        (method, route.path)
        for router in plugins
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    # Plugins come first: /legs/websocket must not be taken for the leg "websocket".
    routers = [
        *plugins,
        absent_routes(switch, present),
        room_ws_routes(switch),
        vsi_routes(switch),
        operation_routes(switch),
    ]
    for router in routers:
        app.include_router(router, prefix=PREFIX)
        app.include_router(router, include_in_schema=False)
    _add_health(app, switch)
    _add_errors(app, switch)
    describe(
        app,
        switch.operations,
        keys_needed=bool(switch.settings.api_keys.get_secret_value()),
    )
    inner: ASGIApp = KeyGuard(app, switch.settings, switch.instance_id)
    if switch.settings.cors_origins:
        # Outside the check of keys: a page must be able to read that its key was refused.
        inner = CORSMiddleware(
            inner,
            allow_origins=list(switch.settings.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
        )
    inner = BrowserGuard(inner, switch.settings, switch.instance_id)
    return AddressGuard(inner, switch.settings, switch.instance_id)


def _add_health(app: FastAPI, switch: Switch) -> None:
    metrics = Metrics(switch)

    @app.get("/healthz", tags=["server"], summary="Whether the server runs")
    async def healthz() -> Response:
        return json_response({"instance_id": switch.instance_id, "status": "ok"})

    not_ready = {"description": "The server drains or is overloaded", "content": ERROR_CONTENT}

    @app.get(
        "/readyz",
        tags=["server"],
        summary="Whether the server takes calls",
        responses={503: not_ready},
    )
    async def readyz() -> Response:
        if (why := switch.overload()) is not None:
            return error_response(503, why, switch.instance_id)
        return json_response({"instance_id": switch.instance_id, "status": "ready"})

    @app.get("/metrics", tags=["server"], summary="Metrics in Prometheus' text format")
    async def metrics_text() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_errors(app: FastAPI, switch: Switch) -> None:
    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail}"
        response = error_response(error.status_code, message, switch.instance_id)
        if error.status_code == 405:
            response.headers["Allow"] = ", ".join(_allowed(app, request))
        return response

    @app.websocket("/{path:path}")
    async def unknown(websocket: WebSocket, path: str) -> None:
        await deny(websocket, NotFound(f"/{path}: no WebSocket here"), switch.instance_id)


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """The methods of a path; Starlette knows those of its first route only."""
    return [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        for scope in [{**request.scope, "method": method}]
        if any(route.matches(scope)[0] is Match.FULL for route in app.routes)
    ]
