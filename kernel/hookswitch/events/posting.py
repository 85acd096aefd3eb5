"""Posting one event to a webhook over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
import time
from functools import lru_cache
from types import SimpleNamespace
from typing import Protocol

import aiohttp
from yarl import URL

from hookswitch import __version__
from hookswitch.events.backoff import retry_after
from hookswitch.events.outcome import Outcome
from hookswitch.events.record import Record

LONGEST_ANSWER = 64 * 1024
"""Bytes of a response that are read to keep its connection usable; beyond, it is closed."""

_HEADERS = {"Content-Type": "application/json", "User-Agent": f"hookswitch/{__version__}"}
_HOST = re.compile(r"[\w.:~%-]+", re.ASCII)
_STALE = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class BadUrl(ValueError):
    """Nothing can ever be posted to this URL."""


class Poster(Protocol):
    """What delivers one event; it raises nothing."""

    async def post(self, record: Record) -> Outcome:
        """Try once."""

    async def close(self) -> None:
        """Let go of connections."""


def signature(secret: str, body: bytes) -> str:
    """The value of X-Signature-256."""
    return "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()


@lru_cache(maxsize=1024)
def destination(url: str) -> tuple[URL, str | None]:
    """The URL to post to, and the Authorization its user and password ask for; raises BadUrl."""
    try:
        found = URL(url)
    except ValueError as error:
        raise BadUrl("bad URL") from error
    if found.scheme not in ("http", "https") or not _HOST.fullmatch(found.raw_host or ""):
        raise BadUrl("bad URL: needs http or https and a host")
    if found.user is None:
        return found, None
    pair = f"{found.user}:{found.password or ''}".encode()
    return found.with_user(None), "Basic " + base64.b64encode(pair).decode()


class HttpPoster:
    """Posts with pooled connections. ``timeout`` is for one attempt as a whole, in seconds.

    How many connections there are is for its user to limit, by the number of posts at once.
    """

    def __init__(self, *, timeout: float = 10.0, context: ssl.SSLContext | None = None) -> None:
        self._timeout = timeout
        self._context = context
        self._session: aiohttp.ClientSession | None = None

    async def post(self, record: Record) -> Outcome:
        """Try once."""
        outcome: Outcome | None = None
        try:
            async with asyncio.timeout(self._timeout), await self._send(record) as answer:
                wait = retry_after(answer.headers.get("Retry-After"), time.time())
                outcome = Outcome(answer.status, retry_after=wait)
                await _drain(answer)
        except BadUrl as error:
            return Outcome(error=str(error), undeliverable=True)
        except TimeoutError:
            return outcome or Outcome(error=f"no answer in {self._timeout:g} s")
        except Exception as error:
            # The status counts even if its body is cut off.
            return outcome or Outcome(error=_why(error))
        return outcome

    async def close(self) -> None:
        """Let go of connections."""
        if self._session:
            await self._session.close()

    async def _send(self, record: Record) -> aiohttp.ClientResponse:
        assert record.target is not None
        url, authorization = destination(record.target.url)
        headers = {"X-Event-Id": record.event_id}
        if record.target.secret:
            headers["X-Signature-256"] = signature(record.target.secret, record.body)
        if authorization:
            headers["Authorization"] = authorization
        session = self._opened()
        while True:
            attempt = SimpleNamespace(reused=False)
            try:
                return await session.post(
                    url,
                    data=record.body,
                    headers=headers,
                    allow_redirects=False,
                    trace_request_ctx=attempt,
                )
            except _STALE:
                # An idle connection may be closed by the receiver just as it is used again.
                if not attempt.reused:
                    raise

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            reuse = aiohttp.TraceConfig()
            reuse.on_connection_reuseconn.append(_reused)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._context or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                skip_auto_headers=["Accept-Encoding"],
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(),
                trace_configs=[reuse],
            )
        return self._session


async def _reused(session: object, context: SimpleNamespace, params: object) -> None:
    context.trace_request_ctx.reused = True


async def _drain(answer: aiohttp.ClientResponse) -> None:
    """Read a body to its end, which keeps the connection usable, unless it is too long."""
    left = LONGEST_ANSWER
    async for chunk in answer.content.iter_any():
        left -= len(chunk)
        if left < 0:
            return


def _why(error: Exception) -> str:
    """What went wrong, without the URL: it may hold secrets."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "connection closed without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"not an HTTP response: {error.message}"
    return str(error) or type(error).__name__
