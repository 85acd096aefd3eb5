"""What phones hear that are played to, and what is in the files of phones that are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.sound import level, longest_gap_ms, tone
from tests.waves import read_wav, write_wav

from .baresip import RATE, baresip, call_in
from .client import Api, Events
from .server import Server, serving

ALICE, BOB = 425.0, 1030.0
SENT = -12.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Server]:
    settings = {"MEDIA_DIR": str(folder), "RECORDING_DIR": str(folder / "recordings")}
    with serving(tmp_path_factory.mktemp("server"), **settings) as running:
        yield running


def onsets(audio: np.ndarray) -> list[int]:
    """Where sound begins after at least 100 ms of silence, in milliseconds."""
    step = RATE // 100
    loud = np.abs(audio[: len(audio) // step * step].astype(int)).reshape(-1, step).max(axis=1)
    loud = loud > 300
    return [i * 10 for i in range(10, len(loud)) if loud[i] and not loud[max(i - 10, 0) : i].any()]


async def test_a_tone_has_its_frequency_and_cadence(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with baresip(tmp_path / "alice", ALICE) as alice:
        leg = await call_in(alice, server.sip_port, api, events, "solo")
        answer = await api.post(f"/legs/{leg}/play", 200, tone="gb_busy")
        await events.wait("playback.started", leg_id=leg, playback_id=answer["playback_id"])
        await alice.listen(0.5)
        heard = await alice.listen(3.0)
        assert level(heard, 400, RATE) > -25
        beats = np.diff(onsets(heard))
        assert len(beats) >= 2
        assert np.abs(beats - 750).max() <= 30  # 375 ms on, 375 ms off
        await api.delete(f"/legs/{leg}/play/{answer['playback_id']}", 200)
        await events.wait("playback.finished", playback_id=answer["playback_id"])
        await alice.listen(0.3)
        assert longest_gap_ms(await alice.listen(0.5), RATE) > 450
        await alice.hang_up()
        await events.ended(leg)


async def test_prompts_their_volume_and_the_digit_that_stops_them(
    server: Server, api: Api, events: Events, tmp_path: Path, folder: Path
) -> None:
    prompt = write_wav(folder / "prompt.wav", tone(1000, 2.0, 16000), 16000)
    async with baresip(tmp_path / "alice", ALICE) as alice:
        leg = await call_in(alice, server.sip_port, api, events, "solo")
        body = {"url": prompt, "mime_type": "audio/wav", "repeat": -1, "stop_on": ["dtmf"]}
        playback = (await api.post(f"/legs/{leg}/play", 200, **body))["playback_id"]
        await events.wait("playback.started", playback_id=playback)
        await alice.listen(0.5)
        heard = await alice.listen(2.5)
        assert level(heard, 1000, RATE) == pytest.approx(SENT, abs=0.5)
        assert longest_gap_ms(heard, RATE) < 20  # over the seam, too
        await alice.press("7")
        ended = await events.wait("playback.finished", playback_id=playback)
        assert ended["reason"] == "stopped"
        await events.wait("dtmf.received", leg_id=leg, digit="7")
        await alice.listen(0.4)
        assert level(await alice.listen(0.5), 1000, RATE) < -60
        await alice.hang_up()
        await events.ended(leg)


async def test_two_phones_recorded_apart_and_together(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        baresip(tmp_path / "alice", ALICE) as alice,
        baresip(tmp_path / "bob", BOB) as bob,
    ):
        a = await call_in(alice, server.sip_port, api, events, "duo")
        b = await call_in(bob, server.sip_port, api, events, "duo")
        await api.post("/rooms/duo/record", 200, multi_channel=True)
        await api.post(f"/legs/{a}/record", 200)
        await alice.listen(3.0)
        stereo = await api.delete(f"/legs/{a}/record", 200)
        room = await api.delete("/rooms/duo/record", 200)
        await alice.hang_up()
        await bob.hang_up()
        await events.ended(a)
        await events.ended(b)
    audio, rate = read_wav(stereo["file"])
    assert (rate, audio.shape[1]) == (16000, 2)
    inner = audio[rate // 2 : -rate // 2]
    for channel, own, other in ((0, ALICE, BOB), (1, BOB, ALICE)):
        assert level(inner[:, channel], own, rate) == pytest.approx(SENT, abs=0.7)
        assert level(inner[:, channel], other, rate) < SENT - 60
        assert longest_gap_ms(inner[:, channel], rate) < 20
    channels, rate = read_wav(room["multi_channel_file"])
    mix, _ = read_wav(room["file"])
    assert len(channels) == len(mix)
    for leg, own, other in ((a, ALICE, BOB), (b, BOB, ALICE)):
        channel = channels[rate // 2 : -rate // 2, room["channels"][leg]["channel"]]
        assert level(channel, own, rate) == pytest.approx(SENT, abs=0.7)
        assert level(channel, other, rate) < SENT - 60
    inner = mix[rate // 2 : -rate // 2, 0]
    assert all(level(inner, f, rate) == pytest.approx(SENT, abs=0.7) for f in (ALICE, BOB))
