"""Legs left over by a server that ended without ending them."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from hookswitch.events.archive import Archive, ArchiveOptions
from hookswitch.events.counters import EventCounters
from hookswitch.events.legs import (
    Cdr,
    DtmfReceived,
    LegConnected,
    LegDisconnected,
    LegEvent,
    LegRinging,
)
from hookswitch.events.open_legs import OpenLegs
from hookswitch.events.record import Record, WebhookTarget, stamp
from hookswitch.events.rooms import RoomCreated

from .conftest import HttpReceiver, running

TYPE = "sip_inbound"


def ringing(leg: str = "l") -> LegRinging:
    return LegRinging(leg_id=leg, leg_type=TYPE)


def connected(leg: str = "l") -> LegConnected:
    return LegConnected(leg_id=leg, leg_type=TYPE)


def digit(leg: str = "l") -> DtmfReceived:
    return DtmfReceived(leg_id=leg, digit="1", seq=1)


def disconnected(leg: str = "l") -> LegDisconnected:
    return LegDisconnected(leg_id=leg, leg_type=TYPE, cdr=Cdr("api_hangup", 1.0, 1.0))


async def live(
    path: Path, *events: LegEvent, at: float = 100.0, target: WebhookTarget | None = None
) -> list[dict[str, Any]]:
    """One life of a server: emits an event each second, is shut down; what was seen."""
    now = [at]
    seen: list[Record] = []
    async with running(path, clock=lambda: now[0]) as bus:
        bus.observe(seen.append)
        for event in events:
            bus.emit(event, app_id="app", webhook=target)
            now[0] += 1.0
    return [json.loads(record.body) for record in seen]


async def test_a_leg_left_over_is_ended_at_the_next_start(path: Path) -> None:
    await live(path, ringing(), connected(), digit(), digit(), at=100.0)
    ended, other = await live(path, ringing("m"), at=9000.0)
    assert ended["type"] == "leg.disconnected"
    assert (ended["leg_id"], ended["leg_type"], ended["app_id"]) == ("l", TYPE, "app")
    cdr = {"reason": "server_error", "duration_total": 3.0, "duration_answered": 2.0}
    assert ended["cdr"] == cdr
    assert ended["timestamp"].startswith("1970-01-01T02:30:00")
    assert other["leg_id"] == "m"
    assert other["cursor"] > ended["cursor"]


async def test_it_is_ended_once(path: Path) -> None:
    await live(path, ringing())
    (ended,) = await live(path)
    assert ended["cdr"]["duration_answered"] == 0.0
    assert await live(path) == []


async def test_legs_that_ended_are_left_alone(path: Path) -> None:
    await live(path, ringing(), connected(), disconnected(), digit())
    assert await live(path) == []


async def test_legs_nobody_heard_of_are_left_alone(path: Path) -> None:
    await live(path, digit())
    assert await live(path) == []


async def test_a_leg_announced_by_its_answer_only(path: Path) -> None:
    await live(path, connected(), digit())
    (ended,) = await live(path)
    assert ended["cdr"]["duration_total"] == ended["cdr"]["duration_answered"] == 1.0


async def test_all_are_ended_in_the_order_of_their_beginning(path: Path) -> None:
    await live(path, *(ringing(f"{n % 7}-{n}") for n in range(700)))
    ended = await live(path)
    assert [e["leg_id"] for e in ended] == [f"{n % 7}-{n}" for n in range(700)]
    assert await live(path) == []


async def test_events_beyond_the_replay_window_count(path: Path) -> None:
    now = [0.0]
    async with running(path, replay_events=5, clock=lambda: now[0]) as bus:
        bus.emit(ringing())
        now[0] = 50.0
        bus.emit(digit())
        for _ in range(100):
            bus.emit(RoomCreated(room_id="r"))
    (ended,) = await live(path)
    assert ended["cdr"]["duration_total"] == 50.0


async def test_a_clock_set_back(path: Path) -> None:
    await live(path, ringing(), at=500.0)
    now = [100.0]
    legs = OpenLegs()
    for event in (ringing(), connected()):
        legs.note(stamp(event, cursor=1, instance_id="i", now=now[0]))
        now[0] -= 10.0
    (leg,) = legs
    assert leg.cut_off().cdr == Cdr("server_error", 0.0, 0.0)


async def test_the_webhook_of_the_leg_is_told(receiver: HttpReceiver, path: Path) -> None:
    await live(path, ringing(), target=WebhookTarget(receiver.url, "s"))
    async with running(path) as bus:
        await receiver.until(lambda: len(receiver.accepted) == 2)
        assert bus.counters.webhooks_delivered <= 2
    assert [e["type"] for e in receiver.accepted] == ["leg.ringing", "leg.disconnected"]
    assert all("x-signature-256" in headers for headers, _ in receiver.seen)


async def test_undelivered_events_are_counted_once(receiver: HttpReceiver, path: Path) -> None:
    receiver.behave = lambda event: (503, {})
    await live(path, ringing(), digit(), at=time.time(), target=WebhookTarget(receiver.url))
    async with running(path) as bus:
        await bus._log.flush()
        assert bus.counters.webhooks_pending == 3


def records(*events: LegEvent, first: int = 1) -> list[Record]:
    target = WebhookTarget("http://receiver/", "s")
    return [
        stamp(event, cursor=cursor, instance_id="i", now=float(cursor), target=target)
        for cursor, event in enumerate(events, first)
    ]


def opened(path: Path) -> Archive:
    return Archive(ArchiveOptions(str(path), memory_limit=10), EventCounters())


def left(path: Path) -> dict[str, WebhookTarget | None]:
    archive = opened(path)
    found = {leg.leg_id: leg.target for leg in archive.leftover().legs}
    archive.close(0.0)
    return found


def fill_disk(archive: Archive, *, full: bool) -> None:
    assert archive._store
    archive._store._db.execute(f"PRAGMA max_page_count = {1 if full else 1_000_000}")


def test_legs_outlive_events_lost_by_a_failing_store(path: Path) -> None:
    archive = opened(path)
    archive.write(records(ringing("a"), ringing("b")), [], 0.0)
    fill_disk(archive, full=True)
    archive.write(records(disconnected("a"), ringing("c"), ringing("d"), first=3), [3, 4], 1.0)
    for n in range(100):
        leg = f"e{n}"
        archive.write(records(ringing(leg), disconnected(leg), first=10 + 2 * n), [], 1.0)
    assert len(archive._legs._changed) <= 3, "what came and went meanwhile is forgotten"
    fill_disk(archive, full=False)
    archive.write([], [], 10.0)
    archive.close(10.0)
    target = WebhookTarget("http://receiver/", "s")
    assert left(path) == {"b": target, "c": target, "d": target}


def test_legs_move_to_the_store_that_replaces_a_damaged_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = opened(path)
    archive.write(records(ringing("a"), ringing("b")), [], 0.0)
    assert archive._store

    def malformed(*args: object) -> object:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(archive._store, "write", malformed)
    archive.write(records(disconnected("a"), first=3), [], 1.0)
    archive.close(1.0)
    assert set(left(path)) == {"b"}


def test_a_leg_and_its_events_are_stored_together_or_not_at_all(path: Path) -> None:
    archive = opened(path)
    fill_disk(archive, full=True)
    archive.write(records(*(ringing(f"a{n}") for n in range(50))), [], 0.0)
    assert archive._store
    assert archive._store.open_legs() == []
    assert archive._store.after(0, 100) == []
    fill_disk(archive, full=False)
    archive.close(1.0)
    assert len(left(path)) == 50


def test_text_nothing_can_store(path: Path) -> None:
    archive = opened(path)
    event = LegRinging(leg_id="l\udc80", leg_type="t\udc80")
    archive.write(records(event), [], 0.0)
    archive.close(0.0)
    assert list(left(path)) == ["l?"]
