"""Values inside the lines of a description: origin, connection, media, formats."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from .errors import ParseError


def number(text: str, where: str, highest: int) -> int:
    """A decimal number from 0 to ``highest``; ASCII digits only."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or int(text) > highest:
        raise ParseError(where, f"{text!r} is not a number up to {highest}")
    return int(text)


def checked_host(text: str, where: str) -> str:
    """An address or a name: what looks like an address must be one (RFC 1123 section 2.1)."""
    last = text.rstrip(".").rpartition(".")[2]
    if ":" in text or last.isdigit() or not last:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ParseError(where, f"{text!r} is no address") from None
    return text


def address_type(host: str) -> str:
    """``IP6`` for an IPv6 address, else ``IP4``."""
    return "IP6" if ":" in host else "IP4"


@dataclass(frozen=True, slots=True)
class Origin:
    """``o=``: who made the description, and which version of it this is (RFC 8866 section 5.2)."""

    username: str
    session_id: int
    version: int
    host: str

    @classmethod
    def parse(cls, value: str) -> Origin:
        parts = value.split()
        if len(parts) != 6 or parts[3] != "IN":
            raise ParseError("o=", f"{value!r} is not: name, id, version, IN, type, address")
        highest = 2**64 - 1
        session_id, version = (number(part, "o=", highest) for part in parts[1:3])
        return cls(parts[0], session_id, version, parts[5])

    def __str__(self) -> str:
        kind = address_type(self.host)
        return f"{self.username} {self.session_id} {self.version} IN {kind} {self.host}"


@dataclass(frozen=True, slots=True)
class Connection:
    """``c=``: where media is to be sent (section 5.7); a multicast TTL is left out."""

    host: str

    @classmethod
    def parse(cls, value: str) -> Connection:
        parts = value.split()
        if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
            raise ParseError("c=", f"{value!r} is not: IN, IP4 or IP6, address")
        return cls(checked_host(parts[2].split("/")[0], "c="))

    def __str__(self) -> str:
        return f"IN {address_type(self.host)} {self.host}"

    @property
    def is_numeric(self) -> bool:
        """Whether the host is an address, not a name."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def is_unspecified(self) -> bool:
        """The all-zeros address: do not send (the older way to hold, RFC 3264 section 8.4)."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Media:
    """``m=``: kind, port, transport and formats of a stream (section 5.14)."""

    kind: str
    port: int
    proto: str
    formats: tuple[str, ...]
    port_count: int = 1

    @classmethod
    def parse(cls, value: str) -> Media:
        parts = value.split()
        if len(parts) < 4:
            raise ParseError("m=", f"{value!r} is not: kind, port, transport, formats")
        port, slash, count = parts[1].partition("/")
        return cls(
            parts[0],
            number(port, "m=", 65535),
            parts[2],
            tuple(parts[3:]),
            number(count, "m=", 65535) if slash else 1,
        )

    def __str__(self) -> str:
        port = f"{self.port}/{self.port_count}" if self.port_count != 1 else str(self.port)
        return " ".join((self.kind, port, self.proto, *self.formats))


@dataclass(frozen=True, slots=True)
class Format:
    """What a payload type stands for (``a=rtpmap``, section 6.6, or RFC 3551 section 6)."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1

    @classmethod
    def parse(cls, value: str) -> Format:
        where = "a=rtpmap"
        payload_type, _, encoding = value.strip().partition(" ")
        parts = encoding.strip().split("/")
        if len(parts) not in (2, 3) or not parts[0]:
            raise ParseError(where, f"{value!r} is not: payload type, name/clock[/channels]")
        channels = number(parts[2], where, 255) if len(parts) == 3 else 1
        clock_rate = number(parts[1], where, 2**31)
        return cls(number(payload_type, where, 127), parts[0], clock_rate, channels)

    def __str__(self) -> str:
        suffix = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_rate}{suffix}"

    def matches(self, name: str, clock_rate: int, channels: int = 1) -> bool:
        """Names are compared without regard to case (section 6.6)."""
        same_name = self.name.casefold() == name.casefold()
        return same_name and (self.clock_rate, self.channels) == (clock_rate, channels)


STATIC_FORMATS = {
    each.payload_type: each
    for each in (
        Format(0, "PCMU", 8000),
        Format(3, "GSM", 8000),
        Format(4, "G723", 8000),
        Format(5, "DVI4", 8000),
        Format(6, "DVI4", 16000),
        Format(7, "LPC", 8000),
        Format(8, "PCMA", 8000),
        Format(9, "G722", 8000),
        Format(10, "L16", 44100, 2),
        Format(11, "L16", 44100),
        Format(12, "QCELP", 8000),
        Format(13, "CN", 8000),
        Format(14, "MPA", 90000),
        Format(15, "G728", 8000),
        Format(16, "DVI4", 11025),
        Format(17, "DVI4", 22050),
        Format(18, "G729", 8000),
    )
}
"""Audio payload types that need no rtpmap (RFC 3551 section 6)."""
