"""Calls over a network that loses, delays, reorders and repeats; and media nobody agreed on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.speech import likeness, speech

from . import processes
from .bad_network import BAD, GOOD, Weather, relay
from .client import Api, Event, Events
from .g711 import pack_ulaw, unpack_ulaw
from .rtp_peer import FRAME, RATE, rtp_peers
from .server import Server, serving
from .sipp import session, sipp
from .speakers import Speaker, opened, speaking
from .voice_peer import voice_peers

SPARED = 15
"""Packets that pass unharmed, so that it is known where the stream begins."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"SIP_JITTER_BUFFER_MS": "200", "SIP_JITTER_BUFFER_MAX_MS": "400"}
    with serving(tmp_path_factory.mktemp("server"), **settings) as running:
        yield running


class Reader(Speaker):
    """Reads a text once in PCMU, from when it is told to, and then is silent."""

    def __init__(self, said: np.ndarray) -> None:
        super().__init__()
        self._said = pack_ulaw(said)
        self.target: tuple[str, int] | None = None
        self.sent = self.heard = 0

    @property
    def is_done(self) -> bool:
        return self.sent * FRAME >= len(self._said)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard += len(data) == 12 + FRAME

    def speak(self) -> None:
        if self.target is None or self.is_done:
            return
        start = self.sent * FRAME
        payload = self._said[start : start + FRAME].ljust(FRAME, b"\xff")
        header = struct.pack("!BBHII", 0x80, 0, self.sent, start, 7)
        self._transport.sendto(header + payload, self.target)
        self.sent += 1


@dataclass(frozen=True)
class Outcome:
    """What a call was like: the speech that was left, what the server counted, what was sent."""

    likeness: float
    quality: Event
    sent: list[int]
    passed: list[int]


async def answered(events: Events, api: Api, after: Event | None = None) -> Event:
    ringing = await events.wait("leg.ringing", after=after)
    leg = ringing["leg_id"]
    await api.post(f"/legs/{leg}/answer", 202)
    await events.wait("leg.connected", leg_id=leg)
    await api.post("/rooms/pair/legs", 200, leg_id=leg)
    return ringing


async def read_aloud(
    server: Server, api: Api, events: Events, folder: Path, weather: Weather
) -> Outcome:
    """Alice, behind the relay, reads to Bob."""
    clean = speech(RATE, 5.0)
    async with (
        opened(partial(Reader, clean)) as alice,
        rtp_peers(np.array([1030.0])) as (bob,),
        relay(("127.0.0.1", alice.port), weather, SPARED) as network,
        speaking([alice]),
    ):
        media = {"alice": network.server.address[1], "bob": bob.port}
        calling = partial(sipp, "caller_waits_for_bye.xml", folder, target=server.sip_port)
        async with calling(fields={"sdp": session(media["bob"])}) as two:
            theirs = await answered(events, api, after=events.all[-1] if events.all else None)
            async with calling(fields={"sdp": session(media["alice"])}) as one:
                mine = await answered(events, api, after=theirs)
                await processes.until(lambda: alice.heard > 0, 10)  # the server's port is open
                began = len(bob.heard)
                alice.target = network.phone.address
                await processes.until(lambda: alice.is_done and not network.phone.waiting, 30)
                await bob.hears_after(bob.heard[-1].at + 0.5)  # it has played what came last
                legs = [each["leg_id"] for each in (mine, theirs)]
                for leg in legs:
                    assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
                ends = []
                for leg in legs:
                    await api.delete(f"/legs/{leg}", 202)
                    ends.append(await events.ended(leg))
                await one.succeeded()
                await two.succeeded()
        assert await api.get("/legs") == []
        assert [end["cdr"]["reason"] for end in ends] == ["api_hangup"] * 2
        assert ends[1]["quality"]["rtp_packets_lost"] == 0  # Bob's network is a good one
        heard = unpack_ulaw(b"".join(p.audio for p in bob.heard[began:]))
        return Outcome(
            likeness(clean, _aligned(clean, heard), RATE),
            ends[0]["quality"],
            network.phone.taken,
            network.phone.passed,
        )


def _aligned(clean: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """What was heard, from a quarter of a second before it fits best."""
    size = 1 << (len(clean) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(clean, size)), size)
    best = int(np.argmax(product[: len(heard)]))
    margin = RATE // 4
    return np.concatenate([np.zeros(margin, np.int16), heard])[best:]


async def test_speech_over_a_bad_network(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    outcomes = {}
    for name, weather in (("good", GOOD), ("bad", BAD)):
        (folder := tmp_path / name).mkdir()
        outcomes[name] = await read_aloud(server, api, events, folder, weather)
    good, bad = outcomes["good"], outcomes["bad"]
    for outcome in (good, bad):
        arrived = set(outcome.passed)
        assert outcome.quality["rtp_packets_received"] == len(arrived)
        assert outcome.quality["rtp_packets_lost"] == max(arrived) + 1 - len(arrived)
    assert good.passed == good.sent
    # the network was as bad as it was to be
    assert 0.02 < 1 - len(set(bad.passed)) / len(bad.sent) < 0.1
    assert len(bad.passed) > len(set(bad.passed)), "some came twice"
    assert sum(b < a for a, b in zip(bad.passed, bad.passed[1:], strict=False)) > 50, "out of order"
    assert good.likeness > 0.9
    assert bad.likeness > 0.85 * good.likeness
    assert bad.quality["mos_score"] < good.quality["mos_score"]
    assert bad.quality["rtp_jitter_ms"] > 20


async def test_audio_that_was_not_agreed_on_is_no_good_audio(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """The call lives, and its statistics, the log and a counter tell what is wrong with it."""
    async with voice_peers((425.0, "PCMU", 18)) as (alice,):
        fields = {"sdp": session(alice.port)}
        async with sipp(
            "caller_waits_for_bye.xml", tmp_path, target=server.sip_port, fields=fields
        ) as caller:
            leg = (await answered(events, api))["leg_id"]
            await processes.until(lambda: alice.foreign > 60, 10)
            assert (await api.get(f"/legs/{leg}"))["state"] == "connected"
            await api.delete(f"/legs/{leg}", 202)
            quality = (await events.ended(leg))["quality"]
            await caller.succeeded()
    assert quality["rtp_packets_received"] == 0
    assert quality["rtp_packets_lost"] > 30
    assert quality["mos_score"] < 2
    assert await api.metric("hookswitch_sip_rtp_discarded_total") == quality["rtp_packets_lost"]
    assert server.log.count("payload type 18, which was not agreed on") == 1
