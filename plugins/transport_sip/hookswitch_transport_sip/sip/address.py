"""Addresses in From, To, Contact, Route and Record-Route (RFC 3261 section 20.10)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .errors import ParseError
from .grammar import NO_PARAMS, TOKEN_CHARS, Params, is_token, quote, unquote
from .uri import Uri

_NAME_ADDR = re.compile(
    rf"""
    \s*(?P<display>"(?:[^"\\]|\\.)*"|(?:[{TOKEN_CHARS}]+\s+)*[{TOKEN_CHARS}]*)\s*
    <(?P<uri>[^<>\s]+)>
    (?P<params>.*)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A URI with display name and header parameters; `display` is unquoted."""

    uri: Uri
    display: str = ""
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str, where: str = "address") -> NameAddr:
        """Read a name-addr or addr-spec with its parameters."""
        if "<" not in text:
            return cls._parse_bare(text.strip(), where)
        match = _NAME_ADDR.fullmatch(text)
        if match is None:
            raise ParseError(where, f"bad address {text[:60]!r}")
        display, uri, params = match.groups()
        return cls(
            Uri.parse(uri, where),
            unquote(display.strip()),
            Params.parse(params, where) if params else NO_PARAMS,
        )

    @classmethod
    def _parse_bare(cls, text: str, where: str) -> NameAddr:
        """Without brackets, parameters belong to the header, and `?` and `,` are forbidden."""
        uri, semicolon, rest = text.partition(";")
        if "?" in uri or "," in uri:
            raise ParseError(where, "a URI with ? or , must stand in angle brackets")
        params = Params.parse(semicolon + rest, where)
        return cls(Uri.parse(uri.rstrip(), where), "", params)

    @property
    def tag(self) -> str | None:
        """The dialog tag of a From or To."""
        return self.params.get("tag")

    def with_tag(self, tag: str) -> NameAddr:
        """Return a copy with this tag."""
        return replace(self, params=self.params.with_param("tag", tag))

    def __str__(self) -> str:
        return f"{_format_display(self.display)}<{self.uri}>{self.params}"


def _format_display(display: str) -> str:
    if not display:
        return ""
    if all(is_token(word) for word in display.split(" ")):
        return f"{display} "
    return f"{quote(display)} "
