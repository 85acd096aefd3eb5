"""Files for those who play them: threads ask, one thread with an event loop fetches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress

from hookswitch.playback.messages import PlayerConfig

from .addresses import Forbidden
from .cache import Cache
from .download import Body, Download
from .errors import FetchError, Stopped
from .http_get import HttpGet
from .local import open_local
from .stop import Stop

Joined = tuple[Download, Body]


class Fetcher:
    """Opens URLs. All downloads together take one thread."""

    def __init__(self, config: PlayerConfig) -> None:
        self._config = config
        self._downloads: dict[str, Download] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="fetcher", daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait()

    @contextmanager
    def opened(self, url: str, stop: Stop) -> Generator[Body]:
        """A file to read within the block. Raises FetchError, or Stopped when that is asked for."""
        if url.lower().startswith("file:"):
            spool = open_local(url, self._config.media_dir, self._config.max_bytes)
            try:
                yield Body(spool, "", identity=spool.identity)
            finally:
                spool.close()
            return
        download, body = self._join(url, stop)
        try:
            yield body
        finally:
            with suppress(RuntimeError):  # the fetcher is closed, and with it all downloads
                self._loop.call_soon_threadsafe(download.leave)

    def close(self) -> None:
        """End all downloads, close all connections; those who wait for them were told to stop."""
        with suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _join(self, url: str, stop: Stop) -> Joined:
        answer: Future[Joined] = Future()
        with stop.interrupting(answer.cancel):
            self._loop.call_soon_threadsafe(self._begin, url, answer)
            try:
                return answer.result()
            except CancelledError:
                raise Stopped from None

    def _begin(self, url: str, answer: Future[Joined]) -> None:
        task = self._loop.create_task(self._give(url, answer))
        answer.add_done_callback(lambda _: self._loop.call_soon_threadsafe(task.cancel))

    async def _give(self, url: str, answer: Future[Joined]) -> None:
        """Join for a thread, which may have lost interest meanwhile."""
        try:
            joined = await self._share(url)
        except FetchError as error:
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)
            return
        except asyncio.CancelledError:
            answer.cancel()
            raise
        if answer.set_running_or_notify_cancel():
            answer.set_result(joined)
        else:
            joined[0].leave()

    async def _share(self, url: str) -> Joined:
        """Join what is under way, unless its server wants it to be for one only."""
        download = self._downloads.get(url)
        if download and not download.done:
            body = await download.join()
            if body.shareable:
                return download, body
            download.leave()
        download = Download(url, self._http, self._cache, self._config.max_bytes)
        self._downloads[url] = download
        try:
            return download, await download.join()
        finally:
            self._forget_those_done()

    def _forget_those_done(self) -> None:
        for url, download in list(self._downloads.items()):
            if download.done:
                del self._downloads[url]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._shut())
        self._loop.close()

    async def _open(self) -> None:
        config = self._config
        self._cache = Cache(config.cache_dir, config.cache_bytes)
        self._http = HttpGet(Forbidden(config.deny), config.timeout_s)

    async def _shut(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._http.close()
        await self._loop.shutdown_default_executor()
