"""How answers and errors look on the wire."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response

from hookswitch.errors import BadRequest, Conflict, HookswitchError
from hookswitch.mixer.topology import CommandError
from hookswitch.operations.operation import Answer

log = logging.getLogger(__name__)

MAX_BODY = 1 << 20
"""Longest request body in bytes."""


def stamped(answer: Answer, instance_id: str) -> Any:
    """The answer with ``instance_id`` in its object, or in each object of its list."""
    if isinstance(answer, Mapping):
        return {"instance_id": instance_id, **answer}
    return [{"instance_id": instance_id, **item} for item in answer]


def json_response(content: Any, status: int = 200) -> Response:
    """Compact JSON."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(body, status, media_type="application/json")


def error_response(status: int, message: str, instance_id: str) -> Response:
    """The one form of all errors."""
    return json_response({"instance_id": instance_id, "error": message}, status)


def translated(error: Exception) -> HookswitchError:
    """Any exception of an operation as one with a status; what nobody foresaw is logged."""
    if isinstance(error, HookswitchError):
        return error
    if isinstance(error, CommandError):
        return Conflict(str(error))
    log.error("an operation failed", exc_info=error)
    return HookswitchError("internal error; the server's log has the details")


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object; an empty body is an empty object. Raises BadRequest."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise BadRequest(f"body: longer than {MAX_BODY} bytes")
    if not body.strip():
        return {}
    return json_object(bytes(body), "body")


def json_object(text: str | bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object. Raises BadRequest that starts with ``name``."""
    try:
        data = json.loads(text)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair cannot be answered
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name}: malformed JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadRequest(f"{name}: must be a JSON object")
    return data
