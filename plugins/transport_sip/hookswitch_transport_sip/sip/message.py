"""Requests and responses, from and to bytes (RFC 3261 section 7).

`parse()` checks every header field the core reads later, so a message that parsed
never fails in a typed view.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from .address import NameAddr
from .content import Content, read
from .cseq import CSeq
from .errors import ParseError
from .grammar import split_commas
from .headers import Headers
from .status import reason_phrase
from .uri import Uri
from .via import Via

_T = TypeVar("_T")
_UINT = re.compile(r"[0-9]{1,9}")


class Message(ABC):
    """What requests and responses share: header fields, a body, typed views."""

    __slots__ = ("_views", "body", "headers")

    def __init__(
        self, headers: Headers | Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body
        self._views: dict[str, tuple[object, Any]] = {}

    @property
    @abstractmethod
    def start_line(self) -> str:
        """The first line, without its end."""

    def _view(self, name: str, parse: Callable[[str, str], _T]) -> _T:
        """Parse a single-valued field once; a later change of the field is noticed."""
        known = self._views.get(name)
        if known is not None and known[0] is self.headers.index:
            return cast(_T, known[1])
        raw = self.headers.get(name)
        if raw is None:
            raise ParseError(name, "missing")
        value = parse(raw, name)
        self._views[name] = (self.headers.index, value)
        return value

    def forget_views(self) -> None:
        """Give back what was parsed: a message that is kept for long is rarely looked at again.

        Thousands of them are kept at a time, and the garbage collector would look at every part.
        """
        self._views = {}
        self.headers.index = None

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self._view("Via", _first_via)

    @property
    def vias(self) -> list[Via]:
        """All Via values, topmost first."""
        return [Via.parse(item) for item in self.headers.split("Via")]

    @property
    def from_(self) -> NameAddr:
        """The From address."""
        return self._view("From", NameAddr.parse)

    @property
    def to(self) -> NameAddr:
        """The To address."""
        return self._view("To", NameAddr.parse)

    @property
    def cseq(self) -> CSeq:
        """Sequence number and method."""
        return self._view("CSeq", CSeq.parse)

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self._view("Call-ID", _call_id)

    @property
    def contacts(self) -> list[NameAddr]:
        """The Contact addresses; none if it is `*`."""
        return [] if self.contact_is_star else self._addresses("Contact")

    @property
    def contact_is_star(self) -> bool:
        """Whether the Contact is `*` (section 10.2.2)."""
        return self.headers.get("Contact") == "*"

    @property
    def routes(self) -> list[NameAddr]:
        """The Route set of the request."""
        return self._addresses("Route")

    @property
    def record_routes(self) -> list[NameAddr]:
        """The Record-Route addresses in message order."""
        return self._addresses("Record-Route")

    def _addresses(self, name: str) -> list[NameAddr]:
        if name not in self.headers:
            return []
        return [NameAddr.parse(item, name) for item in self.headers.split(name)]

    @property
    def max_forwards(self) -> int | None:
        """Hops left, None where an old client sent none."""
        return self._number("Max-Forwards", 255)

    @property
    def content_length(self) -> int | None:
        """The declared length of the body; `bytes()` always writes the real one."""
        return self._number("Content-Length", 10**9)

    @property
    def expires(self) -> int | None:
        """Seconds of Expires; None when absent or senseless."""
        raw = self.headers.get("Expires", "")
        return int(raw) if raw and _UINT.fullmatch(raw) else None

    def _number(self, name: str, limit: int) -> int | None:
        raw = self.headers.get(name)
        if raw is None:
            return None
        if not _UINT.fullmatch(raw) or int(raw) > limit:
            raise ParseError(name, f"bad number {raw[:20]!r}")
        return int(raw)

    @property
    def content_type(self) -> str | None:
        """Media type in lower case without parameters."""
        raw = self.headers.get("Content-Type")
        return None if raw is None else raw.partition(";")[0].strip().lower()

    @property
    def sdp(self) -> bytes | None:
        """The session description, whether it is the body or a part of it."""
        return self.content.sdp

    @property
    def content(self) -> Content:
        """What the body holds for us, looked up at each use."""
        return read(self.headers, self.body)

    @property
    def require(self) -> list[str]:
        """Option tags the sender insists on."""
        return self.headers.split("Require")

    @property
    def supported(self) -> list[str]:
        """Option tags the sender understands."""
        return self.headers.split("Supported")

    @property
    def size(self) -> int:
        """About how many octets it has on the wire, with a Via of ours."""
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
        return 200 + fields + len(self.body)

    def set_body(self, body: bytes, content_type: str) -> None:
        """Attach a body."""
        self.body = body
        self.headers.set("Content-Type", content_type)

    def __bytes__(self) -> bytes:
        lines = [self.start_line]
        lines += [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) + 1 or head.count("\r") != len(lines) + 1:
            raise ParseError("message", "line break within a header field")
        return head.encode("utf-8", "surrogateescape") + self.body

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Message)
            and self.start_line == other.start_line
            and self.headers == other.headers
            and self.body == other.body
        )

    def __repr__(self) -> str:
        return f"<{self.start_line}>"


class Request(Message):
    """A request: method, Request-URI, header fields, body."""

    __slots__ = ("method", "uri")

    def __init__(
        self,
        method: str,
        uri: Uri,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    @property
    def start_line(self) -> str:
        """Method, Request-URI and version."""
        return f"{self.method} {self.uri} SIP/2.0"


class Response(Message):
    """A response: status, reason phrase, header fields, body."""

    __slots__ = ("reason", "status")

    def __init__(
        self,
        status: int,
        reason: str | None = None,
        headers: Headers | Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason_phrase(status) if reason is None else reason

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> Response:
        """Make the response to a request (section 8.2.6.2)."""
        source = request.headers
        items = [("Via", value) for value in source.get_all("Via")]
        for name in ("From", "To", "Call-ID", "CSeq"):
            if (value := source.get(name)) is not None:
                items.append((name, value))
        if status == 100 and (stamp := source.get("Timestamp")) is not None:
            items.append(("Timestamp", stamp))
        response = cls(status, reason, Headers.of_canonical(items))
        if to_tag is not None and "To" in source and request.to.tag is None:
            response.headers.set("To", str(request.to.with_tag(to_tag)))
        response.headers.extend(headers)
        return response

    @property
    def start_line(self) -> str:
        """Version, status and reason phrase."""
        return f"SIP/2.0 {self.status} {self.reason}"


def _first_via(text: str, where: str) -> Via:
    items = split_commas(text)
    if not items:
        raise ParseError(where, "empty")
    return Via.parse(items[0], where)


_CALL_ID = re.compile(r"[!-~]+")


def _call_id(text: str, where: str) -> str:
    if not _CALL_ID.fullmatch(text):
        raise ParseError(where, f"bad value {text[:40]!r}")
    return text
