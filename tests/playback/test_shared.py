"""Files decoded once for all: the same sound as alone, in a bounded memory, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from av.audio.frame import AudioFrame

from hookswitch.playback.player import shared
from hookswitch.playback.player.decode import decoded
from hookswitch.playback.player.errors import DecodeError
from hookswitch.playback.player.fetch import Fetcher
from hookswitch.playback.player.mime import parse
from hookswitch.playback.player.shared import SharedFiles
from hookswitch.playback.player.spool import Spool, SpoolReader
from hookswitch.playback.player.stop import Stop
from hookswitch.testing.leaks import open_files
from tests.sound import level, residue, tone

from .files import encoded, wav
from .media_server import MediaServer
from .test_decode import FILES, sound


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each time that a file was decoded for others too, or alone."""
    decodings: list[str] = []
    frames = shared.frames

    def counted(*args: object) -> Generator[AudioFrame]:
        decodings.append("begun")
        return frames(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(shared, "frames", counted)
    return decodings


@contextmanager
def parts(
    files: SharedFiles, path: Path, mime: str = "", rate: int = 8000, repeat: int = 1, skip: int = 0
) -> Iterator[Generator[np.ndarray]]:
    """A file's sound, shared with whoever else plays it."""
    spool, stop = Spool(os.open(path, os.O_RDONLY), complete=True), Stop()
    read = partial(SpoolReader, spool, stop)
    share = partial(files.blocks, spool.identity, spool, read)
    with closing(decoded(read, parse(mime), rate, repeat, skip, share)) as blocks:
        yield blocks
    spool.close()


def play(files: SharedFiles, path: Path, *how: object) -> np.ndarray:
    with parts(files, path, *how) as blocks:  # type: ignore[arg-type]
        return np.concatenate([np.zeros(0, np.int16), *blocks])


def file(folder: Path, data: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def sweep(seconds: int, rate: int) -> np.ndarray:
    return np.concatenate([tone(300 + 50 * n, 0.5, rate) for n in range(2 * seconds)])


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("repeat", [1, 3])
def test_it_is_the_same_sound_as_alone(tmp_path: Path, kind: str, repeat: int) -> None:
    how = dict(FILES[kind])
    rate = int(how.pop("rate", 8000))
    data = encoded(sweep(2, rate), rate, **how)  # type: ignore[arg-type]
    files, path = SharedFiles(), file(tmp_path, data)
    alone = sound(data, rate=16000, repeat=repeat).astype(int)
    for _ in range(2):
        heard = play(files, path, "", 16000, repeat)
        assert abs(len(heard) - len(alone)) <= repeat
        length = min(len(heard), len(alone))
        error = heard[:length] - alone[:length]
        assert 20 * np.log10(max(np.std(error), 0.01) / np.std(alone)) < -50


def test_a_whole_file_at_the_rings_rate_is_not_touched(tmp_path: Path) -> None:
    pcm = sweep(3, 8000)
    heard = play(SharedFiles(), file(tmp_path, encoded(pcm, 8000)), "", 8000, 2)
    assert np.array_equal(heard, np.concatenate([pcm, pcm]))


def test_passes_of_any_length_follow_each_other_without_a_gap(tmp_path: Path) -> None:
    data = encoded(tone(441, 0.3, 44100)[:13200], 44100)
    heard = play(SharedFiles(), file(tmp_path, data), "", 8000, 5)
    assert len(heard) == pytest.approx(5 * 13200 * 80 / 441, abs=1)
    assert residue(heard, (441,), 8000)[1:-1].max() < -70


def test_who_plays_it_at_once_has_it_decoded_once(tmp_path: Path, begun: list[str]) -> None:
    pcm, files = sweep(5, 8000), SharedFiles()
    path, together = file(tmp_path, encoded(pcm, 8000)), Barrier(8)

    def listen(skip: int) -> np.ndarray:
        together.wait(10)
        return play(files, path, "", 8000, 1, skip)

    with ThreadPoolExecutor(8) as crew:
        heard = list(crew.map(listen, range(0, 8000, 1000)))
    assert all(
        np.array_equal(one, pcm[skip:])
        for one, skip in zip(heard, range(0, 8000, 1000), strict=True)
    )
    assert np.array_equal(play(files, path), pcm)
    assert begun == ["begun"]
    assert files.size == pcm.nbytes


def test_a_file_that_was_written_anew_is_heard_anew(tmp_path: Path, begun: list[str]) -> None:
    files, path = SharedFiles(), file(tmp_path, wav(440, 1.0))
    assert level(play(files, path), 440, 8000) > -13
    path.write_bytes(wav(1000, 1.0))
    os.utime(path, ns=(1, 1))
    assert level(play(files, path), 1000, 8000) > -13
    assert len(begun) == 2


def test_a_file_whose_time_was_put_back_is_heard_anew(tmp_path: Path) -> None:
    files, path = SharedFiles(), file(tmp_path, wav(440, 1.0))
    before = path.stat()
    assert level(play(files, path), 440, 8000) > -13
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of the disk is a coarse one
        path.write_bytes(wav(1000, 1.0))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert after.st_mtime_ns == before.st_mtime_ns
    assert level(play(files, path), 1000, 8000) > -13


def test_a_type_makes_another_sound_of_the_same_bytes(tmp_path: Path) -> None:
    files, path = SharedFiles(), file(tmp_path, tone(440, 1.0, 8000).astype(">i2").tobytes())
    slow = play(files, path, "audio/basic")
    fast = play(files, path, "audio/L16;rate=16000")
    assert len(slow) == 16000
    assert len(fast) == 4000


def test_what_is_too_long_is_played_alone_and_not_kept(tmp_path: Path, begun: list[str]) -> None:
    pcm, files = sweep(6, 8000), SharedFiles(longest=50_000)
    path = file(tmp_path, encoded(pcm, 8000))
    assert np.array_equal(play(files, path), pcm)
    assert np.array_equal(play(files, path, "", 8000, 2), np.concatenate([pcm, pcm]))
    assert files.size == 0
    assert len(begun) == 4  # once for all, in vain; and then for each pass


def test_no_more_is_kept_than_there_is_room_for(tmp_path: Path, begun: list[str]) -> None:
    files = SharedFiles(limit=60_000)
    long, short = (file(tmp_path, wav(f, s), str(f)) for f, s in ((440, 3.0), (1000, 1.5)))
    with parts(files, long) as playing:
        first = []
        while files.size < 48_000:
            first.append(next(playing))
        assert len(play(files, short)) == 12_000  # of which 16 000 bytes would be too much
        assert files.size <= 60_000
        rest = np.concatenate([*first, *playing])
    assert len(rest) == 24_000
    assert len(begun) == 3
    play(files, short)  # the long one makes room: nobody plays it
    play(files, short)
    assert len(begun) == 4
    assert files.size == 24_000


def test_sound_before_damage_is_heard_by_all_and_not_kept(tmp_path: Path, begun: list[str]) -> None:
    good = encoded(sweep(3, 44100), 44100, container="mp4", codec="aac")
    path, files = file(tmp_path, good[: len(good) * 2 // 3]), SharedFiles()
    for _ in range(2):
        with pytest.raises(DecodeError):
            play(files, path)
    assert files.size == 0
    assert len(begun) == 2


def test_who_stops_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    before = open_files()
    files, path = SharedFiles(), file(tmp_path, wav(440, 5.0))
    with parts(files, path) as one, parts(files, path) as another:
        first = [next(one), next(another)]
        one.close()
        assert files.size > 0
        assert level(np.concatenate([first[1], *another]), 440, 8000) > -13
    with parts(files, file(tmp_path, wav(440, 6.0), "other")) as one:
        next(one)
    gc.collect()
    assert files.size == 80_000  # the one that somebody has heard to its end
    assert open_files() - before == set()


async def test_a_file_of_a_server_can_be_shared_once_it_is_whole(
    server: MediaServer, make_fetcher: Callable[..., Fetcher]
) -> None:
    url = server.file("/a.wav", wav(440, 1.0), ETag='"1"')
    fetcher = make_fetcher()

    def identity() -> object:
        with fetcher.opened(url, Stop()) as body:
            reader = SpoolReader(body.spool, Stop())
            while reader.read(1 << 16):
                pass
            return body.identity

    async def known() -> object:
        async with asyncio.timeout(10):
            while (found := await asyncio.to_thread(identity)) is None:  # noqa: ASYNC110
                await asyncio.sleep(0)  # it is being put into the cache
        return found

    assert await asyncio.to_thread(identity) is None
    first = await known()
    assert await asyncio.to_thread(identity) == first
    server.file("/a.wav", wav(1000, 1.0), ETag='"2"')
    assert await asyncio.to_thread(identity) is None
    assert await known() != first
