"""Plugins that keep what happened, and wake those who wait for it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hookswitch.events.record import Record
from hookswitch.plugin import hookimpl

PATIENCE = 10.0
"""Seconds the kit waits for anything before it fails the test."""


class EventRecorder:
    """Keeps every event in its JSON form."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    @hookimpl
    def event_emitted(self, record: Record) -> None:
        self.events.append(json.loads(record.body))
        self._news.set()

    async def wait(self, event_type: str, **fields: Any) -> dict[str, Any]:
        """The first event of this type with these fields, now or to come."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    for event in self.events:
                        if event["type"] == event_type and fields.items() <= event.items():
                            return event
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            seen = [event["type"] for event in self.events]
            raise AssertionError(f"no {event_type} with {fields}; there was {seen}") from None

    def types(self, **fields: Any) -> list[str]:
        """The types of all events with these fields, in order."""
        return [event["type"] for event in self.events if fields.items() <= event.items()]
