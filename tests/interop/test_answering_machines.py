"""Who answered? Phones that play greetings made by a synthesiser, as people and machines do."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from bench.greetings import RATE, level_to, speak

from . import processes
from .baresip import baresip
from .client import Api, Event, Events
from .server import Server

PERSON = "Hello, Bob speaking."
MACHINE = (
    "Hello, you have reached the voicemail of Bob Miller. I cannot come to the phone right now. "
    "Please leave a message after the beep."
)
VOICE = "espeak/en-gb/170/45"


def line(*parts: np.ndarray) -> np.ndarray:
    """A minute of a line with a little noise, on which this is heard."""
    sound = np.concatenate([*parts, silence(1)])
    sound = np.pad(sound, (0, 60 * RATE - len(sound)))
    sound += np.random.default_rng(3).normal(0, 25, len(sound))
    return np.rint(sound).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE))


def beep(seconds: float, frequency: float) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    return level_to(np.sin(2 * np.pi * frequency * t), -18.0)


async def answered(
    folder: Path, sound: np.ndarray, api: Api, events: Events, amd: dict[str, int]
) -> str:
    """Call a phone that plays this when it answers; it hangs up when the last event has come.

    Answers the leg.
    """
    async with baresip(folder, sound=sound) as phone:
        leg = await api.call(phone.uri, amd=amd)
        await phone.wait("CALL_INCOMING")
        await phone.accept()
        await events.wait("leg.connected", leg_id=leg)
        await events.wait("amd.beep" if amd else "amd.result", leg_id=leg, within=25)
        await phone.hang_up()
        await events.ended(leg)
    return leg


@pytest.fixture
def speech() -> dict[str, np.ndarray]:
    processes.need("espeak-ng")
    message = speak(VOICE, MACHINE)
    return {
        "person": line(silence(0.6), speak(VOICE, PERSON)),
        "machine": line(silence(0.5), message, silence(0.6), beep(0.5, 1000)),
        "nobody": line(),
    }


async def test_people_machines_and_nobody_are_told_apart(
    api: Api, events: Events, tmp_path: Path, speech: dict[str, np.ndarray]
) -> None:
    legs = await asyncio.gather(
        answered(tmp_path / "person", speech["person"], api, events, {}),
        answered(tmp_path / "machine", speech["machine"], api, events, {"beep_timeout": 20000}),
        answered(tmp_path / "nobody", speech["nobody"], api, events, {}),
    )
    results = {who: _of(events, leg, "amd.result") for who, leg in zip(speech, legs, strict=True)}
    assert [results[who][0]["result"] for who in speech] == ["human", "machine", "no_speech"]
    assert [len(of_leg) for of_leg in results.values()] == [1, 1, 1]
    person, machine, nobody = (results[who][0] for who in speech)
    words_ms = len(speak(VOICE, PERSON)) / RATE * 1000
    assert person["greeting_duration_ms"] == pytest.approx(words_ms, abs=250)
    assert person["initial_silence_ms"] == pytest.approx(600, abs=300)
    assert machine["greeting_duration_ms"] >= 1500
    assert nobody["total_analysis_ms"] == 2500
    (told,) = _of(events, legs[1], "amd.beep")
    begins_ms = 500 + len(speak(VOICE, MACHINE)) / RATE * 1000 + 600
    assert machine["total_analysis_ms"] + told["beep_ms"] == pytest.approx(begins_ms, abs=300)


async def test_it_is_started_on_a_call_that_goes_on(
    api: Api, events: Events, tmp_path: Path, speech: dict[str, np.ndarray]
) -> None:
    async with baresip(tmp_path / "phone", sound=speech["nobody"]) as phone:
        leg = await api.call(phone.uri)
        await phone.wait("CALL_INCOMING")
        await api.post(f"/legs/{leg}/amd", 409)
        await phone.accept()
        await events.wait("leg.connected", leg_id=leg)
        answer = await api.post(f"/legs/{leg}/amd", 200, initial_silence_timeout=400)
        assert answer["status"] == "started"
        await events.wait("amd.result", leg_id=leg, result="no_speech", initial_silence_ms=400)
        await api.post(f"/legs/{leg}/amd", 200)
        await phone.hang_up()
        await events.ended(leg)
    assert len(_of(events, leg, "amd.result")) == 1


LONG_SILENCE = 6.0
"""Seconds from a greeting to its beep: time for a media worker to die and for the next to listen
longer than it takes to say that nobody speaks."""


async def test_a_killed_media_worker_keeps_the_verdict_and_the_beep(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    processes.need("espeak-ng")
    server.expected.append(r"worker media-0 died \(status -9\)")
    message = speak(VOICE, MACHINE)
    sound = line(silence(0.5), message, silence(LONG_SILENCE), beep(0.5, 1000))
    async with baresip(tmp_path / "phone", sound=sound) as phone:
        leg = await api.call(phone.uri, amd={"beep_timeout": 20000})
        await phone.wait("CALL_INCOMING")
        await phone.accept()
        machine = await events.wait("amd.result", leg_id=leg, result="machine")
        (worker,) = server.media_workers
        os.kill(worker, signal.SIGKILL)
        told = await events.wait("amd.beep", leg_id=leg, within=25)
        assert server.media_workers not in ([], [worker])
        await phone.hang_up()
        await events.ended(leg)
    assert _of(events, leg, "amd.result") == [machine]
    assert _of(events, leg, "amd.beep") == [told]
    begins_ms = 500 + len(message) / RATE * 1000 + LONG_SILENCE * 1000
    assert machine["total_analysis_ms"] + told["beep_ms"] == pytest.approx(begins_ms, abs=300)


def _of(events: Events, leg: str, event_type: str) -> list[Event]:
    return events.of(leg, event_type)
