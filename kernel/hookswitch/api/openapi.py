"""The OpenAPI document, completed with the models of all operations."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from hookswitch import __version__
from hookswitch.operations.model import ApiModel, OneOf
from hookswitch.operations.operation import Operation

from .guard import OPEN_PATHS

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "instance_id": {"type": "string", "description": "Instance identifier"},
        "error": {"type": "string", "description": "What went wrong, and with which field"},
    },
}


_KEYS = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "The secret of one of API_KEYS, if the server has any: 401 without one, 403 "
        "for what the key may not do",
    },
    "key_in_query": {
        "type": "apiKey",
        "in": "query",
        "name": "api_key",
        "description": "The same for WebSockets, whose headers a browser cannot set",
    },
}


def describe(app: FastAPI, operations: list[Operation], *, keys_needed: bool) -> None:
    """Have ``app.openapi()`` contain the operations' models, and what keys are for."""
    base = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = base()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(_model_schemas(operations), Error=_ERROR)
            document["info"]["version"] = __version__
            _add_keys(document, keys_needed)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _add_keys(document: dict[str, Any], needed: bool) -> None:
    document["components"]["securitySchemes"] = _KEYS
    by_header: list[dict[str, list[str]]] = [{"key": []}, *([] if needed else [{}])]
    document["security"] = by_header
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path in OPEN_PATHS:
                operation["security"] = []
            elif "101" in operation["responses"]:
                operation["security"] = [{"key_in_query": []}, *by_header]


def _model_schemas(operations: list[Operation]) -> dict[str, Any]:
    models: set[type[ApiModel]] = set()
    for operation in operations:
        if isinstance(operation.request, OneOf):
            models.update(operation.request.models.values())
        elif operation.request is not None:
            models.add(operation.request)
        if operation.answer is not None:
            models.add(operation.answer)
    if not models:
        return {}
    _, document = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda m: m.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    definitions: dict[str, Any] = document.get("$defs", {})
    return definitions
