"""Verdicts and beeps of ears, on made up voices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hookswitch.mixer.bank import BankError, PortReport, PortSpec
from hookswitch_amd.bank import AmdBank
from hookswitch_amd.limits import Limits, Resumes

from .sounds import BANK, FRAME, RATE, glide, heard, noise, silence, spec, tone, voice

WAITING = Limits(beep_timeout=8000)


def call(*parts: np.ndarray) -> np.ndarray:
    """A quiet line on which this is heard."""
    return noise(np.concatenate([*parts, silence(6000)]), -68)


def result(reports: Sequence[PortReport]) -> str:
    assert reports, "no verdict"
    assert reports[0].kind == "verdict"
    return str(reports[0].data["result"])


HELLO = (silence(700), voice(450))
MESSAGE = (silence(700), voice(4000))

LATE = (silence(2400), voice(600), silence(700), voice(700))

CALLS = {
    "hello": (call(*HELLO), "human"),
    "two short phrases": (call(*HELLO, silence(300), voice(1000)), "human"),
    "hello at once": (call(voice(450)), "human"),
    "hello on a noisy line": (noise(call(*HELLO), -36), "human"),
    "a quiet hello": (call(silence(700), voice(450, -42)), "human"),
    "hello after ringback": (call(tone(500, 440, 480), silence(400), voice(450)), "human"),
    "a recording": (call(*MESSAGE), "machine"),
    "a recording at once": (call(voice(5000)), "machine"),
    "a recording with pauses": (call(*(3 * (*HELLO, silence(10), voice(1100)))), "machine"),
    "a recording on a noisy line": (noise(call(*MESSAGE), -36), "machine"),
    "a short recording that beeps": (call(*HELLO, silence(300), tone(400, 1000)), "machine"),
    "nothing": (call(), "no_speech"),
    "noise": (noise(call(), -40), "no_speech"),
    "clicks": (call(*(6 * (silence(400), voice(30)))), "no_speech"),
    "ringback alone": (call(tone(1200, 425)), "no_speech"),
    "a beep alone": (call(silence(500), tone(400, 1000)), "no_speech"),
    "words until the end": (call(*LATE), "not_sure"),
}


def test_verdicts(subtests: pytest.Subtests) -> None:
    told = heard([sound for sound, _ in CALLS.values()])
    for (name, (_, expected)), reports in zip(CALLS.items(), told, strict=True):
        with subtests.test(name):
            assert result(reports) == expected
            assert len(reports) == 1


def test_a_verdict_tells_when_and_how_long() -> None:
    human, machine, nobody = (
        reports[0].data for reports in heard([call(*HELLO), call(*MESSAGE), call()])
    )
    assert human["initial_silence_ms"] == pytest.approx(700, abs=60)
    assert human["greeting_duration_ms"] == pytest.approx(450, abs=80)
    assert human["total_analysis_ms"] == pytest.approx(700 + 450 + 800, abs=100)
    assert machine["greeting_duration_ms"] == pytest.approx(1500, abs=40)
    assert machine["total_analysis_ms"] == pytest.approx(700 + 1500, abs=60)
    assert nobody["initial_silence_ms"] == nobody["total_analysis_ms"] == 2500
    assert nobody["greeting_duration_ms"] == 0


def test_the_limits_are_those_of_each_ear() -> None:
    def told(sound: np.ndarray, **limits: int) -> str:
        return result(heard([sound], Limits(**limits))[0])

    assert told(call(*MESSAGE), greeting_duration=6000) == "not_sure"
    assert told(call(*MESSAGE), greeting_duration=6000, total_analysis_time=9000) == "human"
    assert told(call(silence(2000), voice(450)), initial_silence_timeout=1500) == "no_speech"
    assert told(call(*HELLO), minimum_word_length=700) == "no_speech"
    assert told(call(*HELLO, silence(500), voice(2000)), after_greeting_silence=400) == "human"
    assert told(call(*HELLO, silence(500), voice(2000))) == "machine"


BEEPS = [(350.0,), (440.0,), (1000.0,), (1400.0,), (2000.0,), (440.0, 620.0), (1000.0, 1600.0)]


@pytest.mark.parametrize("ms", [150, 400, 1000])
def test_beeps_of_all_kinds_are_heard(ms: int, subtests: pytest.Subtests) -> None:
    calls = [call(*MESSAGE, silence(500), tone(ms, *beep)) for beep in BEEPS]
    for beep, reports in zip(BEEPS, heard(calls, WAITING), strict=True):
        with subtests.test(str(beep)):
            assert [report.kind for report in reports] == ["verdict", "beep"]
            verdict, begun = reports[0].data["total_analysis_ms"], 700 + 4000 + 500
            assert verdict + reports[1].data["beep_ms"] == pytest.approx(begun, abs=80)


def test_a_lost_packet_does_not_end_a_beep() -> None:
    beep = tone(600, 1000)
    beep[2 * FRAME * 6 : 2 * FRAME * 6 + FRAME] = 0
    (reports,) = heard([call(*MESSAGE, silence(500), beep)], WAITING)
    assert [report.kind for report in reports] == ["verdict", "beep"]
    at = reports[0].data["total_analysis_ms"] + reports[1].data["beep_ms"]
    assert at == pytest.approx(5200, abs=80)


def test_what_is_no_beep() -> None:
    sit = [tone(330, f) for f in (950, 1400, 1800)]
    calls = {
        "ringback": call(*MESSAGE, silence(500), tone(2000, 440, 480)),
        "SIT": call(*MESSAGE, silence(500), *sit),
        "a siren": call(*MESSAGE, silence(500), glide(800, 600, 1400)),
        "a click": call(*MESSAGE, silence(500), tone(60, 1000)),
        "words": call(*MESSAGE, silence(500), voice(800)),
        "hum": call(*MESSAGE, silence(500), tone(600, 100)),
    }
    for name, reports in zip(calls, heard(list(calls.values()), WAITING), strict=True):
        assert [report.kind for report in reports][1:] != ["beep"], name


def test_a_beep_is_waited_for_no_longer_than_asked() -> None:
    (reports,) = heard([call(*MESSAGE, tone(400, 1000))], Limits(beep_timeout=1000))
    assert [report.kind for report in reports] == ["verdict", "no_beep"]


def test_who_does_not_wait_hears_no_beep() -> None:
    beeping = call(*MESSAGE, silence(500), tone(400, 1000))
    human = call(*HELLO, silence(1500), tone(400, 1000))
    assert [len(reports) for reports in heard([beeping])] == [1]
    (reports,) = heard([human], WAITING)
    assert [(report.kind, report.data["waits"]) for report in reports] == [("verdict", False)]


def test_ears_come_and_go() -> None:
    """A new ear remembers nothing of the one before it, and disturbs no other."""
    bank, hello, message = AmdBank(), call(*HELLO), call(*MESSAGE)
    frames = np.zeros((200, FRAME), np.float32)
    told: dict[str, str] = {}
    bank.open(spec("first"), 3)
    for tick in range(400):
        if tick == 20:
            for number in range(100):
                bank.open(spec(f"other {number}"), 10 + number)
        if tick == 50:
            bank.close("first")
            bank.open(spec("second"), 150)
        for number, sound in ((3, message), (150, hello)):
            at = (tick - (50 if number == 150 else 0)) * FRAME
            if 0 <= at < len(sound) - FRAME:
                frames[number] = sound[at : at + FRAME]
        bank.push({RATE: frames}, tick * 0.02)
        told |= {report.port: report.data["result"] for report in bank.reports()}
    assert told.pop("second") == "human"
    assert "first" not in told
    assert set(told.values()) == {"no_speech"}
    assert len(told) == 100
    bank.shutdown()
    bank.push({RATE: frames}, 9.0)
    assert bank.reports() == []


def test_an_ear_has_its_rate() -> None:
    with pytest.raises(BankError, match="8000"):
        AmdBank().open(PortSpec("x", 16000, BANK, Limits().params()), 0)


def test_who_has_missed_something_knows_a_machine_or_is_not_sure(
    subtests: pytest.Subtests,
) -> None:
    """What an ear hears that was opened again before its verdict."""
    told = heard([sound for sound, _ in CALLS.values()], resumes=Resumes.LISTENING)
    for (name, (_, first)), reports in zip(CALLS.items(), told, strict=True):
        with subtests.test(name):
            assert result(reports) == ("machine" if first == "machine" else "not_sure")
            assert len(reports) == 1


def test_who_has_missed_something_still_waits_for_the_beep() -> None:
    beeping = call(*MESSAGE, silence(500), tone(400, 1000))
    (reports,) = heard([beeping], WAITING, Resumes.LISTENING)
    assert [report.kind for report in reports] == ["verdict", "beep"]
    at = reports[0].data["total_analysis_ms"] + reports[1].data["beep_ms"]
    assert at == pytest.approx(700 + 4000 + 500, abs=80)


@pytest.mark.parametrize("before", [(), HELLO, MESSAGE, (silence(3000),)])
def test_who_waits_for_the_beep_tells_nothing_else(before: Sequence[np.ndarray]) -> None:
    """An ear that was opened again after its verdict tells how long ago the beep began."""
    begins = sum(map(len, before)) * 1000 / RATE + 300
    sound = call(*before, silence(300), tone(400, 1000))
    bank, told = AmdBank(), []
    bank.open(spec("ear", WAITING, Resumes.WAITING), 0)
    for at in range(0, len(sound) - FRAME + 1, FRAME):
        bank.push({RATE: sound[None, at : at + FRAME].astype(np.float32)}, at / RATE)
        told += [((at + FRAME) * 1000 / RATE, report) for report in bank.reports()]
    ((now, report),) = told
    assert report.kind == "beep"
    assert report.data.keys() == {"ago_ms"}
    assert now - report.data["ago_ms"] == pytest.approx(begins, abs=80)


def test_who_waits_again_waits_no_longer_than_asked() -> None:
    limits = Limits(beep_timeout=1000)
    soon, late = (call(silence(ms), tone(400, 1000)) for ms in (300, 1200))
    kinds = [[r.kind for r in told] for told in heard([soon, late], limits, Resumes.WAITING)]
    assert kinds == [["beep"], ["no_beep"]]


@pytest.mark.parametrize("resumes", [Resumes.LISTENING, Resumes.WAITING])
def test_what_the_next_ear_resumes_is_nothing_to_this_one(resumes: Resumes) -> None:
    bank, sound = AmdBank(), call(*HELLO)
    bank.open(spec("ear", WAITING), 0)
    bank.update("ear", resumes.params())
    for at in range(0, len(sound) - FRAME + 1, FRAME):
        bank.push({RATE: sound[None, at : at + FRAME].astype(np.float32)}, at / RATE)
    assert result(bank.reports()) == "human"


def test_what_an_ear_listens_for_is_not_changed() -> None:
    bank = AmdBank()
    bank.open(spec("ear"), 0)
    with pytest.raises(BankError, match="not changed"):
        bank.update("ear", {"beep_timeout": 1})


@pytest.mark.parametrize(
    ("before", "kinds"), [(silence(600), ["moves"]), (voice(300), []), (voice(40), [])]
)
def test_an_ear_that_moves_tells_whether_it_has_heard_nothing(
    before: np.ndarray, kinds: list[str]
) -> None:
    bank, sound = AmdBank(), noise(before, -68)
    bank.open(spec("ear"), 0)
    for at in range(0, len(sound) - FRAME + 1, FRAME):
        bank.push({RATE: sound[None, at : at + FRAME].astype(np.float32)}, at / RATE)
    bank.signal("ear", {"handover": True})
    assert [report.kind for report in bank.reports()] == kinds


def test_an_ear_is_told_that_it_has_missed_nothing() -> None:
    bank, sound = AmdBank(), call(*HELLO)
    bank.open(spec("ear", resumes=Resumes.LISTENING), 0)
    for resumes in (Resumes.NOTHING, Resumes.LISTENING):
        bank.update("ear", resumes.params())
    for at in range(0, len(sound) - FRAME + 1, FRAME):
        bank.push({RATE: sound[None, at : at + FRAME].astype(np.float32)}, at / RATE)
    assert result(bank.reports()) == "human"
