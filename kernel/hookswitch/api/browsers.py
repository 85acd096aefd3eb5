"""What pages in somebody's browser may do. CORS alone only hides answers from them.

A browser on this machine reaches what listens on 127.0.0.1, and sends there what any page tells it
to. It says who asks: ``Origin`` names the page of every WebSocket and of every request that changes
something. Only a page whose own name was made to lead here (DNS rebinding) looks like one of ours;
that name is then in ``Host``.
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hookswitch.settings import KernelSettings

from .answers import error_response
from .guard import CALLERS, is_preflight, refuse

PROBES = frozenset({"/healthz", "/readyz"})
"""Balancers ask for them under whatever name, and they tell nothing worth keeping from a page."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


class BrowserGuard:
    """Turns away pages of other origins, and names that are not known to be this server's."""

    def __init__(self, app: ASGIApp, settings: KernelSettings, instance_id: str) -> None:
        self._app = app
        self._origins = frozenset(settings.cors_origins)
        self._trust_proxy = settings.trust_proxy_headers
        self._instance_id = instance_id
        # A page that rebinds its name has no key, so with keys no name can do harm.
        self._check_host = not settings.api_keys.get_secret_value()
        address, _ = _split_port(settings.http_addr)
        self._hosts = frozenset({"localhost", address, *map(str.lower, settings.http_hosts)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = None
        if scope["type"] in CALLERS and scope["path"] not in PROBES:
            problem = self._problem(scope, Headers(scope=scope))
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await refuse(error_response(*problem, self._instance_id), scope, receive, send)

    def _problem(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and message, for who is to be turned away."""
        host = headers.get("host") or ""
        origin = headers.get("origin")
        if host and self._check_host and not self._is_ours(host):
            return 421, (
                f"the host {host} is not known to be this server: name it in HTTP_HOSTS, "
                "or let callers need a key (API_KEYS)"
            )
        if origin is None or is_preflight(scope) or self._may_ask(scope, headers, origin, host):
            return None
        return 403, f"pages of {origin} may not call this server: CORS_ORIGINS does not name it"

    def _is_ours(self, host: str) -> bool:
        if "*" in self._hosts:
            return True
        name, _ = _split_port(host)
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._hosts
        return True  # nobody's DNS can make an address lead elsewhere

    def _may_ask(self, scope: Scope, headers: Headers, origin: str, host: str) -> bool:
        if "*" in self._origins or origin in self._origins:
            return True
        scheme = _HTTP_SCHEMES.get(scope["scheme"]) or str(scope["scheme"])
        if self._trust_proxy:
            scheme = headers.get("x-forwarded-proto") or scheme
        page, slashes, authority = origin.partition("://")
        own = (scheme, *_place(host, scheme))
        return bool(slashes and authority) and (page, *_place(authority, page)) == own


def _place(authority: str, scheme: str) -> tuple[str, str]:
    """Name and port; what is left out of a URL is the scheme's."""
    name, port = _split_port(authority)
    return name, port or str(_DEFAULT_PORTS.get(scheme, ""))


def _split_port(authority: str) -> tuple[str, str]:
    """``Name:8080`` or ``[::1]:8080`` as name in lower case and port; no port is empty."""
    name, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = authority, ""
    return name.strip("[]").lower(), port
