"""One GET over HTTP: redirects followed, every address judged before it is connected to."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from hookswitch import __version__

from .addresses import Forbidden, literal
from .errors import FetchError, short

MAX_REDIRECTS = 10

_REDIRECTS = (301, 302, 303, 307, 308)

_HEADERS = {
    "User-Agent": f"hookswitch/{__version__}",
    "Accept": "audio/*, */*;q=0.5",
    "Accept-Encoding": "identity",
}


class JudgingResolver(AbstractResolver):
    """Resolves names and leaves out no doubt: what it answers is what is connected to."""

    def __init__(self, forbidden: Forbidden) -> None:
        self._forbidden = forbidden
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises ForbiddenAddress if any address of a name is forbidden."""
        found = await self._system.resolve(host, port, family)
        for result in found:
            if result["host"] in self._forbidden:
                raise ForbiddenAddress(
                    f"{short(host)} is at the forbidden address {result['host']}"
                )
        return found

    async def close(self) -> None:
        """Nothing is held."""
        await self._system.close()


class ForbiddenAddress(FetchError):
    """An operator forbids to fetch from there."""


class HttpGet:
    """GET requests by one session; all methods belong to one event loop."""

    def __init__(self, forbidden: Forbidden, timeout_s: float) -> None:
        self._forbidden = forbidden
        self._timeout_s = timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, resolver=JudgingResolver(forbidden), use_dns_cache=False
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=timeout_s, sock_connect=timeout_s, sock_read=timeout_s
            ),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    @asynccontextmanager
    async def get(
        self, url: str, conditions: Mapping[str, Mapping[str, str]]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer at the end of all redirects, its body still to be read; raises FetchError.

        ``conditions``: headers to send to a URL, by that URL.
        """
        at = self._allowed(URL(url)) if _is_url(url) else None
        if at is None:
            raise FetchError(f"{short(url)!r} is no URL")
        for _ in range(MAX_REDIRECTS + 1):
            async with self._answer(at, conditions.get(str(at), {})) as answer:
                if answer.status not in _REDIRECTS:
                    yield answer
                    return
                at = self._allowed(_target(answer))
        raise FetchError(f"more than {MAX_REDIRECTS} redirects from {shown(URL(url))}")

    def explain(self, error: Exception, url: URL) -> FetchError:
        """An error of the client in words of our own; URLs without what may be secret."""
        if isinstance(error, FetchError):
            return error
        cause = error.__cause__
        if isinstance(cause, FetchError):
            return cause
        if isinstance(error, TimeoutError):
            return FetchError(f"{shown(url)} was silent for {self._timeout_s:g} s")
        if isinstance(error, aiohttp.ClientPayloadError):
            return FetchError(f"{shown(url)} was cut off")
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return FetchError(f"the host {short(url.host or '')} is not known")
        if isinstance(error, UnicodeError):
            return FetchError(f"the host {short(url.host or '')} is no name that can be looked up")
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return FetchError(f"{shown(url)}: the certificate of its server is not trusted")
        if isinstance(error, ValueError):  # aiohttp.InvalidURL among them
            return FetchError(f"{shown(url)} is no URL that can be fetched")
        if isinstance(error, aiohttp.ClientResponseError):
            return FetchError(f"{shown(url)} answered with something that is not HTTP")
        if isinstance(error, aiohttp.ServerDisconnectedError):
            return FetchError(f"{shown(url)} closed the connection before it answered")
        if isinstance(error, OSError) and error.strerror:
            return FetchError(f"{shown(url)}: {short(error.strerror)}")
        return FetchError(f"{shown(url)} cannot be fetched: the connection failed")

    @asynccontextmanager
    async def _answer(
        self, url: URL, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            answer = await self._session.get(url, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, OSError, ValueError, FetchError) as error:
            raise self.explain(error, url) from error
        async with answer:
            yield answer

    def _allowed(self, url: URL) -> URL:
        """A URL that may be asked, its host in the usual form; raises FetchError."""
        if url.scheme not in ("http", "https") or not url.host:
            raise FetchError(f"{shown(url)}: only http and https URLs are fetched")
        address = literal(url.host)
        if address is None:
            return url.with_fragment(None)
        if address in self._forbidden:
            raise ForbiddenAddress(f"{shown(url)} is at a forbidden address")
        return url.with_host(address).with_fragment(None)


def shown(url: URL) -> str:
    """A URL for an error message: user, password and query may be secret."""
    if url.host:
        url = url.with_user(None).with_query(None).with_fragment(None)
    return short(str(url))


def _is_url(url: str) -> bool:
    try:
        return URL(url).absolute
    except ValueError:
        return False


def _target(answer: aiohttp.ClientResponse) -> URL:
    location = answer.headers.get("Location")
    if not location:
        raise FetchError(f"{shown(answer.url)} redirects to nowhere")
    try:
        return answer.url.join(URL(location))
    except ValueError as error:
        raise FetchError(f"{shown(answer.url)} redirects to something that is no URL") from error
