"""The event store's file: what it keeps, forgets, refuses."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookswitch.events import store as module
from hookswitch.events.record import Record, WebhookTarget
from hookswitch.events.schema import EventStoreError, connect
from hookswitch.events.store import UNCLEAN_SKIP, Store

URL = "http://receiver/"


def record(cursor: int, *, lane: str = "l", url: str | None = URL) -> Record:
    target = WebhookTarget(url, "s") if url else None
    return Record(cursor, f"id-{cursor}", "app", b"{}", lane, float(cursor), target)


def cursors(records: list[Record]) -> list[int]:
    return [r.cursor for r in records]


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    opened = Store(str(path), replay_events=10)
    yield opened
    opened.close(clean=True)


def test_events_and_deliveries_are_kept(store: Store) -> None:
    store.write([record(1), record(2, url=None), record(3, lane="m")], [])
    assert cursors(store.after(0, 10)) == [1, 2, 3]
    assert cursors(store.after(1, 1)) == [2]
    assert store.lanes(URL, 0, 10) == [(1, "l"), (3, "m")]
    assert store.lane(URL, "l", 0, 10) == [record(1)]
    assert store.receivers() == [(URL, 2)]
    store.write([], [1, 3])
    assert store.receivers() == []


@pytest.mark.parametrize("count", [1, 7, 8, 9, 63, 64, 65, 200])
def test_any_number_of_rows(path: Path, count: int) -> None:
    store = Store(str(path), replay_events=1000)
    store.write([record(n) for n in range(1, count + 1)], [])
    assert cursors(store.after(0, 1000)) == list(range(1, count + 1))
    store.write([], list(range(1, count + 1)))
    assert store.receivers() == []
    store.close(clean=True)


def test_only_the_last_events_are_kept_for_replay(store: Store) -> None:
    for n in range(1, 101):
        store.write([record(n, url=None)], [])
    assert cursors(store.after(0, 100)) == list(range(91, 101))
    assert store.pruned_to == 90


def test_undelivered_events_outlive_the_replay_window(store: Store) -> None:
    store.write([record(1), record(2)], [])
    store.write([record(n, url=None) for n in range(3, 101)], [])
    assert cursors(store.lane(URL, "l", 0, 10)) == [1, 2]
    assert cursors(store.after(0, 100)) == list(range(91, 101))
    store.write([], [1])
    assert cursors(store.lane(URL, "l", 0, 10)) == [2]
    assert rows(store) == [2, *range(91, 101)]
    store.write([], [2])
    assert rows(store) == list(range(91, 101))


def rows(store: Store) -> list[int]:
    return [row[0] for row in store._db.execute("SELECT cursor FROM events")]


def test_expiry_takes_what_is_old_of_one_receiver(store: Store) -> None:
    store.write([record(1), record(2, url="http://other/"), record(3), record(4)], [])
    store.write([record(n, url=None) for n in range(5, 50)], [])
    assert store.expire(URL, before=1.0) == (0, 0)
    assert store.expire(URL, before=4.0) == (2, 3)
    assert store.receivers() == [("http://other/", 1), (URL, 1)]
    assert rows(store)[:3] == [2, 4, 40]
    assert store.expire(URL, before=1e9) == (1, 4)
    assert store.expire(URL, before=1e9) == (0, 0)


def test_expiry_is_sliced(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EXPIRED_AT_ONCE", 10)
    store.write([record(n) for n in range(1, 26)], [])
    found = [store.expire(URL, before=24.0) for _ in range(4)]
    assert found == [(10, 10), (10, 20), (3, 23), (0, 0)]
    assert store.lanes(URL, 0, 10) == [(24, "l"), (25, "l")]


def test_cursors_grow_across_restarts_even_when_all_is_pruned(path: Path) -> None:
    store = Store(str(path), replay_events=0)
    store.write([record(n, url=None) for n in range(1, 11)], [])
    store.close(clean=True)
    store = Store(str(path), replay_events=0)
    assert store.high == 10
    assert store.after(0, 10) == []
    assert not store.hole
    store.close(clean=True)


def test_after_a_crash_cursors_that_may_have_been_seen_are_left_out(path: Path) -> None:
    store = Store(str(path), replay_events=10)
    store.write([record(5)], [])
    store.close(clean=False)
    store = Store(str(path), replay_events=10)
    assert store.high == 5 + UNCLEAN_SKIP
    assert 6 in store.hole
    assert 5 not in store.hole
    assert store.high not in store.hole
    store.close(clean=True)


def test_a_failed_write_changes_nothing(store: Store) -> None:
    store.write([record(1)], [])
    bad = Record(3, "id", "app", object())  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        store.write([record(2), bad], [1])
    assert store.high == 1
    assert store.lanes(URL, 0, 10) == [(1, "l")]


def test_the_file_is_its_owners_only(store: Store, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_server_is_refused(store: Store, path: Path) -> None:
    with pytest.raises(EventStoreError, match="in use by another server"):
        connect(str(path))
    code = "import sys; from hookswitch.events.schema import connect; connect(sys.argv[1])"
    result = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "EventStoreError" in result.stderr
    assert "in use by another server" in result.stderr


def test_an_unusable_path_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "events.db"):
        with pytest.raises(EventStoreError, match=str(path)):
            Store(str(path), replay_events=10)


def test_a_newer_file_is_refused(path: Path) -> None:
    db = connect(str(path))
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(EventStoreError, match="newer"):
        connect(str(path))


def test_memory_only() -> None:
    store = Store(":memory:", replay_events=10)
    store.write([record(1)], [])
    assert cursors(store.after(0, 10)) == [1]
    store.close(clean=True)
