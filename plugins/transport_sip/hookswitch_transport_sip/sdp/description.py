"""A session description, line by line: nothing that was read is lost when it is written.

`SessionDescription.parse` checks what the rest relies on (the shape of every line, ``v=``, ``o=``,
``c=`` and ``m=``); attributes are looked at when asked for, and raise ParseError then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from .direction import Direction
from .errors import ParseError
from .values import STATIC_FORMATS, Connection, Format, Media, Origin, number

MAX_BYTES = 65535

_DIRECTIONS = {direction.value: direction for direction in Direction}


class Line(NamedTuple):
    """One line: its letter, and what follows the equals sign."""

    kind: str
    value: str


@dataclass
class Section:
    """The lines of the session or of one medium, in order."""

    lines: list[Line] = field(default_factory=list)

    def first(self, kind: str) -> str | None:
        """Value of the first line of a kind."""
        return next((line.value for line in self.lines if line.kind == kind), None)

    def attributes(self, name: str) -> list[str]:
        """Values of all ``a=name:value`` lines, in order; a flag's value is empty."""
        pairs = (line.value.partition(":") for line in self.lines if line.kind == "a")
        return [value for key, _, value in pairs if key == name]

    def attribute(self, name: str) -> str | None:
        """Value of the first ``a=name`` line."""
        return next(iter(self.attributes(name)), None)

    @property
    def connection(self) -> Connection | None:
        """This section's own ``c=`` line."""
        value = self.first("c")
        return None if value is None else Connection.parse(value)

    @property
    def direction(self) -> Direction | None:
        """This section's own direction attribute; the last one counts."""
        values = [line.value.strip() for line in self.lines if line.kind == "a"]
        found = [_DIRECTIONS[value] for value in values if value in _DIRECTIONS]
        return found[-1] if found else None

    @property
    def crypto(self) -> list[str]:
        """``a=crypto`` values as they are (RFC 4568)."""
        return self.attributes("crypto")

    def add(self, kind: str, value: str) -> None:
        """Append a line."""
        self.lines.append(Line(kind, value))


@dataclass
class MediaDescription(Section):
    """A medium; its first line is ``m=``."""

    @classmethod
    def of(cls, media: Media) -> MediaDescription:
        """A medium with nothing but its first line."""
        return cls([Line("m", str(media))])

    @property
    def media(self) -> Media:
        return Media.parse(self.lines[0].value)

    @property
    def formats(self) -> list[Format]:
        """The payload types of the ``m=`` line that mean something, in order of preference."""
        mapped = {each.payload_type: each for each in map(Format.parse, self.attributes("rtpmap"))}
        texts = [text for text in self.media.formats if text.isascii() and text.isdigit()]
        types = [int(text) for text in texts if len(text) <= 3]
        known = ((mapped.get(each) or STATIC_FORMATS.get(each)) for each in types)
        return [each for each in known if each is not None]

    def fmtp(self, payload_type: int) -> str | None:
        """Format parameters of a payload type, as written (RFC 8866 section 6.15)."""
        for value in self.attributes("fmtp"):
            key, _, parameters = value.strip().partition(" ")
            if key == str(payload_type):
                return parameters.strip()
        return None

    @property
    def ptime(self) -> int | None:
        """Wanted packet time in milliseconds."""
        return self._milliseconds("ptime")

    @property
    def maxptime(self) -> int | None:
        """Longest packet time in milliseconds."""
        return self._milliseconds("maxptime")

    @property
    def rtcp(self) -> tuple[int, str | None] | None:
        """Port and, if given, address for RTCP (RFC 3605)."""
        value = self.attribute("rtcp")
        if value is None:
            return None
        parts = value.split(maxsplit=1)
        if not parts:
            raise ParseError("a=rtcp", "no port")
        port = number(parts[0], "a=rtcp", 65535)
        return port, Connection.parse(parts[1]).host if len(parts) == 2 else None

    @property
    def rtcp_mux(self) -> bool:
        """RTP and RTCP on one port (RFC 5761)."""
        return self.attribute("rtcp-mux") is not None

    def _milliseconds(self, name: str) -> int | None:
        value = self.attribute(name)
        if value is None:
            return None
        # Some devices write a fraction where the grammar has an integer.
        return number(value.strip().split(".")[0], f"a={name}", 65535)


@dataclass
class SessionDescription(Section):
    """The session's own lines, and its media."""

    media: list[MediaDescription] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """Read a description; lines may end in CRLF or LF."""
        if len(data) > MAX_BYTES:
            raise ParseError("description", f"longer than {MAX_BYTES} bytes")
        session = cls()
        section: Section = session
        for line in _split(data):
            if line.kind == "m":
                section = MediaDescription()
                session.media.append(section)
            section.lines.append(line)
        session._check()
        return session

    def __bytes__(self) -> bytes:
        """Lines ending in CRLF."""
        text = "".join(f"{line.kind}={line.value}\r\n" for line in self._all_lines())
        return text.encode("utf-8", "surrogateescape")

    @property
    def origin(self) -> Origin:
        return Origin.parse(self.first("o") or "")

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Where a medium is to be sent: its own ``c=`` line, or the session's."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> Direction:
        """A medium's direction: its own, the session's, or both ways."""
        return media.direction or self.direction or Direction.SENDRECV

    def _all_lines(self) -> Iterator[Line]:
        yield from self.lines
        for media in self.media:
            yield from media.lines

    def _check(self) -> None:
        if not self.lines or self.lines[0] != ("v", "0"):
            raise ParseError("line 1", "a description begins with v=0")
        _ = self.origin
        sections: Iterable[Section] = (self, *self.media)
        for section in sections:
            _ = section.connection
        for media in self.media:
            _ = media.media


def _split(data: bytes) -> Iterator[Line]:
    # Bytes that are not UTF-8 survive reading and writing: other character sets are allowed.
    text = data.decode("utf-8", "surrogateescape")
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1]:
        lines.pop()
    for index, line in enumerate(lines, 1):
        if len(line) < 2 or line[1] != "=" or not ("a" <= line[0] <= "z"):
            raise ParseError(f"line {index}", "not a letter, an equals sign and a value")
        if "\r" in line or "\0" in line:
            raise ParseError(f"line {index}", "a control character")
        yield Line(line[0], line[2:])
