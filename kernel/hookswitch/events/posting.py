"""Posting one event to a webhook over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
import time
from typing import Protocol

from hookswitch import __version__
from hookswitch.events.backoff import retry_after
from hookswitch.events.connection import Pool
from hookswitch.events.endpoint import BadUrl, Endpoint, endpoint
from hookswitch.events.outcome import Outcome
from hookswitch.events.record import Record

_AGENT = f"hookswitch/{__version__}"


def signature(secret: str, body: bytes) -> str:
    """The value of X-Signature-256."""
    return "sha256=" + hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def request(to: Endpoint, record: Record) -> bytes:
    """The bytes of a delivery; signed when its target has a secret."""
    head = (
        f"Content-Type: application/json\r\nContent-Length: {len(record.body)}\r\n"
        f"User-Agent: {_AGENT}\r\nAccept: */*\r\nX-Event-Id: {record.event_id}\r\n"
    )
    if record.target and record.target.secret:
        head += f"X-Signature-256: {signature(record.target.secret, record.body)}\r\n"
    return to.head + head.encode("ascii") + b"\r\n" + record.body


class Poster(Protocol):
    """What delivers one event; it raises nothing."""

    async def post(self, record: Record) -> Outcome:
        """Try once."""

    async def close(self) -> None:
        """Let go of connections."""


class HttpPoster:
    """Posts with pooled connections. ``timeout`` is for one attempt as a whole, in seconds."""

    def __init__(self, *, timeout: float = 10.0, context: ssl.SSLContext | None = None) -> None:
        self._timeout = timeout
        self._pool = Pool(context)

    async def post(self, record: Record) -> Outcome:
        """Try once."""
        assert record.target is not None
        try:
            to = endpoint(record.target.url)
            async with asyncio.timeout(self._timeout):
                answer = await self._pool.exchange(to, request(to, record))
        except BadUrl as error:
            return Outcome(error=str(error), undeliverable=True)
        except TimeoutError:
            return Outcome(error=f"no answer in {self._timeout:g} s")
        except Exception as error:
            return Outcome(error=str(error) or type(error).__name__)
        return Outcome(answer.status, retry_after=retry_after(answer.retry_after, time.time()))

    async def close(self) -> None:
        """Let go of connections."""
        self._pool.close()
