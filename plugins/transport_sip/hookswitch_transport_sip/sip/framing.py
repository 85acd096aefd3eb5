"""Messages out of a stream of bytes (RFC 3261 section 18.3, RFC 5626 section 3.5.1)."""

from __future__ import annotations

import re
from enum import Enum

from .errors import ParseError

MAX_HEAD = 32 * 1024
"""Octets of start line and header fields that are waited for."""

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:([^\r\n]*)", re.IGNORECASE)
_NUMBER = re.compile(rb"[0-9]{1,9}")


class KeepAlive(Enum):
    """What stands between messages: a ping is answered by a pong."""

    PING = b"\r\n\r\n"
    PONG = b"\r\n"


class Framer:
    """Takes what arrives in pieces of any size; gives whole messages and keep-alives.

    After a ParseError the stream cannot be understood any more; `rest` is what was not.
    """

    def __init__(self, max_body: int = 65535) -> None:
        self._max_body = max_body
        self._buffer = bytearray()
        self._searched = 0
        self.awaits_pong = False
        """Whether a ping of ours is unanswered: the next CRLF is its pong, and no half ping."""
        self._wanted: int | None = None
        """Size of the message at the front, once its head is complete."""

    @property
    def is_between(self) -> bool:
        """Whether no message has been begun."""
        return not self._buffer.strip(b"\r\n")

    @property
    def rest(self) -> bytes:
        """What has not been given out."""
        return bytes(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take what arrived."""
        self._buffer += data

    def next(self) -> bytes | KeepAlive | None:
        """The next message or keep-alive, None if more is needed. Raises ParseError."""
        if self._wanted is None:
            if self._buffer[:1] == b"\r" and (found := self._keep_alive()) is not None:
                return found
            self._wanted = self._measure()
        if self._wanted is None or len(self._buffer) < self._wanted:
            return None
        message = bytes(self._buffer[: self._wanted])
        self._drop(self._wanted)
        return message

    def _keep_alive(self) -> KeepAlive | None:
        """Half a ping is no pong yet, unless one is awaited."""
        if self.awaits_pong and self._buffer.startswith(KeepAlive.PONG.value):
            self.awaits_pong = False
            self._drop(2)
            return KeepAlive.PONG
        if self._buffer.startswith(KeepAlive.PING.value):
            self._drop(4)
            return KeepAlive.PING
        if len(self._buffer) > 2 and self._buffer[:2] == b"\r\n" and self._buffer[2:3] != b"\r":
            self._drop(2)
            return KeepAlive.PONG
        return None

    def _measure(self) -> int | None:
        """Find the end of the header fields, and by Content-Length that of the message."""
        end = self._buffer.find(_HEAD_END, self._searched)
        if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
            raise ParseError("message", f"more than {MAX_HEAD} octets of header fields", 513)
        if end <= 0:
            self._searched = max(len(self._buffer) - 3, 0)
            return None
        length = _content_length(bytes(self._buffer[:end]))
        if length > self._max_body:
            raise ParseError("Content-Length", f"{length} is too large", 513)
        return end + len(_HEAD_END) + length

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._searched, self._wanted = 0, None


def is_keep_alive(datagram: bytes) -> bool:
    """Whether a datagram is there only to show life, to us or to a NAT on its way."""
    return not datagram.strip(b"\r\n\0")


def _content_length(head: bytes) -> int:
    """The declared size of the body; on a stream every message must have one (section 20.14)."""
    values = {value.strip(b" \t") for value in _LENGTH.findall(head)}
    if not values:
        raise ParseError("Content-Length", "missing on a stream")
    value = values.pop()
    if values or not _NUMBER.fullmatch(value):
        raise ParseError("Content-Length", "not one number")
    return int(value)
