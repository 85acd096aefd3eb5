"""The player as a process: what a mixer takes from its rings is heard, whatever goes wrong."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from hookswitch.playback.messages import (
    PlayEnded,
    PlayFailed,
    PlayStarted,
    ToneSource,
    UrlSource,
)
from tests.sound import level, longest_gap_ms, residue, tone

from .conftest import player_config
from .files import encoded, wav
from .listener import Listener
from .media_server import MediaServer, until
from .process import PlayerProcess


@pytest.fixture
def player(tmp_path: Path) -> Iterator[PlayerProcess]:
    with PlayerProcess(player_config(tmp_path, max_bytes=1 << 30)) as player:
        yield player


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


def media(tmp_path: Path, name: str, data: bytes) -> UrlSource:
    (tmp_path / "media" / name).write_bytes(data)
    return UrlSource(f"file:{name}")


def test_a_file_is_heard_whole(player: PlayerProcess, listener: Listener, tmp_path: Path) -> None:
    player.play("p", media(tmp_path, "a.wav", wav(440, 1.51)), listener)
    listener.listen(player.is_over("p"))
    assert player.said == [PlayStarted("p"), PlayEnded("p")]
    heard = listener.heard()
    assert len(heard) == 76 * 160  # 1.51 s and half a frame of silence
    assert residue(heard[:12000], (440,), 8000).max() < -80
    assert not heard[12080:].any()


def test_it_ends_when_the_mixer_has_taken_the_last_sample(
    player: PlayerProcess, listener: Listener, tmp_path: Path
) -> None:
    player.play("p", media(tmp_path, "a.wav", wav(440, 0.5)), listener)
    player.until(player.has_said(PlayStarted("p")))
    for _ in range(24):
        listener.listen(functools.partial(listener.take))
    player.until(lambda: len(player.pulses) >= 2)
    assert not player.is_over("p")()
    assert listener.take()
    player.until(player.has_said(PlayEnded("p")))


def test_it_does_not_run_further_ahead_than_the_ring(
    player: PlayerProcess, listener: Listener
) -> None:
    player.play("p", ToneSource("us_dial"), listener)
    player.until(lambda: listener.waiting(0) == 8000)
    assert residue(listener.hear(5.0), (350, 440), 8000).max() < -80


def test_a_tone_has_its_cadence(player: PlayerProcess) -> None:
    with Listener(rate=16000) as listener:
        player.play("p", ToneSource("gb_ringback"), listener)
        heard = listener.hear(3.0)[:48000]
    on = [heard[:6400], heard[9600:16000]]
    off = [heard[6400:9600], heard[16000:]]
    assert all(level(part[200:-200], f, 16000) > -20 for part in on for f in (400, 450))
    assert not any(part.any() for part in off)


def test_passes_follow_each_other_without_a_gap(
    player: PlayerProcess, listener: Listener, tmp_path: Path
) -> None:
    player.play("p", media(tmp_path, "a.wav", wav(450, 0.3, 44100)), listener, repeat=5)
    listener.listen(player.is_over("p"))
    heard = listener.heard()
    assert len(heard) == 12000
    assert residue(heard, (450,), 8000)[1:-1].max() < -70


def test_for_ever_until_it_is_stopped(
    player: PlayerProcess, listener: Listener, tmp_path: Path
) -> None:
    player.play("p", media(tmp_path, "a.wav", wav(450, 0.1)), listener, repeat=-1)
    assert longest_gap_ms(listener.hear(3.0), 8000) < 3
    player.stop("p")
    player.until(player.plays(0))
    count = listener.waiting(0)
    player.until(lambda: len(player.pulses) >= 3)
    assert listener.waiting(0) == count
    assert player.said == [PlayStarted("p")]


def test_a_player_that_died_left_off_in_the_middle(
    player: PlayerProcess, listener: Listener, tmp_path: Path
) -> None:
    sweep = np.concatenate([tone(300 + 100 * n, 0.5, 8000) for n in range(6)])
    source = media(tmp_path, "a.wav", encoded(sweep, 8000))
    player.play("p", source, listener)
    listener.hear(1.2)
    player.process.kill()
    player.process.wait()
    with PlayerProcess(player_config(tmp_path)) as second:
        second.play("p", source, listener)
        listener.listen(second.is_over("p"))
    player.process.returncode = 0
    assert np.array_equal(listener.heard(), sweep)


async def test_it_plays_while_it_downloads(
    player: PlayerProcess, listener: Listener, server: MediaServer
) -> None:
    data = wav(440, 6.0, 16000)
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        await go_on.wait()
        await response.write(data[len(data) // 2 :])
        return response

    server.handlers["/a"] = slow
    player.play("p", UrlSource(server.url + "/a", "audio/wav"), listener)
    await asyncio.to_thread(listener.hear, 1.0)
    go_on.set()
    await asyncio.to_thread(listener.listen, player.is_over("p"))
    assert player.said == [PlayStarted("p"), PlayEnded("p")]
    assert residue(listener.heard(), (440,), 8000)[1:-1].max() < -70
    assert len(listener.heard()) == 48000


@pytest.mark.parametrize(
    "how",
    [
        {"codec": "pcm_s16le"},
        {"codec": "pcm_s16le", "rf64": "always"},
        {"codec": "pcm_mulaw", "layout": "5.1"},
        {"codec": "adpcm_ms"},
        {"codec": "adpcm_ima_wav"},
        {"codec": "libmp3lame", "out_rate": 44100},
    ],
)
async def test_a_wav_that_comes_slowly_sounds_at_once(
    player: PlayerProcess, listener: Listener, server: MediaServer, how: dict[str, Any]
) -> None:
    data = wav(440, 6.0, 8000, **how)
    first = data.index(b"data") + 8 + len(data) // 12  # half a second
    assert first < 30_000
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[:first])
        await go_on.wait()
        await response.write(data[first:])
        return response

    server.handlers["/a"] = slow
    player.play("p", UrlSource(server.url + "/a", "audio/wav"), listener)
    heard = await asyncio.to_thread(listener.hear, 0.24)
    assert level(heard[-640:], 440, 8000) == pytest.approx(-12, abs=0.6)
    go_on.set()
    await asyncio.to_thread(listener.listen, player.is_over("p"))
    assert player.said == [PlayStarted("p"), PlayEnded("p")]
    whole = listener.heard()
    assert len(whole) == pytest.approx(48_000, abs=2500)
    assert residue(whole[800:47_200], (440,), 8000).max() < -40


async def test_a_download_that_is_cut_off_is_heard_as_far_as_it_came(
    player: PlayerProcess, listener: Listener, server: MediaServer
) -> None:
    data = wav(440, 4.0)

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        assert request.transport
        request.transport.close()
        return response

    server.handlers["/a"] = cut
    player.play("p", UrlSource(server.url + "/a"), listener)
    await asyncio.to_thread(listener.listen, player.is_over("p"))
    assert player.said[-1] == PlayFailed("p", f"{server.url}/a was cut off")
    assert len(listener.heard()) > 10_000


async def test_a_second_play_is_revalidated_and_played_from_disk(
    player: PlayerProcess, server: MediaServer
) -> None:
    url = server.file("/a", wav(440, 0.2), ETag='"1"')
    for number in range(2):
        with Listener(name=f"arena{number}") as listener:
            player.play(str(number), UrlSource(url, "audio/wav"), listener, repeat=2)
            await asyncio.to_thread(listener.listen, player.is_over(str(number)))
            assert len(listener.heard()) == 3200
    assert [r.headers.get("If-None-Match") for r in server.requests] == [None, '"1"']


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (UrlSource("http://169.254.169.254/latest"), "forbidden address"),
        (UrlSource("http://127.0.0.1:1/a"), "127.0.0.1:1"),
        (UrlSource("file:///etc/passwd"), "outside of MEDIA_DIR"),
        (UrlSource("gopher://x/"), "only http and https"),
        (UrlSource("file:none.wav"), "No such file"),
        (UrlSource("file:none.wav", "audio"), "no MIME type"),
        (ToneSource("us_beep"), "no tone"),
    ],
)
def test_what_cannot_be_played(
    player: PlayerProcess, listener: Listener, source: UrlSource | ToneSource, why: str
) -> None:
    player.play("p", source, listener)
    player.until(player.is_over("p"))
    (failure,) = player.said
    assert isinstance(failure, PlayFailed)
    assert why in failure.error


def test_a_row_there_is_not(player: PlayerProcess, listener: Listener) -> None:
    player.play("p", ToneSource("us_dial"), listener, row=4)
    player.until(player.is_over("p"))
    assert isinstance(player.said[0], PlayFailed)


async def test_nothing_is_left_behind(player: PlayerProcess, server: MediaServer) -> None:
    """Threads, files, connections and arenas go with their playbacks, however they end."""

    async def stalls(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    server.handlers["/stalls"] = stalls
    good = server.file("/good", wav(440, 30.0), ETag='"1"')
    await asyncio.to_thread(player.until, lambda: len(player.pulses) > 0)
    threads, files = player.threads(), player.files()
    sources = [UrlSource(server.url + "/stalls"), UrlSource(good), ToneSource("us_dial")]
    with Listener(capacity=30, name="many") as listener:
        for row in range(30):
            player.play(str(row), sources[row % 3], listener, row, repeat=-1)
        assert player.maps("many") <= 1
        await until(lambda: server.open == 1 and sum(map(listener.waiting, range(30))) == 160_000)
        await asyncio.to_thread(player.until, player.plays(30))
        assert player.maps("many") == 1
        for row in range(30):
            player.stop(str(row))
        await asyncio.to_thread(player.until, player.plays(0))
    await until(lambda: server.open == 0)
    # A pool of one resolves names, and connections stay open a while for the next request.
    await until(lambda: player.threads() <= threads + 1 and player.files() <= files + 2)
    assert player.maps("many") == 0


def test_a_control_process_that_does_not_read_stops_nothing(
    player: PlayerProcess, listener: Listener, tmp_path: Path
) -> None:
    player.play("p", ToneSource("de_dial"), listener)
    sent = 0
    while sent < 3000:
        try:
            player.play(f"bad{sent}", ToneSource("x" * 1000), listener, 1)
            sent += 1
        except BlockingIOError:
            listener.take()
    assert residue(listener.hear(3.0), (425,), 8000).max() < -80
    player.until(lambda: sum(isinstance(m, PlayFailed) for m in player.said) == 3000)
