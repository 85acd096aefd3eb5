"""What is to be had as a WebSocket only: documented, and told to those who do not upgrade."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from hookswitch.switch import Switch

from .answers import error_response

ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
"""The body of every error, for OpenAPI."""


def add_upgrade_hint(
    router: APIRouter,
    path: str,
    switch: Switch,
    *,
    tag: str,
    summary: str,
    description: str,
    parameters: list[dict[str, Any]],
    errors: dict[int, str],
) -> None:
    """Add a GET route beside the WebSocket: 426 for callers, documentation for readers."""

    async def without_upgrade() -> Response:
        message = f"{path} is a WebSocket: connect to it with an Upgrade request"
        response = error_response(426, message, switch.instance_id)
        response.headers.update({"Upgrade": "websocket", "Connection": "Upgrade"})
        return response

    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": meaning, "content": ERROR_CONTENT}
        for status, meaning in {**errors, 426: "Not an upgrade request"}.items()
    }
    responses[101] = {"description": "Switching Protocols: the upgrade succeeded"}
    router.add_api_route(
        path,
        without_upgrade,
        methods=["GET"],
        status_code=426,
        name=f"{path.rpartition('/')[2]}_upgrade",
        summary=f"{summary} (HTTP upgrade)",
        description=description,
        tags=[tag],
        responses=responses,
        openapi_extra={"parameters": parameters},
    )
