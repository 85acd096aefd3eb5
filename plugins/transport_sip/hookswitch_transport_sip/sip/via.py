"""Via, one per hop (RFC 3261 section 20.42, RFC 3581)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .errors import ParseError
from .grammar import NO_PARAMS, TOKEN_CHARS, Params
from .uri import HOST, format_host

MAGIC_COOKIE = "z9hG4bK"
_VIA = re.compile(
    rf"""
    \s*(?P<name>[{TOKEN_CHARS}]+)\s*/\s*(?P<version>[{TOKEN_CHARS}]+)
    \s*/\s*(?P<transport>[{TOKEN_CHARS}]+)
    \s+(?P<host>{HOST})\s*(?::\s*(?P<port>\d{{1,5}}))?\s*(?P<params>;.*)?
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value; `host` is the sent-by host, IPv6 without brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str, where: str = "Via") -> Via:
        """Read one Via value; only SIP/2.0 is understood."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise ParseError(where, f"bad value {text[:60]!r}")
        name, version, transport, host, port, params = match.groups()
        if name.upper() != "SIP" or version != "2.0":
            raise ParseError(where, f"protocol {name}/{version} is not SIP/2.0")
        if port and int(port) > 65535:
            raise ParseError(where, f"port {port} out of range")
        return cls(
            transport.upper(),
            host[1:-1] if host[0] == "[" else host,
            int(port) if port else None,
            Params.parse(params, where) if params else NO_PARAMS,
        )

    @property
    def branch(self) -> str | None:
        """The transaction identifier."""
        return self.params.get("branch")

    @property
    def is_rfc3261(self) -> bool:
        """Whether the branch alone identifies the transaction (section 17.2.3)."""
        branch = self.branch or ""
        return branch[: len(MAGIC_COOKIE)].lower() == MAGIC_COOKIE.lower() and len(branch) > 7

    @property
    def sent_by(self) -> tuple[str, int | None]:
        """Host and port for comparison."""
        return self.host.lower(), self.port

    def stamped(self, host: str, port: int) -> Via:
        """Note where the request came from (section 18.2.1, RFC 3581 section 4)."""
        # A "received" or "rport" value of the sender's own would send our responses to others.
        params = self.params.without("received")
        wants_rport = "rport" in params
        if wants_rport:
            params = params.with_param("rport", str(port))
        if wants_rport or self.host.lower() != host.lower():
            params = params.with_param("received", host)
        return replace(self, params=params)

    def response_address(self) -> tuple[str, int]:
        """Where a response over UDP goes (section 18.2.2, RFC 3581 section 4).

        `maddr` is ignored: it serves multicast only, and lets anyone point us at others.
        """
        default = 5061 if self.transport in ("TLS", "WSS") else 5060
        host = self.params.get("received") or self.host
        rport = self.params.get("rport") or ""
        port = int(rport) if rport.isascii() and rport.isdigit() and len(rport) < 6 else 0
        return host.strip("[]"), port if 0 < port < 65536 else self.port or default

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {format_host(self.host)}{port}{self.params}"
