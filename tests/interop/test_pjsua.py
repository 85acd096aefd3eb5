"""A second stack with SDES: PJSUA calls, protected, by its statistics and by ours."""

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

from tests.sound import tone

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


async def phone(server: Server, folder: Path, codec: str, seconds: float) -> str:
    """Have it call for so long; answers what it says of the call."""
    write(folder / "tone.wav", tone(ITS, 4.0, RATE, SENT))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PHONE), f"sip:pjsua@127.0.0.1:{server.sip_port}"),
        *("mandatory", codec, str(folder / "tone.wav"), str(seconds)),
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
    async with ws_phone(server.url, "pair", OURS):
        told = await calling
    end = await events.ended(leg)
    assert end["cdr"]["reason"] == "remote_bye"
    assert end["quality"]["rtp_packets_received"] > 20, "it sends little while nothing is said"
    assert "SRTP status: Active" in told
    received, sent = re.findall(r"total (\d+)pkt", told)[:2]
    assert int(received) > 200, "what it could not open it would not count"
    assert int(sent) > 20
    assert re.search(r"RTT msec +: +[\d.]+", told), "reports are protected both ways"
