"""Operations as REST routes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from hookswitch.operations.absent import OPERATIONS, install_hint
from hookswitch.operations.model import OneOf, parse
from hookswitch.operations.operation import Operation
from hookswitch.switch import Switch

from .answers import error_response, json_body, json_response, stamped, translated
from .upgrade import ERROR_CONTENT

Endpoint = Callable[[Request], Awaitable[Response]]


def operation_routes(switch: Switch) -> APIRouter:
    """A route for each operation."""
    router = APIRouter()
    for operation in switch.operations:
        router.add_api_route(
            operation.path,
            _endpoint(switch, operation),
            methods=[operation.method],
            status_code=operation.status,
            name=operation.command,
            summary=operation.summary,
            tags=[operation.tag],
            openapi_extra=_documented(operation),
        )
    return router


def absent_routes(switch: Switch, present: set[tuple[str, str]]) -> APIRouter:
    """A route for each operation that would come with a package, unless it is there."""
    router = APIRouter()
    offered = present | {(operation.method, operation.path) for operation in switch.operations}
    have = {(method, _shape(path)) for method, path in offered}
    for _, method, path, extra in OPERATIONS:
        if (method, _shape(path)) not in have:
            router.add_api_route(
                path,
                _absent(switch, f"{method} {path}", extra),
                methods=[method],
                include_in_schema=False,
            )
    return router


def _shape(path: str) -> str:
    """A path whatever its ids are called."""
    return re.sub(r"{\w+}", "{}", path)


def _endpoint(switch: Switch, operation: Operation) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            parsed = None
            if operation.request is not None:
                parsed = parse(operation.request, await _fields(request))
            answer = await operation.perform(switch, request.path_params, parsed)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception as problem:
            error = translated(problem)
            return error_response(error.status, error.message, switch.instance_id)
        return json_response(stamped(answer, switch.instance_id), operation.status)

    return endpoint


async def _fields(request: Request) -> Any:
    """The body; of a DELETE, which many clients send without one, the query too."""
    body = await json_body(request)
    if request.method == "DELETE" and request.query_params and isinstance(body, dict):
        return {**request.query_params, **body}
    return body


def _absent(switch: Switch, what: str, extra: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return error_response(501, install_hint(what, extra), switch.instance_id)

    return endpoint


def _documented(operation: Operation) -> dict[str, Any]:
    """The OpenAPI parts FastAPI cannot see, since the routes take raw requests."""
    extra: dict[str, Any] = {"responses": {}, "parameters": _parameters(operation.path)}
    for status, meaning in {400: "Invalid request", **operation.errors}.items():
        extra["responses"][str(status)] = {
            "description": meaning,
            "content": ERROR_CONTENT,
        }
    if operation.answer is not None:
        ref = {"$ref": f"#/components/schemas/{operation.answer.__name__}"}
        extra["responses"][str(operation.status)] = {
            "content": {"application/json": {"schema": ref}}
        }
    if operation.request is not None:
        models = (
            list(operation.request.models.values())
            if isinstance(operation.request, OneOf)
            else [operation.request]
        )
        refs = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
        schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
        extra["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return extra


def _parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
        for part in path.split("/")
        if part.startswith("{")
    ]
