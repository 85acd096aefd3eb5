"""What SIP keeps on disk."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from hookswitch.settings import SettingsError
from hookswitch_transport_sip.store import SipStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "sip.sqlite3"


async def test_documents_come_back(file: Path) -> None:
    store = SipStore(file)
    store.open()
    await store.write("bindings", [("a", {"x": 1}), ("b", {"x": "ü"})])
    await store.write("trunks", [("a", {"y": None})])
    await store.write("bindings", [("a", None), ("b", {"x": 2}), ("c", {})])
    store.close()
    again = SipStore(file)
    again.open()
    assert again.load("bindings") == {"b": {"x": 2}, "c": {}}
    assert again.load("trunks") == {"a": {"y": None}}
    again.close()


async def test_only_its_owner_can_read_it(file: Path) -> None:
    store = SipStore(file)
    store.open()
    await store.write("trunks", [("a", {"password": "secret"})])
    modes = {path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    store.close()
    assert modes == {0o600}


async def test_what_is_written_together_is_there_together(file: Path) -> None:
    store = SipStore(file)
    store.open()
    writes = [store.write("bindings", [(str(n), {"n": n}), ("last", {"n": n})]) for n in range(50)]
    await asyncio.gather(*writes)
    assert store.load("bindings")["last"] == {"n": 49}
    assert len(store.load("bindings")) == 51
    store.close()


async def test_after_its_end_nothing_is_written(file: Path) -> None:
    store = SipStore(file)
    store.open()
    store.close()
    await store.write("bindings", [("a", {})])
    store.close()


def test_a_damaged_file_is_moved_aside(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.parent.mkdir()
    file.write_bytes(b"this is no database" * 1000)
    store = SipStore(file)
    store.open()
    assert store.load("bindings") == {}
    store.close()
    assert [path.name[:21] for path in sorted(file.parent.glob("*.corrupt*"))] == [
        "sip.sqlite3.corrupt-2"
    ]
    assert "is damaged: moved to" in caplog.text


def test_a_newer_one_is_refused(file: Path) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SettingsError, match="newer hookswitch"):
        SipStore(file).open()


def test_a_folder_in_its_place_is_no_file(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(SettingsError, match="DATA_DIR"):
        SipStore(file).open()


async def test_a_disk_that_fails_is_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = SipStore(file)
    store.open()
    with sqlite3.connect(file) as other:
        other.execute("DROP TABLE bindings")
    other.close()
    with caplog.at_level(logging.ERROR):
        await store.write("bindings", [("a", {})])
    assert "cannot write" in caplog.text
    store.close()


async def test_what_is_no_json_is_left_out(file: Path) -> None:
    store = SipStore(file)
    store.open()
    await store.write("bindings", [("a", {})])
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO bindings VALUES ('b', 'oops')")
    other.close()
    assert store.load("bindings") == {"a": {}}
    store.close()
