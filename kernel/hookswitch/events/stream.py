"""One subscriber of the event stream, without its socket: replay, then live, through a filter."""

from __future__ import annotations

import asyncio
from collections import deque

import re2

from hookswitch.errors import BadRequest
from hookswitch.events.log import EventLog
from hookswitch.events.model import encode
from hookswitch.events.record import Record

PAGE = 500
"""Events read from the log at a time while replaying."""

LONGEST_FILTER = 256


class StreamClosed(Exception):
    """The stream was closed; nothing more comes."""


class AppFilter:
    """Matches the application of an event, searched anywhere in it; an untagged one is ''.

    RE2 matches in linear time: no pattern of a caller can make the server stand still.
    """

    def __init__(self, pattern: str | None) -> None:
        if pattern and len(pattern) > LONGEST_FILTER:
            raise BadRequest(f"app_id: longer than {LONGEST_FILTER} characters")
        options = re2.Options()
        options.log_errors = False
        try:
            self._search = re2.compile(pattern, options).search if pattern else None
        except re2.error as error:
            problem = error.args[0].decode(errors="replace")
            raise BadRequest(f"app_id: not a regular expression: {problem}") from error
        self._known: dict[str, bool] = {}

    def __call__(self, record: Record) -> bool:
        if self._search is None:
            return True
        app_id = record.app_id or ""
        if app_id not in self._known:
            if len(self._known) >= 1000:
                self._known.clear()
            self._known[app_id] = self._search(app_id) is not None
        return self._known[app_id]


class EventStream:
    """What a subscriber reads with `next`, one JSON text after the other.

    With ``after`` it begins with what the log kept after that cursor, at the reader's own pace.
    Then it is live: up to ``buffer_size`` events wait for the reader, new ones beyond that are
    dropped and the number of them is told first.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        app_id: str | None = None,
        after: int | None = None,
        buffer_size: int = 256,
    ) -> None:
        if after is not None and after < 0:
            raise BadRequest("after: must not be negative")
        self._log = log
        self._filter = AppFilter(app_id)
        self._buffer_size = buffer_size
        self._position = after
        self._page: deque[bytes] = deque()
        self._live: deque[bytes] = deque()
        self._dropped = 0
        self._closed = False
        self._news = asyncio.Event()

    def offer(self, record: Record) -> None:
        """A new event became visible. While replaying it is left to be read from the log."""
        if self._position is not None or not self._filter(record):
            return
        if len(self._live) < self._buffer_size:
            self._live.append(record.body)
        else:
            self._dropped += 1
            self._log.counters.stream_dropped += 1
        self._news.set()

    async def next(self) -> bytes:
        """The next message; raises StreamClosed at the end. Cancelling it loses nothing."""
        while not self._closed:
            message = self._take()
            if message is not None:
                return message
            if self._position is not None:
                await self._read(self._position)
            else:
                self._news.clear()
                await self._news.wait()
        raise StreamClosed

    def close(self) -> None:
        """End the stream; a waiting `next` ends too."""
        self._closed = True
        self._news.set()

    def _take(self) -> bytes | None:
        if self._page:
            return self._page.popleft()
        if self._dropped:
            count, self._dropped = self._dropped, 0
            return encode({"type": "events_dropped", "count": count})
        return self._live.popleft() if self._live else None

    async def _read(self, after: int) -> None:
        page = await self._log.page(after, PAGE)
        if page.oldest is not None:
            gap = {"type": "events_gap", "after": after, "oldest": page.oldest}
            self._page.append(encode(gap))
        self._page.extend(record.body for record in page.records if self._filter(record))
        position = page.records[-1].cursor if page.records else page.high
        # Nothing awaits from here to the next `offer`: what is not in the log's visible part
        # yet will be offered, what is has been read.
        self._position = position if position < self._log.newest else None
