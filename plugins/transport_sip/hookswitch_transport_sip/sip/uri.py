"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from .errors import ParseError
from .grammar import NO_PARAMS, Params

_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED = r"%[0-9A-Fa-f]{2}"
_PARAM_TEXT = rf"(?:[{_UNRESERVED}\[\]/:&+$]|{_ESCAPED})+"
_HEADER_TEXT = rf"(?:[{_UNRESERVED}\[\]/?:+$]|{_ESCAPED})*"
HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.\-]*"

# "#" is not allowed bare in a user part, but feature codes are dialled that way.
_SIP = re.compile(
    rf"""
    (?:(?P<user>(?:[{_UNRESERVED}&=+$,;?/#]|{_ESCAPED})+)
       (?::(?P<password>(?:[{_UNRESERVED}&=+$,]|{_ESCAPED})*))?@)?
    (?P<host>{HOST})
    (?::(?P<port>\d{{1,5}}))?
    (?P<params>(?:;{_PARAM_TEXT}(?:={_PARAM_TEXT})?)*)
    (?:\?(?P<headers>{_HEADER_TEXT}={_HEADER_TEXT}(?:&{_HEADER_TEXT}={_HEADER_TEXT})*))?
    """,
    re.VERBOSE | re.ASCII,
)
PASSWORD = re.compile(
    r"((?:sips?:|\b[a-z][a-z0-9+.-]{0,20}://)[^@\s:;<>?]{1,255}):[^@\s:;<>?]{1,255}@", re.IGNORECASE
)
"""Of a URI within any text: what stays, and what nobody need see."""

_TEL = re.compile(
    rf"(?P<user>\+?[0-9A-Fa-f*#\-.()]+)(?P<params>(?:;{_PARAM_TEXT}(?:={_PARAM_TEXT})?)*)"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):")
_OPAQUE = re.compile(r"[!#-;=?-~]+")
_PARAM = re.compile(r";([^;=]+)(?:=([^;]*))?")
_ESCAPE = re.compile(_ESCAPED)
_PLAIN = re.compile(rf"[{_UNRESERVED}]")
_SIGNIFICANT = ("user", "ttl", "method", "maddr", "transport")


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI, its parts kept as on the wire (escapes and case unchanged).

    `host` is without brackets for IPv6. A tel URI has its number in `user`, a URI
    of any other scheme everything behind the colon.
    """

    scheme: str
    user: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = NO_PARAMS
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = None

    @classmethod
    def parse(cls, text: str, where: str = "URI") -> Uri:
        """Read a URI; an unknown scheme is no error here (but see `is_sip`)."""
        match = _SCHEME.match(text)
        if match is None:
            raise ParseError(where, f"no scheme in {text[:40]!r}")
        scheme, rest = match.group(1).lower(), text[match.end() :]
        if scheme in ("sip", "sips"):
            return cls._parse_sip(scheme, rest, where)
        if scheme == "tel":
            return cls._parse_tel(rest, where)
        if not _OPAQUE.fullmatch(rest):
            raise ParseError(where, f"bad URI {text[:40]!r}")
        return cls(scheme, rest)

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str, where: str) -> Uri:
        match = _SIP.fullmatch(rest)
        if match is None:
            raise ParseError(where, f"bad {scheme} URI {rest[:60]!r}")
        user, password, host, port, params, headers = match.groups()
        return cls(
            scheme,
            user,
            host[1:-1] if host[0] == "[" else host,
            _port(port, where) if port else None,
            _params(params) if params else NO_PARAMS,
            _headers(headers) if headers else (),
            password,
        )

    @classmethod
    def _parse_tel(cls, rest: str, where: str) -> Uri:
        match = _TEL.fullmatch(rest)
        if match is None:
            raise ParseError(where, f"bad tel URI {rest[:60]!r}")
        return cls("tel", match["user"], params=_params(match["params"]))

    @classmethod
    def sip(cls, username: str | None, host: str, port: int | None = None) -> Uri:
        """Make a sip URI, escaping the user name where needed."""
        user = quote(username or "", safe="-_.!~*'()&=+$,;?/", errors="surrogateescape")
        return cls("sip", user, host, port) if user else cls("sip", None, host, port)

    @property
    def is_sip(self) -> bool:
        """Whether requests can be sent to it: scheme sip or sips."""
        return self.scheme in ("sip", "sips")

    @property
    def username(self) -> str | None:
        """The user part with its escapes resolved."""
        return None if self.user is None else unquote(self.user, errors="surrogateescape")

    @property
    def is_loose_router(self) -> bool:
        """Whether it carries `lr` (RFC 3261 section 16.12)."""
        return "lr" in self.params

    def without_headers(self) -> Uri:
        """Return what may stand in a Request-URI (RFC 3261 section 19.1.1, table 1)."""
        if not self.headers and "method" not in self.params:
            return self
        return replace(self, headers=(), params=self.params.without("method"))

    def same_as(self, other: Uri) -> bool:
        """Compare by the rules of RFC 3261 section 19.1.4, which are not transitive."""
        if not (self.is_sip and other.is_sip):
            return self._loose_key() == other._loose_key()
        return (
            self._key() == other._key()
            and _same_params(self.params, other.params)
            and _header_key(self) == _header_key(other)
        )

    def _key(self) -> tuple[object, ...]:
        user, password = _fold_escapes(self.user), _fold_escapes(self.password)
        return (self.scheme, user, password, self.host.lower(), self.port)

    def _loose_key(self) -> tuple[object, ...]:
        number = self.user or ""
        if self.scheme == "tel":
            number = re.sub(r"[\-.()]", "", number).lower()
        return (self.scheme, number, self.host, sorted(_param_key(self.params).items()))

    def __str__(self) -> str:
        if not self.is_sip:
            return f"{self.scheme}:{self.user or ''}{self.params}"
        user = ""
        if self.user is not None:
            user = f"{self.user}@" if self.password is None else f"{self.user}:{self.password}@"
        host = format_host(self.host)
        port = "" if self.port is None else f":{self.port}"
        tail = "?" + "&".join(f"{k}={v}" for k, v in self.headers) if self.headers else ""
        return f"{self.scheme}:{user}{host}{port}{self.params}{tail}"


def without_passwords(text: str) -> str:
    """A text in which URIs keep their user but not its password (RFC 3261 section 19.1.1)."""
    return PASSWORD.sub(r"\1@", text)


def format_host(host: str) -> str:
    """Write a host, an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _port(text: str, where: str) -> int:
    port = int(text)
    if port > 65535:
        raise ParseError(where, f"port {text} out of range")
    return port


def _params(text: str) -> Params:
    return Params((m.group(1), m.group(2)) for m in _PARAM.finditer(text))


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (item.partition("=") for item in text.split("&"))
    return tuple((name, value) for name, _, value in pairs)


def _fold_escapes(text: str | None) -> str | None:
    """Resolve escapes of unreserved characters, the only ones equal to their character."""
    if text is None or "%" not in text:
        return text
    return _ESCAPE.sub(_fold_escape, text)


def _fold_escape(match: re.Match[str]) -> str:
    character = chr(int(match.group()[1:], 16))
    return character if _PLAIN.fullmatch(character) else match.group().upper()


def _param_key(params: Params) -> dict[str, str]:
    return {k.lower(): (_fold_escapes(v) or "").lower() for k, v in params}


def _same_params(left: Params, right: Params) -> bool:
    a, b = _param_key(left), _param_key(right)
    if any(a[name] != b[name] for name in a.keys() & b.keys()):
        return False
    return not any(name in _SIGNIFICANT for name in a.keys() ^ b.keys())


def _header_key(uri: Uri) -> list[tuple[str, str | None]]:
    return sorted((k.lower(), _fold_escapes(v)) for k, v in uri.headers)
