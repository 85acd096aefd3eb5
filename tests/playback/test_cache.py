"""The cache on disk: whole files only, whatever dies, and no more than it may take."""

from __future__ import annotations

import os
from pathlib import Path

from hookswitch.playback.player.cache import HEADER, Cache, Entry
from hookswitch.playback.player.stop import Stop


def keep(cache: Cache, url: str, data: bytes) -> Entry:
    part = cache.begin()
    part.spool.append(data)
    part.spool.finish()
    entry = Entry(url, url, '"1"', "", "audio/wav", len(data))
    assert cache.publish(part, entry)
    cache.published(entry)
    part.spool.close()
    return entry


def content(cache: Cache, url: str) -> bytes | None:
    found = cache.find(url)
    if found is None:
        return None
    data = found[1].read(0, 1000, Stop())
    found[1].close()
    return data


def test_what_was_kept_is_found_after_a_restart(tmp_path: Path) -> None:
    keep(Cache(tmp_path, 1000), "http://a/1", b"one")
    assert content(Cache(tmp_path, 1000), "http://a/1") == b"one"


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(
    tmp_path: Path,
) -> None:
    part = Cache(tmp_path, 1000).begin()
    (tmp_path / "dead.part").write_bytes(b"x")
    Cache(tmp_path, 1000)
    assert list(tmp_path.iterdir()) == [part.path]
    part.spool.close()
    Cache(tmp_path, 1000)
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_removed(tmp_path: Path) -> None:
    entry = keep(Cache(tmp_path, 1000), "http://a/1", b"one")
    path = tmp_path / entry.name
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole + b"x", b"", b"{" * HEADER, b"[]".ljust(HEADER), b'{"a":1}'):
        path.write_bytes(damaged)
        assert content(Cache(tmp_path, 1000), "http://a/1") is None
        assert not path.exists()


def test_the_least_recently_used_goes_also_at_the_start(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    for number in range(3):
        entry = keep(cache, f"http://a/{number}", b"x" * 300)
        os.utime(tmp_path / entry.name, (number, number))
    assert content(cache, "http://a/0")
    smaller = Cache(tmp_path, 700)
    assert content(smaller, "http://a/1") is None
    assert content(smaller, "http://a/0")
    assert content(smaller, "http://a/2")


def test_what_is_removed_while_it_plays_is_played_to_its_end(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    keep(cache, "http://a/1", b"one")
    found = cache.find("http://a/1")
    assert found
    cache.forget("http://a/1")
    assert found[1].read(0, 100, Stop()) == b"one"
    found[1].close()


def test_a_file_that_somebody_removed_is_not_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    (tmp_path / keep(cache, "http://a/1", b"one").name).unlink()
    assert content(cache, "http://a/1") is None


def test_a_url_too_long_to_be_noted_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 1000)
    part = cache.begin()
    part.spool.append(b"x")
    url = "http://a/" + "b" * HEADER
    assert not cache.publish(part, Entry(url, url, '"1"', "", "", 1))
    part.spool.close()
