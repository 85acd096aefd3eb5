"""A real recorder in a process of its own, and rings that the test fills as a mixer would."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from hookswitch.media import link
from hookswitch.media.rings import Arena, ArenaShape, allocate
from hookswitch.recording.messages import (
    AddChannel,
    Channel,
    ChannelEnded,
    EndChannel,
    Finish,
    Finished,
    Format,
    Pause,
    Record,
    RecorderConfig,
    Resume,
)

from . import virtual

ROOT = Path(__file__).parents[2]
M = TypeVar("M")


class Desk:
    """The mixer and the control process in one: rings that grow tick by tick, and orders."""

    def __init__(self, folder: Path, rate: int = 16000, rows: int = 16) -> None:
        self.rate, self.frame = rate, rate // 50
        self.folder = folder
        self.files = folder / "recordings"
        self.arenas: list[tuple[Arena, int]] = []
        for name in ("one", "two"):
            shape = ArenaShape(name, rate, rows)
            fd = allocate(shape)
            self.arenas.append((Arena(shape, fd), fd))
        self._used: list[int] = [0, 0]
        self._clock_file = folder / "clock"
        folder.mkdir(exist_ok=True)
        self._clock = np.memmap(self._clock_file, np.float64, "w+", shape=(1,))
        self._clock[0] = 1000.0
        self.sounds: dict[Channel, Callable[[int], np.ndarray]] = {}
        """What each ring hears: sample number -> a frame, int16."""
        self.context: dict[str, Any] = {}
        """Of the recordings that are ordered."""
        self.ticks = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.received: list[Any] = []
        self._news = asyncio.Event()

    # -- the recorder's process

    def start(
        self, *, ongoing: Sequence[str] = (), target: str = virtual.TARGET, **options: Any
    ) -> None:
        ours, theirs = link.pair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hookswitch.media.process", target, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                env={**os.environ, virtual.CLOCK: str(self._clock_file), "PYTHONPATH": str(ROOT)},
                **options,
            )
        self.end = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._read)
        self.say(RecorderConfig(self.files, frozenset(ongoing)))

    def kill(self) -> None:
        """End the recorder as no program can prevent."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        asyncio.get_running_loop().remove_reader(self.end.fileno())
        self.end.close()

    async def stop(self) -> None:
        """Hang up, as control does when it ends."""
        self.hang_up()
        assert self.process is not None
        await asyncio.to_thread(self.process.wait, 10)

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        for _, fd in self.arenas:
            os.close(fd)

    # -- orders

    def say(self, message: Any, fds: Sequence[int] = ()) -> None:
        link.send(self.end, message, fds)

    def channel(
        self, name: str, sound: Callable[[int], np.ndarray] | None = None, arena: int = 0
    ) -> Channel:
        """A new ring that hears a sound, or silence."""
        channel = Channel(name, self.arenas[arena][0].shape, self._used[arena])
        self._used[arena] += 1
        self.sounds[channel] = sound or (lambda start: np.zeros(self.frame, np.int16))
        return channel

    def record(
        self,
        name: str,
        *channels: Channel,
        form: Format = "wav",
        many: bool = False,
        rate: int | None = None,
    ) -> Record:
        """Order a recording; ``rate`` is its file's, if not that of the rings."""
        order = Record(
            name,
            self.files / f"{name}.{form}",
            form,
            rate or self.rate,
            channels,
            self.files / f"{name}-channels.wav" if many else None,
            self.context,
        )
        self.say(order, [self.fd(channel) for channel in channels])
        return order

    def add(self, name: str, channel: Channel) -> None:
        self.say(AddChannel(name, channel), [self.fd(channel)])

    async def leave(self, name: str, channel: Channel) -> None:
        self.say(EndChannel(name, channel.name))
        await self.told(ChannelEnded, lambda told: told.name == channel.name)
        del self.sounds[channel]

    def pause(self, name: str, at: int) -> None:
        self.say(Pause(name, at))

    def resume(self, name: str, at: int) -> None:
        self.say(Resume(name, at))

    async def finish(self, name: str) -> Finished:
        self.say(Finish(name))
        return await self.finished(name)

    async def finished(self, name: str) -> Finished:
        return await self.told(Finished, lambda told: told.id == name)

    async def told(self, kind: type[M], which: Callable[[M], bool] = lambda _: True) -> M:
        """Wait for the recorder to say something; it is then forgotten."""
        async with asyncio.timeout(20):
            while True:
                for message in self.received:
                    if isinstance(message, kind) and which(message):
                        self.received.remove(message)
                        return message
                self._news.clear()
                await self._news.wait()

    async def names(self, staged: int = 0) -> list[str]:
        """What is in the folder of recordings, once no more is staged than that."""
        async with asyncio.timeout(10):
            while len(list(self.files.glob(".*"))) > staged:  # noqa: ASYNC110
                await asyncio.sleep(0.002)  # it is tidied after all is said
        return sorted(path.name for path in self.files.iterdir())

    # -- the mixer

    def arena(self, channel: Channel) -> Arena:
        return next(arena for arena, _ in self.arenas if arena.shape == channel.arena)

    def fd(self, channel: Channel) -> int:
        return next(fd for arena, fd in self.arenas if arena.shape == channel.arena)

    def heard(self, channel: Channel) -> int:
        return int(self.arena(channel).heard_in[channel.row])

    def tick(self, *, clock: bool = True) -> None:
        """20 ms for all rings; all of an arena's counters grow at once, as the mixer's do."""
        rows: dict[int, list[int]] = {0: [], 1: []}
        for channel, sound in self.sounds.items():
            arena = self.arena(channel)
            start = int(arena.heard_in[channel.row])
            slot = start // self.frame % arena.heard.shape[1]
            arena.heard[channel.row, slot] = sound(start)
            rows[[found for found, _ in self.arenas].index(arena)].append(channel.row)
        for index, (arena, _) in enumerate(self.arenas):
            arena.heard_in[rows[index]] += self.frame
        if clock:
            self.time_passes(0.02)
        self.ticks += 1

    def time_passes(self, seconds: float) -> None:
        """Time without a tick."""
        self._clock[0] += seconds

    async def play(self, seconds: float) -> None:
        """Ticks, none faster than the recorder can write."""
        for index in range(round(seconds * 50)):
            if index % 20 == 0:
                await self.written()
            self.tick()

    async def written(self, *channels: Channel) -> None:
        """Wait until everything that these, or all, have heard is in the staged files."""
        async with asyncio.timeout(10):
            for channel in channels or list(self.sounds):
                arena = self.arena(channel)
                # Shared memory rings no bell.
                while arena.heard_out[channel.row] < arena.heard_in[channel.row]:  # noqa: ASYNC110
                    await asyncio.sleep(0.002)

    def _read(self) -> None:
        try:
            while True:
                self.received.append(link.receive(self.end)[0])
                self._news.set()
        except BlockingIOError:
            return
        except link.LinkClosed:
            asyncio.get_running_loop().remove_reader(self.end.fileno())


@pytest.fixture(params=[16000], ids=["16 kHz"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path, request.param)
    desk.start()
    yield desk
    desk.close()


def sine(frequency: float, rate: int, dbfs: float = -6.0) -> Callable[[int], np.ndarray]:
    """A tone that goes on through all frames."""
    peak = 32767 * 10 ** (dbfs / 20)

    def frame(start: int) -> np.ndarray:
        t = np.arange(start, start + rate // 50) / rate
        return np.rint(peak * np.sin(2 * np.pi * frequency * t)).astype(np.int16)

    return frame


def numbers(rate: int, first: int = 0) -> Callable[[int], np.ndarray]:
    """Each sample tells which it is: its number, from ``first`` on, within 16 bits, never 0."""

    def frame(start: int) -> np.ndarray:
        count = np.arange(first + start, first + start + rate // 50)
        return (count % 32767 + 1).astype(np.int16)

    return frame


def read(path: Path) -> tuple[np.ndarray, int]:
    """Samples (frames, channels) and rate of a WAV file, read by its chunks."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    position, chunks = 12, {}
    while position < len(data):
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        chunks[data[position : position + 4]] = data[position + 8 : position + 8 + size]
        position += 8 + size
    channels = int.from_bytes(chunks[b"fmt "][2:4], "little")
    rate = int.from_bytes(chunks[b"fmt "][4:8], "little")
    return np.frombuffer(chunks[b"data"], "<i2").reshape(-1, channels), rate
