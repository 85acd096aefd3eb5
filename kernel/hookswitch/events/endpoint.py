"""A webhook's URL, taken apart once."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._~-]+)?")
_SAFE = "/%:@!$&'()*+,;=~-._?"


class BadUrl(ValueError):
    """Nothing can ever be posted to this URL."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect, and the part of a request's head that never changes."""

    host: str
    port: int
    tls: bool
    head: bytes

    @property
    def origin(self) -> tuple[str, int, bool]:
        """What connections can be shared for."""
        return self.host, self.port, self.tls


@lru_cache(maxsize=1024)
def endpoint(url: str) -> Endpoint:
    """Parse an http or https URL; raises BadUrl."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = host.encode("idna").decode()
    except ValueError as error:
        raise BadUrl(f"bad URL: {error}") from error
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise BadUrl("bad URL: needs http or https and a host")
    tls = parts.scheme == "https"
    usual = 443 if tls else 80
    target = quote(parts.path or "/", safe=_SAFE)
    if parts.query:
        target += "?" + quote(parts.query, safe=_SAFE)
    name = f"[{host}]" if ":" in host else host
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {name}" if port in (None, usual) else f"Host: {name}:{port}",
    ]
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append("Authorization: Basic " + base64.b64encode(pair.encode()).decode())
    head = "".join(line + "\r\n" for line in lines).encode("ascii")
    return Endpoint(host, port if port is not None else usual, tls, head)
