"""Ring ports through real media workers: heard, moved, and heard again after a kill."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import numpy as np
import pytest

from hookswitch.media.host import WorkerHost
from hookswitch.media.plane import MediaPlane, RingPort
from hookswitch.mixer.bank import PortReport
from hookswitch.mixer.commands import Connect, Join, SetGains, SetPort, StopOn
from hookswitch.mixer.options import EngineOptions
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
    plane = MediaPlane(request.param, EngineOptions(comfort_noise=False))
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


async def say(plane: MediaPlane, name: str, frequency: float, *commands, **where) -> RingPort:
    """A prompt of 0.9 s, in the ring before it is needed."""
    voice = await plane.open_voice(name, RATE, lambda report: None, *commands, **where)
    voice.write(tone(frequency, 0.9, RATE))
    return voice


async def test_a_prompt_is_heard_by_its_port_alone_and_no_louder_than_its_gain(
    plane: MediaPlane,
) -> None:
    a, b = await talk(plane, "a", 440), await talk(plane, "b", 1000)
    gain = SetPort("p", gain_db=-6.0)
    await say(plane, "p", 1600, Connect("p", "a"), gain, near="a")
    heard = await a.hear(lambda audio: len(audio) > 8000 and level(audio[-4800:], 1600, RATE) > -19)
    assert level(heard[-4800:], 1600, RATE) == pytest.approx(-18, abs=0.3)
    assert level(await b.hear(seconds(0.2)), 1600, RATE) < -60


async def test_what_a_port_is_connected_with_moves_with_it(plane: MediaPlane) -> None:
    """With two workers, room and port are on different ones; ears and prompts go along."""
    a = await talk(plane, "a", 440)
    await talk(plane, "b", 1000)
    await plane.open_room("r", RATE)
    await plane.join("b", "r", SetPort("b"))
    (ear,) = await plane.open_ears(["ear"], RATE, lambda r: None, Connect("a", "ear"), near="a")
    await say(plane, "p", 1600, Connect("p", "a"), near="a")
    await a.hear(seconds(0.2))
    await plane.join("a", "r", SetPort("a"))
    heard = await a.hear(lambda audio: len(audio) > 4800 and level(audio[-4800:], 1000, RATE) > -13)
    assert level(heard[-4800:], 1600, RATE) == pytest.approx(-12, abs=0.5)
    ear.read()
    await a.hear(seconds(0.2))
    assert level(ear.read(), 440, RATE) == pytest.approx(-12, abs=1.0)


async def test_a_port_is_opened_otherwise_in_its_place(plane: MediaPlane) -> None:
    """What it is connected with stays so; what cannot be opened leaves everything as it was."""
    await plane.open_room("r", RATE)
    a, b = await talk(plane, "a", 440), await talk(plane, "b", 1000)
    for name in ("a", "b"):
        await plane.join(name, "r", SetPort(name))
    await say(plane, "p", 1600, Connect("p", "a"), near="a")
    assert a.port is not None
    spec = a.port.spec
    await b.hear(lambda audio: len(audio) > 4800 and level(audio[-4800:], 440, RATE) > -13)
    with pytest.raises(CommandError):
        await plane.reopen_port(replace(spec, bank="nowhere:Bank"))
    await b.hear(lambda audio: len(audio) > 4800 and level(audio[-4800:], 440, RATE) > -13)
    await plane.reopen_port(replace(spec, comfort_noise=True))
    heard = await a.hear(lambda audio: len(audio) > 4800 and level(audio[-4800:], 1000, RATE) > -13)
    assert level(heard[-4800:], 1600, RATE) == pytest.approx(-12, abs=0.5)
    with pytest.raises(CommandError):
        await plane.reopen_port(replace(spec, id="nobody"))


async def test_one_listener_hears_one_source_at_another_level(plane: MediaPlane) -> None:
    await plane.open_room("r", RATE)
    a, c = await talk(plane, "a", 440), await talk(plane, "c", 1600)
    await talk(plane, "b", 1000)
    for name in "abc":
        await plane.join(name, "r", SetPort(name))
    await plane.apply_to_room("r", SetGains("r", {("a", "b"): -20.0}))
    await a.hear(seconds(0.2))
    heard, other = await a.hear(seconds(0.3)), await c.hear(seconds(0.3))
    assert level(heard, 1000, RATE) == pytest.approx(-32, abs=0.3)
    assert level(heard, 1600, RATE) == pytest.approx(-12, abs=0.3)
    assert level(other, 1000, RATE) == pytest.approx(-12, abs=0.3)


async def test_speech_stops_a_prompt_without_being_asked(plane: MediaPlane) -> None:
    reports: list[PortReport] = []
    a = Talker(440)
    a._tone = np.zeros(RATE, np.int16)
    a.port = await plane.open_ring("a", RATE, reports.append, a.on_heard)
    a.port.write(np.zeros(320, np.int16))
    stop = StopOn("a", "p", frozenset({"speech"}))
    voice = await plane.open_voice("p", RATE, reports.append, Connect("p", "a"), stop, near="a")
    voice.write(tone(1600, 0.9, RATE))
    await a.hear(lambda audio: level(audio[-1600:], 1600, RATE) > -13)
    a._tone = tone(300, 1.0, RATE)
    await a.hear(lambda audio: any(r.kind == "stopped" for r in reports))
    stopped = next(r for r in reports if r.kind == "stopped")
    assert (stopped.port, stopped.data["by"]) == ("p", "speech")
    assert 0 < stopped.data["played"] < 0.6 * RATE
    assert level(await a.hear(seconds(0.2)), 1600, RATE) < -60


async def test_an_ear_hears_its_room_and_is_no_reason_to_mix_it_faster(plane: MediaPlane) -> None:
    await plane.open_room("r", RATE)
    b = await talk(plane, "b", 1000)
    await plane.join("b", "r", SetPort("b"))
    (ear,) = await plane.open_ears(["ear"], RATE, lambda r: None, Join("ear", "r"), room="r")
    await b.hear(seconds(0.3))
    heard = ear.read()
    assert level(heard[-3200:], 1000, RATE) == pytest.approx(-12, abs=0.5)
    assert not (await b.hear(seconds(0.1))).any()
