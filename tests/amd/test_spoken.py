"""Verdicts on words that a synthesiser speaks: how much is said, and beeps soon after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from bench.greetings import speak

from hookswitch.mixer.bank import PortReport
from hookswitch_amd.limits import Limits
from tests.interop.processes import need

from .sounds import RATE, glide, heard, noise, silence, tone

VOICES = ("espeak/en-gb/165/50", "espeak/en-us+f3/160/60")
SENTENCES = (
    "Hello there. Bob Miller. Not at home.",
    "Please speak. After the tone. Thank you.",
    "Your name. Your number. Goodbye.",
)


@pytest.fixture(autouse=True)
def _with_a_synthesiser() -> None:
    need("espeak-ng")


def phrase(voice: str, text: str, ms: int) -> np.ndarray:
    """The first words of a text, as long as this."""
    words = speak(voice, text)[: ms * RATE // 1000]
    assert len(words) == ms * RATE // 1000, f"{text!r} is shorter"
    return np.asarray(words)


def line(*parts: np.ndarray, dbfs: float = -68.0) -> np.ndarray:
    return noise(np.concatenate([*parts, silence(6000)]), dbfs)


def told(reports: Sequence[PortReport]) -> list[str]:
    return [str(report.data.get("result", report.kind)) for report in reports]


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize(("lengths", "gap"), [((1700, 1700), 400), ((1200, 1200, 900), 300)])
def test_more_than_a_greeting_that_goes_on_until_the_end_is_a_machine(
    voice: str, lengths: tuple[int, ...], gap: int
) -> None:
    """No phrase is too long, and all together are not twice as long: time decides."""
    parts = [part for ms, text in zip(lengths, SENTENCES, strict=False)
             for part in (phrase(voice, text, ms), silence(gap))]  # fmt: skip
    ends = sum(lengths) + gap * (len(lengths) - 1)
    starts = range(4600 - ends, 5600 - ends, 100)
    for start, reports in zip(
        starts, heard([line(silence(s), *parts) for s in starts]), strict=True
    ):
        data = reports[0].data
        assert 1500 < data["greeting_duration_ms"] < 3000, start
        assert (data["result"], data["total_analysis_ms"]) == ("machine", 5000), start


def test_less_than_a_greeting_at_the_end_is_not_sure() -> None:
    hello = phrase(VOICES[0], "Hello?", 350)
    assert told(
        heard([line(silence(2000), hello, silence(700), hello, silence(600), hello)])[0]
    ) == ["not_sure"]


BEEPS = [(ms, f) for ms in (150, 400, 600, 1400) for f in ((1000.0,), (440.0, 620.0))]


@pytest.mark.parametrize("dbfs", [-68.0, -45.0])
@pytest.mark.parametrize("voice", VOICES)
def test_a_beep_soon_after_hello_is_a_machine(voice: str, dbfs: float) -> None:
    words = (silence(510), speak(voice, "Hello?"))
    said = sum(map(len, words)) * 1000 / RATE
    starts = [said + gap for gap in (300, 400, 500, 600)]
    _beeps_make_a_machine(words, starts, dbfs)


@pytest.mark.parametrize("dbfs", [-68.0, -45.0])
@pytest.mark.parametrize("voice", VOICES)
def test_a_beep_just_before_the_verdict_human_makes_it_a_machine(voice: str, dbfs: float) -> None:
    """A tone is not known for one until it has lasted: the verdict does not come before that."""
    words = (silence(510), speak(voice, "Hello?"))
    ((report,),) = heard([line(*words, dbfs=dbfs)])
    assert report.data["result"] == "human"
    due = report.data["total_analysis_ms"]
    _beeps_make_a_machine(words, [due - before for before in (20, 40, 60, 100, 140)], dbfs)


def _beeps_make_a_machine(
    words: Sequence[np.ndarray], starts: Sequence[float], dbfs: float
) -> None:
    said = sum(map(len, words)) * 1000 / RATE
    beeps = [(start, ms, f) for start in starts for ms, f in BEEPS]
    calls = [line(*words, silence(start - said), tone(ms, *f), dbfs=dbfs)
             for start, ms, f in beeps]  # fmt: skip
    for beep, reports in zip(beeps, heard(calls, Limits(beep_timeout=5000)), strict=True):
        assert told(reports) == ["machine", "beep"], beep
        over = pytest.approx(beep[0] + beep[1] + 80, abs=60)
        assert reports[0].data["total_analysis_ms"] == over, beep
        assert reports[1].data["beep_ms"] == 0, beep


def test_a_tone_that_is_no_beep_only_delays_the_human() -> None:
    hello, tones = speak(VOICES[0], "Hello?"), {
        "a dial tone": tone(3000, 440, 350),
        "SIT": np.concatenate([tone(330, f) for f in (950, 1400, 1800)]),
        "a siren": glide(1500, 600, 1400),
    }  # fmt: skip
    calls = [line(silence(500), hello, silence(500), sound) for sound in tones.values()]
    for name, reports in zip(tones, heard(calls, Limits(beep_timeout=5000)), strict=True):
        assert told(reports) == ["human"], name


def test_a_tone_at_the_end_of_the_analysis_is_not_waited_for() -> None:
    hello = speak(VOICES[0], "Hello?")
    sound = line(silence(500), hello, silence(500), tone(600, 1000))
    (reports,) = heard([sound], Limits(total_analysis_time=1900, beep_timeout=5000))
    assert told(reports) == ["not_sure"]
    assert reports[0].data["total_analysis_ms"] == 1900
