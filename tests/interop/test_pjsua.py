"""A second stack with SDES: PJSUA calls, protected; each hears the other's tone."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import sys
import wave
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import numpy as np
import pytest

from tests.sound import level, tone

from .client import Api, Events
from .server import Server
from .ws_phone import ws_phone

PHONE = Path(__file__).with_name("pjsua_phone.py")
ITS, OURS = 425.0, 1030.0
SENT = -12.0
RATE = 16000

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None, reason="pjsua2-python has no wheel for this Python"
)


def write(path: Path, audio: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(audio.tobytes())


def read(path: Path) -> tuple[np.ndarray, int]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def assert_heard(audio: np.ndarray, rate: int, other: float, own: float) -> None:
    """At least for half a second the other's tone, as loud as it was said, and none of its own."""
    size = rate // 10
    tenths = audio[: len(audio) // size * size].reshape(-1, size)
    loud = [abs(level(tenth, other, rate) - SENT) < 1.5 for tenth in tenths]
    clean = [level(tenth, own, rate) < SENT - 25 for tenth in tenths]
    runs = (all(loud[i : i + 5]) and all(clean[i : i + 5]) for i in range(len(tenths) - 4))
    assert any(runs), [round(level(tenth, other, rate)) for tenth in tenths]


async def phone(server: Server, folder: Path, codec: str, seconds: float) -> str:
    """Have it call for so long; answers what it says of the call."""
    write(folder / "tone.wav", tone(ITS, 4.0, RATE, SENT))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PHONE), f"sip:pjsua@127.0.0.1:{server.sip_port}"),
        *("mandatory", codec, str(folder / "tone.wav"), str(folder / "heard.wav"), str(seconds)),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=DEVNULL,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 40)
    return told.decode()


@pytest.mark.parametrize("codec", ["PCMU/8000", "PCMA/8000"])
async def test_both_open_what_the_other_seals(
    server: Server, api: Api, events: Events, tmp_path: Path, codec: str
) -> None:
    calling = asyncio.create_task(phone(server, tmp_path, codec, 5.0))
    leg = (await events.wait("leg.ringing", lambda e: "pjsua" in e.get("from", "")))["leg_id"]
    await api.post(f"/legs/{leg}/answer", 202, codec=codec.partition("/")[0])
    await events.wait("leg.connected", leg_id=leg)
    await api.post("/rooms/pair/legs", 200, leg_id=leg)
    async with ws_phone(server.url, "pair", OURS) as program:
        by_us = await program.listen(4.0)
        told = await calling
    end = await events.ended(leg)
    assert end["cdr"]["reason"] == "remote_bye"
    assert_heard(by_us, program.rate, ITS, OURS)
    assert_heard(*read(tmp_path / "heard.wav"), OURS, ITS)
    assert "SRTP status: Active" in told
    assert re.search(r"RTT msec +: +[\d.]+", told), "reports are protected both ways"
