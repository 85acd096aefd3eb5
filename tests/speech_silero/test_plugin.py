"""The plugin in a server: chosen by a setting, heard of by events."""

from __future__ import annotations

import logging
from pathlib import Path

import hookswitch_speech_silero.plugin as silero
import numpy as np
import pytest
from hookswitch_speech_silero.settings import SileroSettings

from hookswitch.mixer.bank import Samples
from hookswitch.settings import SettingsError, load
from hookswitch.testing.memory_bank import Voice, tone
from hookswitch.testing.server import run_switch
from tests.speech import speech

RATE = 16000


def saying(audio: np.ndarray) -> Voice:
    """Says this over and over."""

    def say(number: int, size: int) -> Samples:
        places = np.arange(number * size, (number + 1) * size)
        return np.take(audio, places, mode="wrap").astype(np.float32)

    return say


def test_it_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPEECH_DETECTOR", raising=False)
    assert silero.speech_detector_from_settings() is None
    monkeypatch.setenv("SPEECH_DETECTOR", "silero")
    assert silero.speech_detector_from_settings() == silero.DETECTOR
    monkeypatch.setenv("SPEECH_DETECTOR", "cilero")
    with pytest.raises(SettingsError, match="SPEECH_DETECTOR"):
        load(SileroSettings)


async def test_beeps_are_no_speech_and_a_sentence_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECH_DETECTOR", "silero")
    time = np.arange(RATE) / RATE
    beeps = 8000 * np.sin(2 * np.pi * 440 * time) * (time > 0.75)
    async with run_switch(tmp_path, silero) as server:
        caller = await server.dial(speech_detection=True)
        caller.says(saying(beeps))
        await caller.hears(2.5)
        assert "speaking.started" not in server.events.types()
        caller.says(saying(speech(RATE, 3.0)))
        started = await server.events.wait("speaking.started")
        assert started["leg_id"] == caller.leg.id
        caller.says(saying(np.zeros(RATE)))
        await server.events.wait("speaking.stopped")


async def test_workers_make_it_and_a_prompt_stops_for_a_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECH_DETECTOR", "silero")
    async with run_switch(tmp_path, silero, media_workers=1) as server:
        caller = await server.dial(speech_detection=True)
        body = {"tone": "us_dial", "repeat": -1, "stop_on": ["speech"]}
        await server.ask("POST", f"/v1/legs/{caller.leg.id}/play", body)
        await server.events.wait("playback.started")
        caller.says(saying(speech(RATE, 3.0)))
        finished = await server.events.wait("playback.finished")
        assert finished["reason"] == "stopped"


async def test_without_a_network_the_built_in_one_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SPEECH_DETECTOR", "silero")
    monkeypatch.setenv("SPEECH_SILERO_MODEL", str(tmp_path / "none.onnx"))
    with caplog.at_level(logging.ERROR):
        async with run_switch(tmp_path, silero) as server:
            caller = await server.dial(speech_detection=True)
            caller.says(tone(300, rate=RATE))  # which the network knows for no voice
            await server.events.wait("speaking.started")
    assert "the built-in one is used" in caplog.text
