"""Pieces of the SIP grammar shared by all header fields (RFC 3261 section 25.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .errors import ParseError

TOKEN_CHARS = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN = re.compile(rf"[{TOKEN_CHARS}]+")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_COMMA_ITEM = re.compile(rf"(?:{_QUOTED}|<[^<>]*>|[^,\"<>])+", re.DOTALL)
_PARAM = re.compile(
    rf"\s*;\s*([{TOKEN_CHARS}]+)(?:\s*=\s*({_QUOTED}|[^\s;,\"<>?=]+))?\s*", re.DOTALL
)
_ESCAPED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def is_token(text: str) -> bool:
    """Tell whether the text is a `token`."""
    return TOKEN.fullmatch(text) is not None


def split_commas(text: str) -> list[str]:
    """Split a list header's value at the commas outside quotes and angle brackets."""
    if "," not in text:
        stripped = text.strip()
        return [stripped] if stripped else []
    if not any(mark in text for mark in '"<>'):
        return [part for item in text.split(",") if (part := item.strip())]
    return list(_comma_items(text))


def _comma_items(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        if text[position] == ",":
            position += 1
            continue
        match = _COMMA_ITEM.match(text, position)
        if match is None:
            raise ParseError("list", f"unbalanced quote or bracket at {position}")
        position = match.end()
        if item := match.group().strip():
            yield item


def quote(text: str) -> str:
    """Write text as a quoted-string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """Read a quoted-string, or return a bare value as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPED_PAIR.sub(r"\1", text[1:-1]) if "\\" in text else text[1:-1]


class Params:
    """The `;name=value` parameters of a URI or header field, in order, immutable.

    Names compare without case. Values stay as on the wire: `get()` gives them
    unquoted, iteration and `str()` as written.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str | None]] = ()) -> None:
        self._items = tuple(items)

    @classmethod
    def parse(cls, text: str, where: str) -> Params:
        """Read a run of parameters that begins with its first `;`."""
        if not text or text.isspace():
            return NO_PARAMS
        items, position = [], 0
        while position < len(text):
            match = _PARAM.match(text, position)
            if match is None:
                raise ParseError(where, f"bad parameter at {text[position : position + 20]!r}")
            items.append((match.group(1), match.group(2)))
            position = match.end()
        return cls(items)

    def get(self, name: str) -> str | None:
        """Return the parameter's value, unquoted; "" for one without a value."""
        for key, value in self._items:
            if key == name or key.lower() == name:
                return unquote(value) if value else ""
        return None

    def with_param(self, name: str, value: str | None = None) -> Params:
        """Return a copy with the parameter set, in its old place if it has one."""
        if name not in self:
            return Params((*self._items, (name, value)))
        return Params((k, value if k.lower() == name else v) for k, v in self._items)

    def without(self, name: str) -> Params:
        """Return a copy that lacks the parameter."""
        return Params((k, v) for k, v in self._items if k.lower() != name)

    def __contains__(self, name: str) -> bool:
        return any(key.lower() == name for key, _ in self._items)

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Params) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __str__(self) -> str:
        return "".join(f";{k}" if v is None else f";{k}={v}" for k, v in self._items)

    def __repr__(self) -> str:
        return f"Params({str(self)!r})"


NO_PARAMS = Params()
