"""Webhooks over real connections: order, signatures, retries, outages, slow receivers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from hookswitch.events.backoff import BackOff
from hookswitch.events.bus import EventBus
from hookswitch.events.legs import DtmfReceived
from hookswitch.events.outcome import Outcome
from hookswitch.events.posting import HttpPoster
from hookswitch.events.record import Record, WebhookTarget

from .conftest import Answer, HttpReceiver, eventually, running


def emit(bus: EventBus, url: str, lane: str = "l", count: int = 1, **kwargs: Any) -> list[int]:
    found = []
    for n in range(count):
        target = WebhookTarget(url, kwargs.get("secret"))
        record = bus.emit(DtmfReceived(leg_id=lane, digit="1", seq=n), webhook=target)
        assert record
        found.append(record.cursor)
    return found


async def test_a_delivery(receiver: HttpReceiver, path: Path) -> None:
    async with running(path) as bus:
        emit(bus, receiver.url, secret="grüße")
        await receiver.until(lambda: len(receiver.accepted) == 1)
    (headers, body), event = receiver.seen[0], receiver.accepted[0]
    assert headers["content-type"] == "application/json"
    assert headers["x-event-id"] == event["event_id"]
    digest = hmac.new("grüße".encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-signature-256"] == f"sha256={digest}"
    assert event["type"] == "dtmf.received"
    assert bus.counters.webhooks_delivered == 1
    assert bus.counters.webhooks_pending == 0


async def test_no_secret_no_signature(receiver: HttpReceiver, path: Path) -> None:
    async with running(path) as bus:
        emit(bus, receiver.url)
        await receiver.until(lambda: len(receiver.accepted) == 1)
    assert "x-signature-256" not in receiver.seen[0][0]


async def test_events_without_a_target_go_nowhere(path: Path) -> None:
    async with running(path) as bus:
        bus.emit(DtmfReceived(leg_id="l", digit="1", seq=1))
        await asyncio.sleep(0)
    assert bus.counters.webhooks_pending == bus.counters.webhooks_delivered == 0


async def test_order_per_lane_and_a_bounded_number_at_once(
    receiver: HttpReceiver, path: Path
) -> None:
    async def behave(event: dict[str, Any]) -> Answer:
        await asyncio.sleep(0.001 * (event["cursor"] % 3))
        return 200, {}

    receiver.behave = behave
    async with running(path, concurrency=5) as bus:
        for _ in range(20):
            for lane in range(12):
                emit(bus, receiver.url, f"lane{lane}")
        await receiver.until(lambda: len(receiver.accepted) == 240)
    for lane in range(12):
        seqs = receiver.cursors(leg_id=f"lane{lane}")
        assert seqs == sorted(seqs)
        assert len(seqs) == 20
    assert 1 < receiver.most <= 5


@pytest.mark.parametrize("status", [302, 400, 404, 408, 429, 500, 503])
async def test_failures_are_retried_with_the_same_bytes(
    receiver: HttpReceiver, path: Path, status: int
) -> None:
    receiver.behave = lambda event: (200 if len(receiver.seen) > 3 else status, {})
    async with running(path) as bus:
        emit(bus, receiver.url, secret="s")
        await receiver.until(lambda: len(receiver.accepted) == 1)
    assert len(receiver.seen) == 4
    assert len({body for _, body in receiver.seen}) == 1
    assert len({headers["x-signature-256"] for headers, _ in receiver.seen}) == 1
    assert bus.counters.webhooks_retried == 3


async def test_gone_is_final(
    receiver: HttpReceiver, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.behave = lambda event: (410 if event["seq"] == 0 else 200, {})
    async with running(path) as bus:
        emit(bus, receiver.url + "?token=geheim", count=2)
        await receiver.until(lambda: len(receiver.accepted) == 1)
    assert len(receiver.seen) == 2
    assert bus.counters.webhooks_gave_up == 1
    assert "gave up 1 events: status 410" in caplog.text
    assert "geheim" not in caplog.text


@pytest.mark.parametrize("url", ["ftp://host/x", "no url", "http://", "http://[::1"])
async def test_an_impossible_url_is_given_up(path: Path, url: str) -> None:
    async with running(path) as bus:
        emit(bus, url)
        await eventually(lambda: bus.counters.webhooks_gave_up == 1)


async def test_retry_after_is_waited_for(receiver: HttpReceiver, path: Path) -> None:
    times = []

    def behave(event: dict[str, Any]) -> Answer:
        times.append(asyncio.get_running_loop().time())
        return (200, {}) if len(times) > 1 else (503, {"retry-after": "1"})

    receiver.behave = behave
    async with running(path) as bus:
        emit(bus, receiver.url)
        await receiver.until(lambda: len(receiver.accepted) == 1)
    assert times[1] - times[0] >= 0.99


async def test_a_receiver_that_comes_back(receiver: HttpReceiver, path: Path) -> None:
    await receiver.close()
    async with running(path) as bus:
        for lane in "abcdefghij":
            emit(bus, receiver.url, lane, 20)
        await eventually(lambda: bus.counters.webhooks_retried >= 20)
        await receiver.open()
        await receiver.until(lambda: len(receiver.accepted) == 200)
    assert len({e["event_id"] for e in receiver.accepted}) == 200
    for lane in "abcdefghij":
        assert receiver.cursors(leg_id=lane) == sorted(receiver.cursors(leg_id=lane))


async def test_a_dead_receiver_is_not_hammered(receiver: HttpReceiver, path: Path) -> None:
    receiver.behave = lambda event: (503, {})
    async with running(path, concurrency=4, backoff=BackOff(first=30.0)) as bus:
        for lane in range(200):
            emit(bus, receiver.url, f"lane{lane}")
        await receiver.until(lambda: len(receiver.seen) == 4)
        emit(bus, receiver.url, "another")
        for _ in range(20):
            await asyncio.sleep(0.005)
    assert len(receiver.seen) == 4
    assert bus.counters.webhooks_pending == 201


async def test_a_slow_receiver_delays_nobody_else(
    receiver: HttpReceiver, other: HttpReceiver, path: Path
) -> None:
    stuck = asyncio.Event()

    async def behave(event: dict[str, Any]) -> Answer:
        await stuck.wait()
        return 200, {}

    receiver.behave = behave
    async with running(path) as bus:
        for n in range(100):
            emit(bus, receiver.url, f"lane{n}")
            emit(bus, other.url, f"lane{n}")
        await other.until(lambda: len(other.accepted) == 100)
        assert receiver.accepted == []
        stuck.set()
        await receiver.until(lambda: len(receiver.accepted) == 100)


async def test_no_answer_is_a_failure(receiver: HttpReceiver, path: Path) -> None:
    async def behave(event: dict[str, Any]) -> Answer:
        if len(receiver.seen) == 1:
            await never.wait()
        return 200, {}

    never = asyncio.Event()
    receiver.behave = behave
    async with running(path, timeout=0.05) as bus:
        emit(bus, receiver.url)
        await receiver.until(lambda: len(receiver.accepted) == 1)
        never.set()
    assert bus.counters.webhooks_retried == 1


async def test_an_endless_answer_is_cut_off(path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    poster = HttpPoster()
    record = Record(1, "id", None, b"{}", target=WebhookTarget(f"http://127.0.0.1:{port}/"))
    assert await poster.post(record) == Outcome(status=200)
    await poster.close()
    server.close()
    await server.wait_closed()


async def test_what_is_too_old_is_given_up_after_a_failure(
    receiver: HttpReceiver, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await receiver.close()
    caplog.set_level(logging.ERROR)
    async with running(path, max_age=0.05) as bus:
        for lane in "abc":
            emit(bus, receiver.url, lane, 50)
        await eventually(lambda: bus.counters.webhooks_gave_up >= 150)
        assert bus.counters.webhooks_pending == 0
        await receiver.open()
        fresh = emit(bus, receiver.url, "a")
        await receiver.until(lambda: bool(receiver.accepted))
    assert receiver.cursors() == fresh
    assert "not delivered in 0.05 s" in caplog.text


async def test_more_than_memory_holds(receiver: HttpReceiver, path: Path) -> None:
    receiver.behave = lambda event: (503, {})
    async with running(path, max_lanes=5, max_held=20, replay_events=10) as bus:
        for n in range(3000):
            emit(bus, receiver.url, f"lane{n % 40}")
        await receiver.until(lambda: len(receiver.seen) > 2)
        receiver.behave = lambda event: (200, {})
        await receiver.until(lambda: len(receiver.accepted) >= 1500)
        for n in range(500):
            emit(bus, receiver.url, f"lane{n % 50}")
        await receiver.until(lambda: len(receiver.accepted) == 3500)
    assert len(set(receiver.cursors())) == 3500
    for lane in range(50):
        cursors = receiver.cursors(leg_id=f"lane{lane}")
        assert cursors == sorted(cursors)


async def test_undelivered_events_survive_a_restart(receiver: HttpReceiver, path: Path) -> None:
    receiver.behave = lambda event: (503, {})
    async with running(path, backoff=BackOff(first=30.0)) as bus:
        first = emit(bus, receiver.url, "a", 50, secret="s") + emit(bus, receiver.url, "b", 50)
        await receiver.until(lambda: len(receiver.seen) >= 1)
    assert bus.counters.webhooks_pending == 100
    receiver.behave = lambda event: (200, {})
    async with running(path) as bus:
        second = emit(bus, receiver.url, "a", 10)
        await receiver.until(lambda: len(receiver.accepted) == 110)
    assert bus.counters.webhooks_delivered == 110
    assert bus.counters.webhooks_pending == 0
    assert sorted(receiver.cursors()) == first + second
    assert receiver.cursors(leg_id="a") == first[:50] + second
    assert receiver.cursors(leg_id="b") == first[50:]
    signed = [h for h, body in receiver.seen if json.loads(body)["cursor"] == first[49]]
    assert "x-signature-256" in signed[-1]


async def test_closing_lets_what_is_under_way_end(receiver: HttpReceiver, path: Path) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def behave(event: dict[str, Any]) -> Answer:
        asked.set()
        await answer.wait()
        return 200, {}

    receiver.behave = behave
    async with running(path) as bus:
        emit(bus, receiver.url, "l", 2)
        await asked.wait()
        asyncio.get_running_loop().call_later(0.05, answer.set)
    assert len(receiver.accepted) == 1
    assert bus.counters.webhooks_delivered == 1
    async with running(path) as bus:
        await receiver.until(lambda: len(receiver.accepted) == 2)
    assert len(set(receiver.cursors())) == 2


async def test_closing_does_not_wait_for_ever(receiver: HttpReceiver, path: Path) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def behave(event: dict[str, Any]) -> Answer:
        asked.set()
        await never.wait()
        return 200, {}

    receiver.behave = behave
    async with running(path) as bus:
        emit(bus, receiver.url)
        await asked.wait()
        async with asyncio.timeout(1):
            await bus._webhooks.close(grace=0.01)
    assert bus.counters.webhooks_delivered == 0
    never.set()


async def test_deliveries_go_on_while_the_store_fails(receiver: HttpReceiver, path: Path) -> None:
    async with running(path) as bus:
        await bus._log._call(lambda archive: _limit(archive, 1))
        cursors = emit(bus, receiver.url, "l", 100)
        await receiver.until(lambda: len(receiver.accepted) == 100)
        assert bus.counters.store_unwritten > 0
        await bus._log._call(lambda archive: _limit(archive, 1_000_000))
    assert receiver.cursors() == cursors


def _limit(archive: Any, pages: int) -> None:
    archive._store._db.execute(f"PRAGMA max_page_count = {pages}")
