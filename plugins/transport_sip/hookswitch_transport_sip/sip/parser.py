"""From bytes to messages (RFC 3261 sections 7 and 18.3).

Strict where a mistake could be understood in two ways (framing, the fields that
identify a transaction or dialog), lenient elsewhere.
"""

from __future__ import annotations

import re

from .errors import ParseError
from .grammar import TOKEN_CHARS, is_token
from .headers import KNOWN, Headers, canonical
from .message import Message, Request, Response
from .uri import Uri
from .via import Via

_REQUEST_LINE = re.compile(rf"([{TOKEN_CHARS}]+) (\S+) SIP/([0-9]+\.[0-9]+)", re.IGNORECASE)
_STATUS_LINE = re.compile(r"SIP/([0-9]+\.[0-9]+) ([1-6][0-9][0-9])(?: (.*))?", re.IGNORECASE)
_FOLD = re.compile(r"(?<![ \t])[ \t]*\r\n[ \t]+")
"""Looked for from the beginning of a run of blanks only: from each of them takes square time."""
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT"
)
_SINGLE = frozenset(
    (
        "call-id",
        "content-length",
        "content-type",
        "cseq",
        "date",
        "expires",
        "from",
        "max-forwards",
        "to",
    )
)
_ANY_VERSION = re.compile(r"^\s*SIP\s*/\s*[0-9.]+", re.IGNORECASE)
_ANSWERABLE = ("Via", "From", "To", "Call-ID", "CSeq")
MAX_HEADERS = 256


def parse(data: bytes) -> Request | Response:
    """Read one whole message; raises ParseError and nothing else."""
    head, body = _split(data)
    lines = _unfold(head).split("\r\n")
    message = _start(lines[0], _headers(lines[1:]))
    _check(message)
    message.body = _body(message, body)
    return message


def salvage(data: bytes) -> Request | None:
    """Read as much of a broken request as an error response needs, or None.

    ACK and responses get no answer, so they are None too (section 17.1.1.3).
    """
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    start, *lines = _unfold(head).split("\r\n")
    method = start.partition(" ")[0]
    if not is_token(method) or method.upper() in ("ACK", "SIP/2.0"):
        return None
    request = Request(method, Uri("sip", None, "invalid"))
    for line in lines:
        name, colon, value = line.partition(":")
        name = canonical(name.strip())
        if colon and name in _ANSWERABLE and (name == "Via" or name not in request.headers):
            request.headers.add(name, re.sub(r"[\r\n]", " ", value.strip()))
    return request if _is_answerable(request) else None


def _is_answerable(request: Request) -> bool:
    """Whether its topmost Via says who sent it, whatever follows that, and in whatever version.

    A field that it lacks is lacking in the answer too.
    """
    sent_by = re.split("[;,]", request.headers.get("Via") or "", maxsplit=1)[0]
    try:
        return bool(Via.parse(_ANY_VERSION.sub("SIP/2.0", sent_by)).host)
    except ParseError:
        return False


def _split(data: bytes) -> tuple[str, bytes]:
    head, separator, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise ParseError("message", "no empty line behind the header fields")
    return head.decode("utf-8", "surrogateescape"), body


def _unfold(head: str) -> str:
    """Join continued lines (section 7.3.1)."""
    return _FOLD.sub(" ", head) if "\n " in head or "\n\t" in head else head


def _headers(lines: list[str]) -> Headers:
    if len(lines) > MAX_HEADERS:
        raise ParseError("message", f"more than {MAX_HEADERS} header fields", 413)
    items = []
    for line in lines:
        name, colon, value = line.partition(":")
        known = KNOWN.get(name)
        if known is None:
            name = name.rstrip(" \t")
            known = canonical(name)
            if not is_token(name):
                raise ParseError("header field", f"bad name {name[:40]!r}")
        if not colon:
            raise ParseError(known, "no colon")
        if "\r" in value or "\n" in value:
            raise ParseError(known, "line break in the value")
        items.append((known, value.strip(" \t")))
    return Headers.of_canonical(items)


def _start(line: str, headers: Headers) -> Request | Response:
    if line[:4].upper() == "SIP/":
        return _status_line(line, headers)
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise ParseError("Request-Line", f"bad line {line[:60]!r}")
    method, uri, version = match.groups()
    if version != "2.0":
        raise ParseError("Request-Line", f"version {version}", 505)
    return Request(method, Uri.parse(uri, "Request-URI"), headers)


def _status_line(line: str, headers: Headers) -> Response:
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise ParseError("Status-Line", f"bad line {line[:60]!r}")
    version, status, reason = match.groups()
    if version != "2.0":
        raise ParseError("Status-Line", f"version {version}", 505)
    return Response(int(status), reason or "", headers)


def _check(message: Request | Response) -> None:
    headers = message.headers
    for name in headers.repeated():
        if name in _SINGLE:
            raise ParseError(canonical(name), "more than one")
    _check_identity(message)
    _check_addresses(message)
    _ = message.max_forwards
    for name in ("Require", "Supported", "Proxy-Require"):
        if name in headers:
            headers.split(name)
    date = headers.get("Date")
    if date is not None and not _DATE.fullmatch(date):
        raise ParseError("Date", f"bad value {date[:40]!r}")


def _check_identity(message: Request | Response) -> None:
    """Check the fields that name the transaction and the dialog."""
    _ = message.via, message.call_id
    for address, where in ((message.from_, "From"), (message.to, "To")):
        tag = address.tag
        if tag is not None and not is_token(tag):
            raise ParseError(where, "bad tag")
    if isinstance(message, Request) and message.cseq.method != message.method:
        raise ParseError("CSeq", f"method is not {message.method}")
    _ = message.cseq


def _check_addresses(message: Request | Response) -> None:
    headers = message.headers
    if message.contact_is_star and len(headers.get_all("Contact")) > 1:
        raise ParseError("Contact", "* beside others")
    if message.contact_is_star and getattr(message, "method", "REGISTER") != "REGISTER":
        raise ParseError("Contact", "* outside REGISTER")
    _ = message.contacts, message.routes, message.record_routes


def _body(message: Message, rest: bytes) -> bytes:
    """Cut the body by Content-Length; a datagram may hold more, never less (section 18.3)."""
    length = message.content_length
    if length is None:
        return rest
    if length > len(rest):
        raise ParseError("Content-Length", f"{length}, but {len(rest)} octets follow")
    return rest[:length]
