"""A server whose recorder is killed: on a machine that is not too busy to start another within a
second, files are as if nothing had been; on any, sounds and silences are where they belong."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from hookswitch.testing.fake_transport import FakeCall
from hookswitch.testing.memory_bank import tone
from hookswitch.testing.server import RunningSwitch, run_switch
from tests.sound import level, longest_gap_ms

from .conftest import read

RATE = 16000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
    folder = tmp_path / "recordings"
    async with run_switch(tmp_path / "data", media_workers=1, recording_dir=folder) as running:
        yield running


async def speaker(server: RunningSwitch, frequency: float) -> FakeCall:
    call = await server.dial(room_id="r")
    call.says(tone(frequency, rate=call.rate))
    return call


def kill_recorder(server: RunningSwitch) -> None:
    worker = server.switch.recordings._recorder._worker
    assert worker is not None
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)


async def test_a_room_is_recorded_on_though_its_recorder_died(server: RunningSwitch) -> None:
    """Somebody had left before: her ring is another's by the time the new recorder hears of it."""
    ann, bob = await speaker(server, 440), await speaker(server, 1000)
    await server.ask("POST", "/v1/rooms/r/record", {"multi_channel": True})
    await ann.hears(0.6)
    await server.ask("DELETE", f"/v1/rooms/r/legs/{bob.leg.id}")
    await ann.hears(0.4)
    eve = await speaker(server, 1600)
    await ann.hears(0.6)
    kill_recorder(server)
    await ann.hears(1.5)
    answer = await server.ask("DELETE", "/v1/rooms/r/record")
    mix, _ = read(Path(answer["file"]))
    many, _ = read(Path(answer["multi_channel_file"]))
    spans = answer["channels"]
    assert len(mix) > 3 * RATE
    assert spans[bob.leg.id]["end_ms"] < 1500
    for call, own, others in ((bob, 1000, (1600,)), (eve, 1600, (1000, 440)), (ann, 440, (1600,))):
        channel = many[:, spans[call.leg.id]["channel"]]
        start, end = (spans[call.leg.id][key] * RATE // 1000 for key in ("start_ms", "end_ms"))
        assert not channel[:start].any()
        assert not channel[end + RATE // 1000 :].any()
        assert level(channel[start + RATE // 10 :][: RATE // 3], own, RATE) == pytest.approx(
            -12, abs=0.3
        )
        for other in others:
            assert level(channel[start + RATE // 10 : end - RATE // 10], other, RATE) < -60
    total = many.astype(int).sum(axis=1)
    at = slice(-RATE // 2, -RATE // 5)
    assert np.abs(total[at] - mix[at, 0].astype(int)).max() <= 3


async def test_a_pause_outlives_the_recorder(server: RunningSwitch) -> None:
    ann = await speaker(server, 440)
    path = "/v1/rooms/r/record"
    await server.ask("POST", path)
    await ann.hears(0.5)
    await server.ask("POST", f"{path}/pause")
    await ann.hears(0.3)
    kill_recorder(server)
    await ann.hears(0.3)
    await server.ask("POST", f"{path}/resume")
    await ann.hears(1.5)
    answer = await server.ask("DELETE", path)
    audio, _ = read(Path(answer["file"]))
    assert longest_gap_ms(audio[:, 0], RATE) > 590
    assert len(audio) > 2.4 * RATE
    assert level(audio[: 2 * RATE // 5, 0], 440, RATE) == pytest.approx(-12, abs=0.5)
    assert level(audio[-RATE // 2 : -RATE // 10, 0], 440, RATE) == pytest.approx(-12, abs=0.5)
