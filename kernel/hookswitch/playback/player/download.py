"""A file on its way: fetched once, read by all who asked for it meanwhile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable
from dataclasses import dataclass

import aiohttp

from .cache import Cache, Entry, Part
from .errors import FetchError
from .http_get import HttpGet, shown
from .spool import Spool

_NO_STORE = re.compile(r"(?:^|,)\s*no-store\s*(?:$|[,;=])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Body:
    """What there is to read: at once, or as it comes. ``mime_type`` as its server gave it.

    ``identity`` is another one when the file is; None if that is not known, or it is not whole yet.
    """

    spool: Spool
    mime_type: str
    shareable: bool = True
    identity: Hashable = None


class Download:
    """One fetch of one URL, over when everybody who joined has left. Belongs to the event loop."""

    def __init__(self, url: str, http: HttpGet, cache: Cache, max_bytes: int) -> None:
        self.url = url
        self._http, self._cache, self._max_bytes = http, cache, max_bytes
        self._users = 0
        self._body: asyncio.Future[Body] = asyncio.get_running_loop().create_future()
        self._received = self._given_up = False
        self._task = asyncio.create_task(self._run())

    @property
    def done(self) -> bool:
        """Whether it is too late to join."""
        return self._task.done() or self._given_up

    async def join(self) -> Body:
        """The body, once the server has begun to answer; raises FetchError.

        Who got a body leaves later; who got none has left.
        """
        self._users += 1
        try:
            return await asyncio.shield(self._body)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """One who joined reads no more."""
        self._users -= 1
        if self._users:
            return
        if not self._received:
            self._given_up = True
            self._task.cancel()
        self._task.add_done_callback(self._close)

    def _close(self, task: asyncio.Task[None]) -> None:
        if self._users:  # somebody joined while it was being published
            return
        if self._body.done() and not self._body.cancelled() and not self._body.exception():
            self._body.result().spool.close()
        self._body.cancel()

    async def _run(self) -> None:
        try:
            await self._fetch()
        except FetchError as error:
            self._failed(error)
        except OSError as error:
            self._failed(FetchError(f"cannot be stored: {error.strerror}"))

    def _failed(self, error: FetchError) -> None:
        """Tell those who wait for the beginning, or those who read."""
        if self._body.done():
            self._body.result().spool.finish(str(error))
        else:
            self._body.set_exception(error)
            self._body.exception()  # there may be nobody left who cares

    async def _fetch(self) -> None:
        known = self._cache.find(self.url)
        entry, spool = known or (None, None)
        conditions = {entry.final_url: entry.conditions()} if entry else {}
        try:
            async with self._http.get(self.url, conditions) as answer:
                if entry and spool and answer.status == 304:
                    self._body.set_result(Body(spool, entry.mime_type, identity=entry))
                    spool = None
                else:
                    await self._take(answer)
        finally:
            if spool:
                spool.close()

    async def _take(self, answer: aiohttp.ClientResponse) -> None:
        if answer.status != 200:
            raise FetchError(f"{answer.status} from {shown(answer.url)}")
        self._within_limit(answer.content_length or 0, answer)
        part = self._cache.begin()
        try:
            store = not _NO_STORE.search(answer.headers.get("Cache-Control", ""))
            mime_type = answer.headers.get("Content-Type", "")
            self._body.set_result(Body(part.spool, mime_type, shareable=store))
            await self._receive(answer, part.spool)
            if store:
                await self._publish(answer, part)
            else:
                self._cache.forget(self.url)
        finally:
            self._cache.discard(part)

    async def _receive(self, answer: aiohttp.ClientResponse, spool: Spool) -> None:
        try:
            async for piece in answer.content.iter_any():
                self._within_limit(spool.size + len(piece), answer)
                spool.append(piece)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._http.explain(error, answer.url) from error
        self._received = True
        spool.finish()

    async def _publish(self, answer: aiohttp.ClientResponse, part: Part) -> None:
        entry = Entry(
            url=self.url,
            final_url=str(answer.url),
            etag=answer.headers.get("ETag", ""),
            last_modified=answer.headers.get("Last-Modified", ""),
            mime_type=answer.headers.get("Content-Type", ""),
            size=part.spool.size,
        )
        if await asyncio.to_thread(self._cache.publish, part, entry):
            self._cache.published(entry)

    def _within_limit(self, size: int, answer: aiohttp.ClientResponse) -> None:
        if size > self._max_bytes:
            raise FetchError(f"{shown(answer.url)} is too large (at most {self._max_bytes} bytes)")
