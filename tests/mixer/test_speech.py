"""Who is speaking, by energy against the noise floor."""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import FULL_SCALE, TICK_MS
from hookswitch.mixer.speech import HANGOVER_MS, ONSET_TICKS, SpeechDetector

ROWS = np.array([0, 1])
HANGOVER_TICKS = HANGOVER_MS // TICK_MS


class Ears:
    """A detector of two rows that hears noise of given levels."""

    def __init__(self) -> None:
        self.detector, self._random = SpeechDetector(), np.random.default_rng(5)
        for row in ROWS:
            self.detector.reset(int(row))

    def hear(self, dbfs: float, ticks: int, other: float = -90.0) -> list[int]:
        """Ticks of row 0 at ``dbfs``; answers the numbers of those at which row 0 changed."""
        changes = []
        for tick in range(ticks):
            frames = self._random.normal(0, FULL_SCALE, (2, 160))
            frames *= 10 ** (np.array([[dbfs], [other]]) / 20)
            if 0 in self.detector.detect(frames.astype(np.float32), ROWS):
                changes.append(tick)
        return changes

    @property
    def speaking(self) -> list[bool]:
        return self.detector.speaking[:2].tolist()


def test_speech_begins_after_the_onset_and_ends_after_the_hangover() -> None:
    ears = Ears()
    assert ears.hear(-80, 10) == []
    assert ears.hear(-30, 50) == [ONSET_TICKS - 1]
    assert ears.speaking == [True, False]
    assert ears.hear(-80, 50) == [HANGOVER_TICKS - 1]
    assert ears.speaking == [False, False]


def test_a_click_is_no_speech() -> None:
    ears = Ears()
    assert ears.hear(-20, ONSET_TICKS - 1) == []
    assert ears.hear(-80, 50) == []


def test_pauses_between_words_do_not_end_it() -> None:
    ears = Ears()
    ears.hear(-80, 10)
    assert ears.hear(-30, 20) == [ONSET_TICKS - 1]
    for _ in range(5):
        assert ears.hear(-80, HANGOVER_TICKS - 1) == []
        assert ears.hear(-30, 10) == []


def test_what_is_very_quiet_is_never_speech() -> None:
    ears = Ears()
    ears.hear(-90, 50)
    assert ears.hear(-58, 100) == []


def test_noise_that_stays_becomes_the_floor() -> None:
    ears = Ears()
    ears.hear(-90, 50)
    assert ears.hear(-45, 25) == [ONSET_TICKS - 1]
    assert len(ears.hear(-45, 50 * 40)) == 1  # it was speech once, and ended
    assert ears.speaking == [False, False]
    assert ears.hear(-25, 10) == [ONSET_TICKS - 1]  # above the noise there is speech


def test_noise_that_was_there_before_anybody_listened_is_no_speech() -> None:
    for dbfs in (-15, -25, -33):
        ears = Ears()
        assert ears.hear(dbfs, 50 * 3) == []
        assert ears.hear(dbfs + 15, 10) == [ONSET_TICKS - 1]  # above the noise there is speech


def test_a_voice_that_was_there_before_anybody_listened_is_heard_as_its_level_moves() -> None:
    ears = Ears()
    assert ears.hear(-25, 3) == []
    assert ears.hear(-18, 2) == [0]


def test_rows_are_apart_and_forget() -> None:
    ears = Ears()
    ears.hear(-80, 30)
    ears.hear(-30, 10, other=-30)
    assert ears.speaking == [True, True]
    assert ears.detector.silence(np.array([1])).tolist() == [1]
    assert ears.speaking == [True, False]
    assert ears.detector.silence(np.array([1])).tolist() == []
    ears.detector.reset(0)
    assert ears.speaking == [False, False]
    ears.detector.reset(500)
    assert not ears.detector.speaking[500]
