"""Tones are heard: frequencies, level, cadence, soft edges, and a turn without a seam."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hookswitch.playback.player.errors import PlaybackError
from hookswitch.playback.player.tones import DBM0, EDGE_MS, Tones, one_turn, rounds
from hookswitch.playback.tone_table import COUNTRIES, TYPES, Tone, find, tone_names
from tests.sound import level, residue

NAMES = [name for name in tone_names() if "_" in name]
RATES = (8000, 16000, 24000, 48000)


def heard(name: str, rate: int, seconds: float, start: int = 0) -> np.ndarray:
    blocks, count = [], 0
    for block in rounds(Tones().turn(name, rate), start):
        blocks.append(block)
        count += len(block)
        if count >= seconds * rate:
            break
    return np.concatenate(blocks)[: int(seconds * rate)]


def power_dbm0(audio: np.ndarray) -> float:
    rms = np.sqrt(np.mean(np.asarray(audio, np.float64) ** 2)) / 32768 * np.sqrt(2)
    return float(20 * np.log10(rms)) - DBM0


def first_pulse(name: str, rate: int) -> np.ndarray:
    """The first pulse of a tone, or its first second, without its edges."""
    pulse = found(name).cadence[0]
    edge = EDGE_MS * rate // 1000
    return heard(name, rate, pulse.on / 1000)[edge:-edge]


def found(name: str) -> Tone:
    tone = find(name)
    assert tone is not None
    return tone


def test_every_country_has_every_tone() -> None:
    assert set(COUNTRIES) == {"us", "gb", "de", "fr", "au", "jp", "it", "in", "br", "pl", "ru"}
    assert all(set(tones) == set(TYPES) for tones in COUNTRIES.values())
    assert len(tone_names()) == len(set(tone_names())) == 48


def test_a_bare_type_is_the_american_tone() -> None:
    assert find("busy") is find("us_busy")


@pytest.mark.parametrize("name", ["", "us_", "us_beep", "xx_busy", "us_us_busy", "BUSY", "_busy_"])
def test_other_names_are_none(name: str) -> None:
    assert find(name) is None
    with pytest.raises(PlaybackError, match="no tone"):
        Tones().turn(name, 8000)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", NAMES)
def test_level_and_frequencies(name: str, rate: int) -> None:
    tone, pulse = found(name), first_pulse(name, rate)
    # A tenth of a second of a modulated or beating tone is no whole number of its periods.
    assert power_dbm0(pulse) == pytest.approx(tone.level, abs=0.5)
    each = tone.level + DBM0 - 10 * np.log10(len(tone.frequencies) * (1 + tone.depth**2 / 2))
    for frequency in tone.frequencies:
        assert level(pulse, frequency, rate) == pytest.approx(each, abs=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_cadence(name: str) -> None:
    """Every millisecond of two rounds either sounds or is silent, as the table says."""
    tone = found(name)
    audio = np.abs(heard(name, 8000, 2 * sum(p.on + p.off for p in tone.cadence) / 1000))
    once = [part for p in tone.cadence for part in ((p.on, True), (p.off, False))]
    at = 0
    for duration, sounds in once * 2:
        part = audio[at * 8 : (at + duration) * 8]
        if not sounds:
            assert not part.any()
        elif len(part):
            # No hole longer than a beat of the pair or of the modulation leaves.
            quiet = part.reshape(-1, 8).max(axis=1) < 100
            longest = max(
                (len(list(run)) for low, run in itertools.groupby(quiet) if low), default=0
            )
            assert longest <= 12
        at += duration


def test_a_turn_goes_on_without_a_seam() -> None:
    """Continuous tones leave nothing when their sines are taken out, over many turns."""
    for name in ("us_dial", "de_dial", "au_dial"):
        audio = heard(name, 8000, 10.0)
        assert residue(audio, found(name).frequencies, 8000).max() < -85


def test_edges_are_soft() -> None:
    """Nothing jumps by more than the tone itself does at its steepest."""
    audio = heard("gb_busy", 48000, 3.0).astype(np.float64)
    steepest = 2 * np.pi * 400 / 48000 * 32768 * 10 ** ((-10 + DBM0) / 20)
    assert np.abs(np.diff(audio)).max() <= steepest * 1.05


def test_the_japanese_ringback_is_modulated() -> None:
    audio = heard("jp_ringback", 8000, 1.0)[200:-200]
    carrier = level(audio, 400, 8000)
    for side in (384, 416):
        assert level(audio, side, 8000) - carrier == pytest.approx(20 * np.log10(0.85 / 2), abs=0.3)


def test_the_second_pulse_of_australian_congestion_is_weaker() -> None:
    audio = heard("au_congestion", 8000, 1.5)
    first, second = audio[100:2900], audio[6100:8900]
    assert power_dbm0(first) - power_dbm0(second) == pytest.approx(10, abs=0.1)


def test_it_goes_on_where_it_was() -> None:
    whole = heard("br_congestion", 16000, 9.0)
    assert np.array_equal(heard("br_congestion", 16000, 3.0, start=70_001), whole[70_001:118_001])


@pytest.mark.parametrize("rate", RATES)
def test_turns_are_short(rate: int) -> None:
    """All turns there are take little memory."""
    total = sum(one_turn(tone, rate).nbytes for t in COUNTRIES.values() for tone in t.values())
    assert total < 260 * rate
