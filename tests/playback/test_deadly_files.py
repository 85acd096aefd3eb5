"""A file that kills its player: it is given up, everything else goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hookswitch.playback.marks import NOBODY, Marks, allocate, unmarked
from hookswitch.testing.server import RunningSwitch, run_switch
from tests.sound import tone
from tests.waves import write_wav

from .media_server import until
from .test_playing import RATE, play, sounds

CHANNELS, FILE_RATE, SECONDS = 8, 768_000, 8
"""Of a WAV that takes long to decode: there is time to kill the player meanwhile."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
    async with run_switch(tmp_path / "data", media_workers=1, media_dir=tmp_path) as running:
        yield running


def long_file(path: Path) -> str:
    """Silence, most of which takes no room on the disk."""
    size, frame = FILE_RATE * SECONDS * CHANNELS * 2, CHANNELS * 2
    form = struct.pack("<HHIIHH", 1, CHANNELS, FILE_RATE, FILE_RATE * frame, frame, 16)
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + struct.pack("<I", 16))
        file.write(form + b"data" + struct.pack("<I", size))
        file.truncate(44 + size)
    return f"file:{path}"


@pytest.fixture
def long_work(tmp_path: Path) -> str:
    return long_file(tmp_path / "long.wav")


async def kill_while_it_decodes(server: RunningSwitch, playback: str) -> None:
    """Kill the player while it has the file of a playback in its hands, and at no other time."""
    mark = server.switch.playbacks._player._playing[playback].mark
    await kill_when(server, lambda: mark.is_set)


async def kill_when(server: RunningSwitch, condition: Callable[[], bool]) -> None:
    """Kill the player while a condition holds of the marks, which only it changes."""
    worker = server.switch.playbacks._player._worker
    assert worker is not None
    deaths = worker.restarts
    while worker.restarts == deaths:
        await until(condition)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        await asyncio.to_thread(os.waitid, os.P_PID, worker.pid, os.WSTOPPED | os.WNOWAIT)
        if not condition():
            os.kill(worker.pid, signal.SIGCONT)
            continue
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: worker.restarts > deaths)


async def test_a_file_the_player_dies_of_twice_is_given_up(
    server: RunningSwitch, tmp_path: Path, long_work: str
) -> None:
    prompt = write_wav(tmp_path / "prompt.wav", tone(1000, 1.0, RATE), RATE)
    innocent, caller = await server.dial(), await server.dial()
    other = await play(server, f"/v1/legs/{innocent.leg.id}", url=prompt, repeat=-1)
    await innocent.until(sounds(1000))
    path = f"/v1/legs/{caller.leg.id}"
    deadly = await play(server, path, url=long_work)
    await kill_while_it_decodes(server, deadly)
    assert "playback.error" not in server.events.types()
    await kill_while_it_decodes(server, deadly)
    failed = await server.events.wait("playback.error", playback_id=deadly)
    assert "the player died of this file" in failed["error"]

    again = await play(server, path, url=long_work)
    refused = await server.events.wait("playback.error", playback_id=again)
    assert "not tried again" in refused["error"]
    after = await play(server, path, url=prompt)
    await server.events.wait("playback.finished", playback_id=after, reason="completed")
    await innocent.hears(1.5)
    await innocent.until(sounds(1000))
    assert other not in [e["playback_id"] for e in server.events.events
                         if e["type"] in ("playback.finished", "playback.error")]  # fmt: skip


async def test_one_death_is_forgiven_once_nobody_plays_the_file(
    server: RunningSwitch, long_work: str
) -> None:
    caller = await server.dial()
    path = f"/v1/legs/{caller.leg.id}"
    for _ in range(2):
        playback = await play(server, path, url=long_work)
        await kill_while_it_decodes(server, playback)
        await server.ask("DELETE", f"{path}/play/{playback}")
        await server.events.wait("playback.finished", playback_id=playback)
    assert "playback.error" not in server.events.types()


async def test_who_is_innocent_is_acquitted(server: RunningSwitch, tmp_path: Path) -> None:
    """Two files were being decoded when the player died; one of them always is."""
    names = ("deadly", "innocent")
    files = [long_file(tmp_path / f"{name}.wav") for name in names]
    calls = [await server.dial() for _ in names]
    playbacks = [
        await play(server, f"/v1/legs/{call.leg.id}", url=url)
        for call, url in zip(calls, files, strict=True)
    ]
    player = server.switch.playbacks._player
    deadly, innocent = (player._playing[playback].mark for playback in playbacks)
    await kill_when(server, lambda: deadly.is_set and innocent.is_set)
    await kill_when(server, lambda: deadly.is_set and not innocent.is_set)
    failed = await server.events.wait("playback.error")
    assert failed["playback_id"] == playbacks[0]
    await server.events.wait("playback.started", playback_id=playbacks[1])


def test_a_mark_is_seen_by_the_other_process() -> None:
    fd = allocate()
    ours, theirs = Marks(fd), Marks(os.dup(fd))
    mark, seen, another = theirs.of(3), ours.of(3), ours.of(NOBODY)
    assert not seen.is_set
    with mark.inside():
        assert seen.is_set
        assert not another.is_set
        with mark.outside():
            assert not seen.is_set
        assert seen.is_set
    assert not seen.is_set
    with mark.outside():
        assert not seen.is_set
    assert not seen.is_set
    with theirs.of(NOBODY).inside():
        assert another.is_set
        another.clear()
        assert not another.is_set
    assert not unmarked().is_set
    ours.close()
    theirs.close()


async def test_waiting_for_a_download_is_no_decoding(server: RunningSwitch) -> None:
    """Whose bytes have not come yet is no suspect, however often the player dies."""
    asked, done = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\nRIFF")
        asked.set()
        await done.wait()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        caller = await server.dial()
        url = f"http://127.0.0.1:{port}/a.wav"
        playback = await play(server, f"/v1/legs/{caller.leg.id}", url=url)
        worker = server.switch.playbacks._player._worker
        assert worker is not None
        for deaths in (1, 2):
            await asyncio.wait_for(asked.wait(), 10)
            asked.clear()
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            await until(lambda deaths=deaths: worker.restarts == deaths)  # type: ignore[misc]
        await asyncio.wait_for(asked.wait(), 10)
        assert server.switch.playbacks.get(caller.leg.id, playback)
        done.set()
        failed = await server.events.wait("playback.error", playback_id=playback)
        assert "died" not in failed["error"]
