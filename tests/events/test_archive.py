"""A store that fails: events live on in memory and are written later."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookswitch.events.archive import Archive, ArchiveOptions
from hookswitch.events.counters import EventCounters
from hookswitch.events.record import Record, WebhookTarget
from hookswitch.events.schema import EventStoreError

URL = "http://receiver/"


def records(first: int, last: int) -> list[Record]:
    target = WebhookTarget(URL)
    return [Record(n, f"id-{n}", None, b"x" * 400, "l", n, target) for n in range(first, last + 1)]


def cursors(found: list[Record]) -> list[int]:
    return [r.cursor for r in found]


@pytest.fixture
def counters() -> EventCounters:
    return EventCounters()


@pytest.fixture
def archive(path: Path, counters: EventCounters) -> Iterator[Archive]:
    opened = Archive(ArchiveOptions(str(path), memory_limit=100), counters)
    yield opened
    opened.close(1e9)


def waits(archive: Archive) -> float | None:
    return archive.retry_at


def fill_disk(archive: Archive, *, full: bool = True) -> None:
    """SQLite refuses to grow the file, as on a full disk."""
    assert archive._store
    archive._store._db.execute(f"PRAGMA max_page_count = {1 if full else 1_000_000}")


def test_a_full_disk_delays_writing(
    archive: Archive, counters: EventCounters, caplog: pytest.LogCaptureFixture
) -> None:
    archive.write(records(1, 5), [], 0.0)
    fill_disk(archive)
    for n in range(6, 50):
        archive.write(records(n, n), [], n * 0.1)
    assert [r.levelno for r in caplog.records] == [logging.ERROR]
    assert "full" in caplog.text
    # tried about once a second, not with every event
    assert 0 < counters.store_errors <= 6
    assert counters.store_unwritten > 0
    assert cursors(list(archive.page(0, 100).records)) == list(range(1, 50))
    assert archive.page(0, 100).oldest is None
    assert cursors(archive.lane(URL, "l", 47, 10)) == [48, 49]
    assert archive.lanes(URL, 48, 10) == [(49, "l")]
    fill_disk(archive, full=False)
    archive.write([], [], 100.0)
    assert "works again" in caplog.text
    assert counters.store_unwritten == 0
    assert archive.retry_at is None
    assert cursors(list(archive.page(0, 100).records)) == list(range(1, 50))


def test_deliveries_that_end_before_they_are_written(archive: Archive, path: Path) -> None:
    fill_disk(archive)
    archive.write(records(1, 30), [], 0.0)
    assert archive.retry_at == 1.0
    archive.write([], [1, 2], 0.1)
    assert archive.expire(URL, before=5.0) == (2, 0)
    assert archive.lanes(URL, 0, 2) == [(5, "l"), (6, "l")]
    fill_disk(archive, full=False)
    archive.write([], [], 2.0)
    assert archive.lanes(URL, 0, 2) == [(5, "l"), (6, "l")]


def test_memory_is_bounded_and_the_loss_announced(
    archive: Archive, counters: EventCounters
) -> None:
    archive.write(records(1, 5), [], 0.0)
    fill_disk(archive)
    archive.write(records(6, 80), [], 1.0)
    archive.write(records(81, 155), [], 1.1)
    assert counters.store_lost == 50
    first = archive.page(0, 1000)
    assert (cursors(list(first.records)), first.oldest) == ([1, 2, 3, 4, 5], None)
    second = archive.page(5, 1000)
    assert (second.records[0].cursor, second.oldest) == (56, 56)
    assert archive.page(60, 1000).oldest is None
    fill_disk(archive, full=False)
    archive.write([], [], 3.0)
    assert archive.page(5, 1000).oldest == 56


def test_a_lock_held_by_somebody_else_is_waited_out(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert archive._store
    good = archive._store.write

    def locked(*args: object) -> object:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(archive._store, "write", locked)
    archive.write(records(1, 3), [], 0.0)
    monkeypatch.setattr(archive._store, "write", good)
    archive.write(records(4, 4), [], 0.5)
    assert waits(archive) == 1.0
    archive.write([], [], 1.0)
    assert waits(archive) is None
    assert cursors(archive.lane(URL, "l", 0, 10)) == [1, 2, 3, 4]


def test_a_file_damaged_while_running_is_replaced(
    archive: Archive, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write(records(1, 5), [], 0.0)
    assert archive._store
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT

    def malformed(*args: object) -> object:
        raise error

    monkeypatch.setattr(archive._store, "write", malformed)
    archive.write(records(6, 9), [], 1.0)
    archive.write(records(10, 10), [], 1.0)
    page = archive.page(0, 100)
    assert (cursors(list(page.records)), page.oldest) == ([6, 7, 8, 9, 10], 6)
    assert archive.page(6, 100).oldest is None
    assert len(list(path.parent.glob("*.corrupt-*"))) >= 1


def test_a_file_damaged_at_the_start_is_moved_aside(
    path: Path, counters: EventCounters, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database at all" * 100)
    archive = Archive(ArchiveOptions(str(path)), counters)
    assert "moved to" in caplog.text
    assert archive.high > 1_600_000_000_000, "beyond whatever the damaged file had counted"
    assert archive.page(5, 10).oldest == archive.high + 1
    archive.close(0.0)
    assert [p.read_bytes()[:4] for p in path.parent.glob("*.corrupt-*")] == [b"this"]


def test_what_cannot_be_saved_at_the_end_is_told(
    path: Path, counters: EventCounters, caplog: pytest.LogCaptureFixture
) -> None:
    archive = Archive(ArchiveOptions(str(path)), counters)
    fill_disk(archive)
    archive.write(records(1, 20), [], 0.0)
    archive.close(0.0)
    assert "20 events could not be saved" in caplog.text
    again = Archive(ArchiveOptions(str(path)), counters)
    assert again.high > 20
    again.close(0.0)


@pytest.mark.parametrize(
    ("after", "gap"), [(0, True), (4, True), (5, False), (9, False), (99, True)]
)
def test_gaps(path: Path, counters: EventCounters, after: int, gap: bool) -> None:
    archive = Archive(ArchiveOptions(str(path), replay_events=4), counters)
    for record in records(1, 9):
        archive.write([record], [], 0.0)
    page = archive.page(after, 100)
    assert page.oldest == (6 if gap else None)
    assert [r.cursor for r in page.records] == [n for n in (6, 7, 8, 9) if gap or n > after]
    archive.close(0.0)


def test_a_cursor_of_a_crashed_life_is_a_gap(path: Path, counters: EventCounters) -> None:
    first = Archive(ArchiveOptions(str(path)), counters)
    first.write(records(1, 5), [], 0.0)
    assert first._store
    first._store.close(clean=False)
    again = Archive(ArchiveOptions(str(path)), counters)
    fresh = again.high + 1
    assert again.page(5, 10).oldest is None
    assert again.page(7, 10).oldest == fresh
    again.write(records(fresh, fresh), [], 0.0)
    assert again.page(7, 10).oldest == fresh
    assert again.page(4, 10).oldest is None
    again.close(0.0)


def test_two_servers_on_one_file(archive: Archive, path: Path, counters: EventCounters) -> None:
    with pytest.raises(EventStoreError, match="another server"):
        Archive(ArchiveOptions(str(path)), counters)
