"""G.722: sound through both libraries, and that they speak the same."""

from __future__ import annotations

import numpy as np
import pytest

from hookswitch.codecs.base import StreamCodecBatch
from hookswitch.codecs.crew import Crew
from hookswitch_codec_g722.codec import G722, best_library
from hookswitch_codec_g722.library import Library
from hookswitch_codec_g722.spandsp import Spandsp, find_spandsp
from hookswitch_codec_g722.wheel import Wheel
from tests.sound import level, tone

RATE, FRAME = 16000, 320


def libraries() -> list[Library]:
    path = find_spandsp()
    return [Wheel(), *([Spandsp(path, Crew(2))] if path else [])]


def through(codecs: tuple[G722, G722], said: np.ndarray) -> np.ndarray:
    """What the second codec makes of what the first one made of a sound per row."""
    rows = np.arange(len(said)) * 3
    for codec in codecs:
        for row in rows.tolist():
            codec.open(row)
    heard = []
    for start in range(0, said.shape[1], FRAME):
        frame = np.ascontiguousarray(said[:, start : start + FRAME])
        payloads, sizes = codecs[0].encode(rows, frame)
        assert payloads.shape == (len(said), 160)
        assert set(sizes) == {160}
        assert set(codecs[1].samples(payloads, sizes)) == {FRAME}
        pcm, counts = codecs[1].decode(rows, payloads, sizes)
        assert set(counts) == {FRAME}
        heard.append(pcm)
    return np.concatenate(heard, axis=1)


@pytest.mark.parametrize("encoder", range(len(libraries())))
@pytest.mark.parametrize("decoder", range(len(libraries())))
def test_sound_through_it(encoder: int, decoder: int) -> None:
    codecs = G722(libraries()[encoder]), G722(libraries()[decoder])
    assert isinstance(codecs[0], StreamCodecBatch)
    tones = [300.0, 1000.0, 2500.0, 3400.0, 5000.0, 6500.0, 700.0, 800.0, 900.0]
    heard = through(codecs, np.array([tone(f, 0.6, RATE) for f in tones]))
    for audio, frequency in zip(heard, tones, strict=True):
        assert level(audio[3200:], frequency, RATE) == pytest.approx(-12, abs=1)


def test_payloads_of_any_size_are_decoded() -> None:
    for library in libraries():
        codec = G722(library)
        for row in range(3):
            codec.open(row)
        sizes = np.array([80, 160, 0])
        pcm, counts = codec.decode(np.arange(3), np.full((3, 200), 0xFA, np.uint8), sizes)
        assert counts.tolist() == [160, 320, 0]
        assert pcm.shape == (3, 320)


def test_nothing_is_recovered_from_later_packets() -> None:
    codec = G722(best_library())
    codec.open(0)
    assert codec.conceal(np.array([0]), FRAME) is None
    assert not codec.repairs(np.zeros((2, 160), np.uint8), np.array([160, 160])).any()
