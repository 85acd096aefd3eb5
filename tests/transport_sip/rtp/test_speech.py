"""Speech by every codec over networks that lose, reorder, repeat and delay; measured by ear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from hookswitch.codecs.base import CodecInfo, StreamCodecBatch
from hookswitch.codecs.g711 import PCMU, MuLaw
from hookswitch_codec_g722 import codec as g722
from hookswitch_codec_g722.plugin import G722
from hookswitch_codec_opus.codec import Opus
from hookswitch_codec_opus.plugin import OPUS
from tests.speech import likeness, segmental_snr, speech

from .conftest import Rig, rtp

CODECS: dict[str, tuple[CodecInfo, Callable[[], Any]]] = {
    "PCMU": (PCMU, MuLaw),
    "G722": (G722, g722.G722),
    "opus": (OPUS, Opus),
}
TYPE = 96


@dataclass
class Heard:
    """What came out of the bank, from the delay at which it fits best."""

    audio: np.ndarray
    stats: dict[str, Any]
    delay_ms: float


class Talker:
    """Speech as packets of a codec, one for each tick."""

    def __init__(self, name: str, fmtp: str = "useinbandfec=1", said: np.ndarray | None = None):
        self.info, make = CODECS[name]
        self.rate, self.codec = self.info.sample_rate, make()
        self.codec.open(0, fmtp)
        size = self.rate // 50
        self.clean = speech(self.rate, 5.0) if said is None else said
        self.clean = self.clean[: len(self.clean) // size * size]
        self.sequence = 0
        self.packets = [
            self._packet(number, frame) for number, frame in enumerate(self.clean.reshape(-1, size))
        ]

    def _packet(self, number: int, frame: np.ndarray) -> bytes:
        payload = self._encode(frame[None, :])
        if not payload:
            return b""
        data = rtp(payload, self.sequence, number * self.info.clock_rate // 50, 7, pt=TYPE)
        self.sequence += 1
        return data

    def _encode(self, frame: np.ndarray) -> bytes:
        row = np.zeros(1, np.intp)
        if isinstance(self.codec, StreamCodecBatch):
            payloads, sizes = self.codec.encode(row, frame)
            return payloads[0, : sizes[0]].tobytes()
        return self.codec.encode(row, frame)[0].tobytes()

    def heard_by(self, rig: Rig, arrivals: list[list[int]], **params: Any) -> Heard:
        """Send the packets with these numbers in each tick."""
        phone = rig.phone()
        port = rig.open(
            phone,
            rate=self.rate,
            codec=self.info.batch,
            clock_rate=self.info.clock_rate,
            payload_type=TYPE,
            **params,
        )
        audio = []
        for numbers in arrivals:
            for number in numbers:
                if self.packets[number]:
                    phone.send(self.packets[number])
            audio.append(rig.tick(rate=self.rate)[0])
        rig.bank.close(port)
        rig.reported += rig.bank.reports()
        return self._aligned(np.concatenate(audio), rig.data("stats")[-1])

    def _aligned(self, audio: np.ndarray, stats: dict[str, Any]) -> Heard:
        step, count = self.rate // 8000, len(self.clean) * 3 // 4
        clean = self.clean[:count].astype(np.float64)
        delays = range(0, min(self.rate // 4, len(audio) - count), step)
        best = max(delays, key=lambda d: float(np.dot(clean, audio[d : d + count])))
        return Heard(audio[best:], stats, best * 1000 / self.rate)


def steady(talker: Talker, lost: float = 0.0, extra: int = 10) -> list[list[int]]:
    """One packet a tick, some of them lost."""
    dice = np.random.default_rng(5).random(len(talker.packets))
    arrivals = [[] if dice[n] < lost and n > 5 else [n] for n in range(len(talker.packets))]
    return arrivals + [[] for _ in range(extra)]


def jittered(talker: Talker, delay_ms: int, lost: float, repeated: float) -> list[list[int]]:
    """Each packet delayed by a time of its own: reordered as well, then."""
    dice = np.random.default_rng(11)
    ticks: list[list[tuple[float, int]]] = [
        [] for _ in range(len(talker.packets) + delay_ms // 20 + 10)
    ]
    for number in range(len(talker.packets)):
        if dice.random() < lost:
            continue
        for _ in range(1 + (dice.random() < repeated)):
            at = number + dice.uniform(0, delay_ms) / 20
            ticks[int(at) + 1].append((at, number))
    return [[number for _, number in sorted(tick)] for tick in ticks]


@pytest.mark.parametrize("name", CODECS)
def test_a_good_network_changes_nothing(rig: Rig, name: str) -> None:
    talker = Talker(name)
    heard = talker.heard_by(rig, steady(talker, extra=0))
    least = {"PCMU": 30.0, "G722": 25.0, "opus": 5.0}[name]
    assert segmental_snr(talker.clean, heard.audio, talker.rate) > least
    assert heard.delay_ms < 8
    assert heard.stats["packets_lost"] == heard.stats["late"] == heard.stats["underruns"] == 0


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("jitter_ms", [0, 60])
def test_losses(rig: Rig, name: str, jitter_ms: int) -> None:
    """Five packets in a hundred never come: the others are as good as ever."""
    talker = Talker(name)
    clean = talker.heard_by(rig, steady(talker), jitter_ms=jitter_ms)
    lossy = talker.heard_by(rig, steady(talker, lost=0.05), jitter_ms=jitter_ms)
    before, after = (
        segmental_snr(talker.clean, each.audio, talker.rate) for each in (clean, lossy)
    )
    assert after > before - {"PCMU": 4.0, "G722": 10.0, "opus": 1.0}[name]
    arrived = sum(len(tick) for tick in steady(talker, lost=0.05))
    lost = len(talker.packets) - arrived
    assert lossy.stats["packets_received"] == arrived
    assert lost - 1 <= lossy.stats["packets_lost"] <= lost  # the very last may be among them
    if name == "opus":
        assert lossy.stats["recovered"] > lost // 3


def test_redundancy_is_worth_its_bits(rig: Rig) -> None:
    """Opus with in-band FEC against opus without, a tenth of the packets lost."""
    results = {}
    for fmtp in ("useinbandfec=1", "useinbandfec=0"):
        talker = Talker("opus", fmtp)
        before, after = (
            segmental_snr(
                talker.clean, talker.heard_by(rig, steady(talker, share)).audio, talker.rate
            )
            for share in (0.0, 0.1)
        )
        results[fmtp] = before - after
    assert results["useinbandfec=1"] < 0.65 * results["useinbandfec=0"]


@pytest.mark.parametrize("name", CODECS)
def test_a_network_at_its_worst(rig: Rig, name: str) -> None:
    """200 ms of jitter, which reorders, 3 % lost, 5 % twice: one can still follow."""
    talker = Talker(name)
    arrivals = jittered(talker, 200, lost=0.03, repeated=0.05)
    heard = talker.heard_by(rig, arrivals, jitter_ms=200, jitter_max_ms=400)
    assert likeness(talker.clean, heard.audio, talker.rate) > 0.85
    sent = {number for tick in arrivals for number in tick}
    copies = sum(len(tick) for tick in arrivals)
    stats = heard.stats
    late = copies - stats["packets_received"] - stats["packets_duplicated"]
    assert stats["packets_received"] <= len(sent)
    assert 0 <= late <= 3
    assert stats["packets_lost"] == pytest.approx(len(talker.packets) - len(sent), abs=4)


@pytest.mark.parametrize("name", CODECS)
def test_jitter_without_a_buffer_is_learnt(rig: Rig, name: str) -> None:
    """As little delay as works: the buffer grows to what the network needs."""
    talker = Talker(name)
    heard = talker.heard_by(rig, jittered(talker, 60, lost=0.0, repeated=0.0))
    assert likeness(talker.clean, heard.audio, talker.rate) > 0.85
    assert heard.stats["packets_lost"] == 0


def test_reordered_packets_are_decoded_in_their_order(rig: Rig) -> None:
    """A codec with a past decodes as if nothing had happened, while the buffer allows it."""
    talker = Talker("opus")
    arrivals = [[n] for n in range(len(talker.packets) // 2 * 2)]
    swapped = arrivals[:2] + [
        arrivals[n + 1 if n % 2 == 0 else n - 1] for n in range(2, len(arrivals))
    ]
    plain = talker.heard_by(rig, arrivals, jitter_ms=80)
    heard = talker.heard_by(rig, swapped, jitter_ms=80)
    count = min(len(plain.audio), len(heard.audio)) - 4800
    assert np.array_equal(plain.audio[:count], heard.audio[:count])
    assert heard.stats["late"] == 0


@pytest.mark.parametrize("jitter_ms", [0, 60])
def test_pauses_of_the_speaker_are_no_losses(rig: Rig, jitter_ms: int) -> None:
    """A speaker who sends nothing while silent (DTX) adds no delay, and no loss."""
    said = speech(48000, 2.0)
    pause = np.random.default_rng(1).normal(0, 20, 48000 * 2).astype(np.int16)
    talker = Talker("opus", "usedtx=1", np.concatenate([said, pause, said, pause, said]))
    silent = sum(not packet for packet in talker.packets)
    assert silent > 100
    heard = talker.heard_by(rig, steady(talker), jitter_ms=jitter_ms)
    assert heard.stats["packets_lost"] == 0
    assert likeness(talker.clean, heard.audio, 48000, within=0.05) > 0.8
    assert np.abs(heard.audio[48000 * 3 : 48000 * 4]).max() < 1500
