"""What a body holds for us: a session description, alone or among other parts.

A part that we do not understand is passed over if its `handling` is optional; without one it is
required (RFC 3261 section 20.11, RFC 5621). Parts are cut as in RFC 2046.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import ParseError
from .grammar import Params
from .headers import Headers

SDP = "application/sdp"
MULTIPART = "multipart/"

MOST_PARTS = 16
"""More parts in one multipart are an error: no call has as many."""

DEEPEST = 3
"""Multiparts within multiparts that are looked into."""

_LONGEST_BOUNDARY = 70
_FOLD = re.compile(r"(?<![ \t])[ \t]*\r?\n[ \t]+")
"""As in the parser of messages: in linear time."""
_HEAD_END = re.compile(rb"(?:\A|\r?\n)\r?\n")


class Content(NamedTuple):
    """What was found; `refusal` is what to answer a request with that must not be taken."""

    sdp: bytes | None = None
    refusal: int | None = None


NOTHING = Content()


def read(headers: Headers, body: bytes, depth: int = 0) -> Content:
    """Look into a body, or a part of one; never raises."""
    if not body:
        return NOTHING
    try:
        kind, params = _value(headers, "Content-Disposition")
        optional = (params.get("handling") or "").lower() == "optional"
    except ParseError:
        return Content(refusal=400)
    try:
        found = _look_into(headers, body, kind, depth)
    except ParseError:
        found = Content(refusal=400)
    return NOTHING if optional and found.refusal is not None else found


def parts_of(body: bytes, boundary: str) -> list[tuple[Headers, bytes]]:
    """Cut a multipart body. Raises ParseError if it has no part, no end or too many parts."""
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isprintable():
        raise ParseError("Content-Type", "bad boundary")
    mark = re.escape(boundary.encode())
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + mark + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    parts: list[tuple[Headers, bytes]] = []
    start: int | None = None
    for match in delimiter.finditer(body):
        if start is not None:
            parts.append(_part(body[start : match.start()]))
        if match.group(1):
            break
        if len(parts) == MOST_PARTS:
            raise ParseError("body", f"more than {MOST_PARTS} parts")
        start = match.end()
    else:
        raise ParseError("body", "no end of its parts")
    if not parts:
        raise ParseError("body", "no parts")
    return parts


def _look_into(headers: Headers, body: bytes, disposition: str, depth: int) -> Content:
    kind = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    encoding = (headers.get("Content-Transfer-Encoding") or "binary").lower()
    if kind == SDP:
        understood = disposition in ("", "session") and encoding in ("7bit", "8bit", "binary")
        return Content(body) if understood else Content(refusal=415)
    if not kind.startswith(MULTIPART) or depth == DEEPEST:
        return Content(refusal=415)
    _, params = _value(headers, "Content-Type")
    found = [read(*part, depth + 1) for part in parts_of(body, params.get("boundary") or "")]
    if kind == "multipart/alternative":  # the last is the best (RFC 2046 section 5.1.4)
        fitting = [each for each in found if each.refusal is None]
        return fitting[-1] if fitting else Content(refusal=415)
    sdp = next((each.sdp for each in found if each.sdp is not None), None)
    refusal = next((each.refusal for each in found if each.refusal is not None), None)
    return Content(sdp, refusal)


def _part(data: bytes) -> tuple[Headers, bytes]:
    """Split a part, from the end of its delimiter's text, into header fields and content."""
    data = data.removeprefix(b"\r").removeprefix(b"\n")
    end = _HEAD_END.search(data)
    if end is None:
        raise ParseError("body", "a part without an empty line")
    head = _FOLD.sub(" ", data[: end.start()].decode("utf-8", "replace"))
    fields = [line.partition(":") for line in head.split("\n") if line.strip()]
    headers = Headers((name.strip(), value.strip()) for name, _, value in fields)
    return headers, data[end.end() :]


def _value(headers: Headers, name: str) -> tuple[str, Params]:
    value, semicolon, rest = (headers.get(name) or "").partition(";")
    return value.strip().lower(), Params.parse(semicolon + rest, name)
