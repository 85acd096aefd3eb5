"""Posting one event to a webhook over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from typing import Protocol

import httpx

from hookswitch import __version__
from hookswitch.events.backoff import retry_after
from hookswitch.events.outcome import Outcome
from hookswitch.events.record import Record

LONGEST_ANSWER = 64 * 1024
"""Bytes of a response body that are read, and thrown away, to keep the connection."""


def headers(record: Record) -> dict[str, str]:
    """The headers of a delivery; signed when its target has a secret."""
    found = {
        "Content-Type": "application/json",
        "User-Agent": f"hookswitch/{__version__}",
        "X-Event-Id": record.event_id,
    }
    if record.target and record.target.secret:
        digest = hmac.digest(record.target.secret.encode(), record.body, hashlib.sha256)
        found["X-Signature-256"] = f"sha256={digest.hex()}"
    return found


class Poster(Protocol):
    """What delivers one event; it raises nothing."""

    async def post(self, record: Record) -> Outcome:
        """Try once."""

    async def close(self) -> None:
        """Let go of connections."""


class HttpPoster:
    """Posts with pooled connections; follows no redirect, trusts no answer's length."""

    def __init__(self, *, timeout: float = 10.0, client: httpx.AsyncClient | None = None) -> None:
        self._timeout = timeout
        self._client = client or httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(timeout, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def post(self, record: Record) -> Outcome:
        """Try once."""
        assert record.target is not None
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(record.target.url, record)
        except TimeoutError:
            return Outcome(error=f"no answer in {self._timeout:g} s")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            return Outcome(error=str(error), undeliverable=True)
        except Exception as error:
            return Outcome(error=str(error) or type(error).__name__)

    async def _exchange(self, url: str, record: Record) -> Outcome:
        async with self._client.stream(
            "POST", url, content=record.body, headers=headers(record)
        ) as response:
            size = 0
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > LONGEST_ANSWER:
                    break
            wait = retry_after(response.headers.get("Retry-After"), time.time())
            return Outcome(status=response.status_code, retry_after=wait)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()
