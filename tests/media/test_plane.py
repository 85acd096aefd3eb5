"""Ring ports through real media workers: heard, moved, and heard again after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from hookswitch.media.host import WorkerHost
from hookswitch.media.plane import MediaPlane, RingPort
from hookswitch.mixer.commands import SetPort
from hookswitch.mixer.topology import CommandError
from tests.sound import level, longest_gap_ms, tone

RATE = 16000


class Talker:
    """Says a tone in real time, as the ticks come, and keeps what it hears."""

    def __init__(self, frequency: float) -> None:
        self._tone = tone(frequency, 1.0, RATE)
        self._said = 0
        self._heard: list[np.ndarray] = []
        self._progress = asyncio.Event()
        self.port: RingPort | None = None

    def on_heard(self) -> None:
        if self.port is None:
            return
        heard = self.port.read()
        self._heard.append(heard)
        for _ in range(len(heard) // 320):
            start = self._said % len(self._tone)
            self.port.write(self._tone[start : start + 320])
            self._said += 320
        self._progress.set()

    async def hear(self, until: Callable[[np.ndarray], bool]) -> np.ndarray:
        """Wait until what was heard since now satisfies a condition."""
        self._heard.clear()
        async with asyncio.timeout(10):
            while not (self._heard and until(self.heard())):
                self._progress.clear()
                await self._progress.wait()
        return self.heard()

    def heard(self) -> np.ndarray:
        return np.concatenate(self._heard)


@pytest.fixture(params=[0, 1, 2], ids=["inline", "one worker", "two workers"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[MediaPlane]:
    plane = MediaPlane(request.param, comfort_noise=False)
    plane.start()
    yield plane
    await plane.stop()


async def talk(plane: MediaPlane, name: str, frequency: float) -> Talker:
    talker = Talker(frequency)
    talker.port = await plane.open_ring(name, RATE, on_heard=talker.on_heard)
    talker.port.write(np.zeros(320, np.int16))
    return talker


def seconds(count: float) -> Callable[[np.ndarray], bool]:
    return lambda heard: len(heard) >= count * RATE


async def test_two_ports_in_a_room_hear_each_other(plane: MediaPlane) -> None:
    await plane.open_room("r", RATE)
    a, b = await talk(plane, "a", 440), await talk(plane, "b", 1000)
    await plane.join("a", "r", SetPort("a"))
    await plane.join("b", "r", SetPort("b"))
    await a.hear(seconds(0.5))
    heard = await a.hear(seconds(1.0))
    assert abs(level(heard, 1000, RATE) - -12.0) < 0.5
    assert level(heard, 440, RATE) < -60
    assert level(await b.hear(seconds(0.5)), 440, RATE) > -13
    await plane.close_port("b")
    assert longest_gap_ms(await a.hear(seconds(0.2)), RATE) > 100
    await plane.close_port("a")
    await plane.close_room("r")


async def test_a_killed_worker_is_replaced_and_audio_returns(plane: MediaPlane) -> None:
    if not isinstance(plane.hosts[0], WorkerHost):
        with pytest.raises(CommandError):
            await plane.apply_to("nobody", SetPort("nobody"))
        return
    await plane.open_room("r", RATE)
    a, b = await talk(plane, "a", 440), await talk(plane, "b", 1000)
    await plane.join("a", "r", SetPort("a"))
    await plane.join("b", "r", SetPort("b"))
    await a.hear(seconds(0.5))
    for host in plane.hosts:
        assert isinstance(host, WorkerHost)
        assert host.pid is not None
        os.kill(host.pid, signal.SIGKILL)
    await asyncio.gather(
        a.hear(lambda heard: len(heard) > 8000 and level(heard[-8000:], 1000, RATE) > -13),
        b.hear(lambda heard: len(heard) > 8000 and level(heard[-8000:], 440, RATE) > -13),
    )
    assert sum(host.restarts for host in plane.hosts) >= 1
