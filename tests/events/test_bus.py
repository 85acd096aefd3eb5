"""The bus: who gets an event, when, and who cannot harm whom."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from hookswitch.events.bus import EventBus
from hookswitch.events.legs import LegMuted
from hookswitch.events.log import EventLog
from hookswitch.events.record import Record
from hookswitch.events.schema import EventStoreError

from .conftest import running

MUTED = LegMuted(leg_id="l")


async def test_observers_see_events_in_order_once_they_are_stored(path: Path) -> None:
    async with running(path) as bus:
        seen: list[Record] = []
        stop = bus.observe(seen.append)
        made = [bus.emit(MUTED) for _ in range(100)]
        assert seen == []
        await bus._log.flush()
        assert seen == made
        assert seen[0].event is MUTED
        stop()
        bus.emit(MUTED)
    assert len(seen) == 100
    assert bus.counters.emitted == 101


async def test_a_failing_observer_harms_nobody(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(record: Record) -> None:
        raise RuntimeError("oops")

    async with running(path) as bus:
        seen: list[Record] = []
        bus.observe(broken)
        bus.observe(seen.append)
        stream = bus.stream()
        for _ in range(3):
            bus.emit(MUTED)
        await bus._log.flush()
        assert len(seen) == 3
        assert await stream.next()
    assert bus.counters.observer_errors == 3
    assert caplog.text.count("told once") == 1


async def test_observers_may_emit(path: Path) -> None:
    async with running(path) as bus:
        seen: list[Record] = []

        def answer(record: Record) -> None:
            seen.append(record)
            if len(seen) < 5:
                bus.emit(MUTED)

        bus.observe(answer)
        bus.emit(MUTED)
        async with asyncio.timeout(5):
            while len(seen) < 5:
                await bus._log.flush()
        assert [r.cursor for r in seen] == sorted(r.cursor for r in seen)


async def test_events_after_the_end_are_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with running(path) as bus:
        pass
    assert bus.emit(MUTED) is None
    assert "leg.muted" in caplog.text


async def test_two_servers_on_one_file(path: Path) -> None:
    async with running(path):
        second = EventBus(EventLog(path), instance_id="b")
        with pytest.raises(EventStoreError, match="in use by another server"):
            await second.start()
        await second._webhooks.close()


async def test_what_was_emitted_last_is_visible_before_the_end(path: Path) -> None:
    seen: list[Record] = []
    async with running(path) as bus:
        bus.observe(seen.append)
        bus.emit(MUTED)
    assert len(seen) == 1
