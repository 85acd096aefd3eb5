"""Subscribers: filter, bounded buffer, replay, and the seam between replay and live."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from hookswitch.errors import BadRequest
from hookswitch.events import stream as module
from hookswitch.events.bus import EventBus
from hookswitch.events.legs import DtmfReceived
from hookswitch.events.stream import EventStream, StreamClosed

from .conftest import running


def emit(bus: EventBus, count: int = 1, app_id: str | None = None) -> list[int]:
    made = (
        bus.emit(DtmfReceived(leg_id="l", digit="1", seq=n), app_id=app_id) for n in range(count)
    )
    return [record.cursor for record in made if record]


async def read(stream: EventStream, count: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        return [json.loads(await stream.next()) for _ in range(count)]


async def cursors(stream: EventStream, count: int) -> list[int]:
    return [message["cursor"] for message in await read(stream, count)]


async def silent(stream: EventStream) -> bool:
    try:
        async with asyncio.timeout(0.02):
            await stream.next()
    except TimeoutError:
        return True
    return False


async def test_live_events(path: Path) -> None:
    async with running(path) as bus:
        emit(bus, 5)
        await bus._log.flush()
        stream = bus.stream()
        new = emit(bus, 5)
        assert await cursors(stream, 5) == new
        assert await silent(stream)


@pytest.mark.parametrize("after", [None, 0])
async def test_the_application_filter(path: Path, after: int | None) -> None:
    async with running(path) as bus:
        stream = bus.stream(app_id="^shop-", after=after)
        other = bus.stream(app_id="^$", after=after)
        emit(bus, 1, "my-shop-1")
        wanted = emit(bus, 2, "shop-1") + emit(bus, 1, "shop-2")
        untagged = emit(bus)
        assert await cursors(stream, 3) == wanted
        assert await cursors(other, 1) == untagged
        assert await silent(stream)


@pytest.mark.parametrize("pattern", ["(", "a" * 257, "(?<=a)b"])
async def test_a_bad_filter(path: Path, pattern: str) -> None:
    async with running(path) as bus:
        with pytest.raises(BadRequest, match="app_id"):
            bus.stream(app_id=pattern)
        with pytest.raises(BadRequest, match="after"):
            bus.stream(after=-1)


async def test_a_slow_reader_loses_new_events_and_is_told(path: Path) -> None:
    async with running(path) as bus:
        stream = bus.stream(buffer_size=10)
        kept = emit(bus, 25)[:10]
        await bus._log.flush()
        assert bus.counters.stream_dropped == 15
        assert await read(stream) == [{"type": "events_dropped", "count": 15}]
        assert await cursors(stream, 10) == kept
        assert await cursors(stream, 0) == []
        new = emit(bus)
        assert await cursors(stream, 1) == new


async def test_replay_is_not_limited_by_the_buffer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 50)
    async with running(path) as bus:
        old = emit(bus, 1000)
        stream = bus.stream(after=old[99], buffer_size=10)
        assert await cursors(stream, 900) == old[100:]
        assert await silent(stream)
        new = emit(bus, 3)
        assert await cursors(stream, 3) == new


async def test_replay_across_restarts(path: Path) -> None:
    async with running(path) as bus:
        old = emit(bus, 20)
    async with running(path) as bus:
        stream = bus.stream(after=old[4])
        new = emit(bus, 2)
        assert new[0] > old[-1]
        assert await cursors(stream, 17) == old[5:] + new


async def test_gaps_are_announced(path: Path) -> None:
    async with running(path, replay_events=10) as bus:
        old = emit(bus, 50)
        await bus._log.flush()
        stream = bus.stream(after=old[5])
        gap, *rest = await read(stream, 2)
        assert gap == {"type": "events_gap", "after": old[5], "oldest": rest[0]["cursor"]}
        assert rest[0]["cursor"] > old[6]
        ahead = bus.stream(after=10**12)
        assert (await read(ahead))[0]["type"] == "events_gap"


async def test_a_gap_with_nothing_kept(path: Path) -> None:
    async with running(path) as bus:
        stream = bus.stream(after=7)
        assert await read(stream) == [{"type": "events_gap", "after": 7, "oldest": 1}]
        assert await cursors_of_emitted(bus, stream)


async def cursors_of_emitted(bus: EventBus, stream: EventStream) -> bool:
    new = emit(bus, 2)
    return await cursors(stream, 2) == new


async def test_after_the_newest_is_simply_live(path: Path) -> None:
    async with running(path) as bus:
        old = emit(bus, 3)
        await bus._log.flush()
        stream = bus.stream(after=old[-1])
        assert await cursors_of_emitted(bus, stream)


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_lost_or_doubled_at_the_seam(
    path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 7)
    rng = random.Random(seed)
    async with running(path) as bus:
        everything = emit(bus, 100)

        async def emitting() -> None:
            for _ in range(150):
                everything.extend(emit(bus, rng.randrange(4)))
                await asyncio.sleep(rng.choice([0, 0, 0.001]))

        async def reading(after: int, pause: int) -> list[int]:
            stream = bus.stream(after=after, buffer_size=10_000)
            found: list[int] = []
            while len(found) < pause or not writer.done() or found[-1] != everything[-1]:
                found += await cursors(stream, 1)
            return found

        writer = asyncio.create_task(emitting())
        starts = [0, 50, everything[-1]]
        readers = [asyncio.create_task(reading(start, 1)) for start in starts]
        await writer
        last = emit(bus)  # wakes readers that had seen all when the writer ended
        everything.extend(last)
        results = await asyncio.gather(*readers)
    for start, found in zip(starts, results, strict=True):
        assert found == [c for c in everything if c > start][: len(found)]
        assert len(found) >= len([c for c in everything if c > start]) - 1


async def test_cancelling_a_read_loses_nothing(path: Path) -> None:
    async with running(path) as bus:
        old = emit(bus, 50)
        stream = bus.stream(after=0)
        found: list[int] = []
        for _ in range(30):
            task = asyncio.create_task(stream.next())
            await asyncio.sleep(0)
            task.cancel()
            try:
                found.append(json.loads(await task)["cursor"])
            except asyncio.CancelledError:
                continue
        found += await cursors(stream, 50 - len(found))
        assert found == old


async def test_the_end(path: Path) -> None:
    async with running(path) as bus:
        left, stays = bus.stream(), bus.stream()
        waiting = asyncio.create_task(left.next())
        ended = asyncio.create_task(stays.next())
        await asyncio.sleep(0)
        bus.unsubscribe(left)
        with pytest.raises(StreamClosed):
            await waiting
    with pytest.raises(StreamClosed):
        await ended
