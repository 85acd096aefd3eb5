"""How long one listens for what, as plain values, and for what again: the parameters of an ear."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

LONGEST_MS = 10 * 60 * 1000


class Resumes(StrEnum):
    """``resumes`` in `PortSpec.params`: what an ear that is opened again goes on with.

    It is the state of the detection, kept in the specification: a media worker that died takes
    along what its ears had heard.
    """

    NOTHING = ""
    """The ear is the first of its detection."""
    LISTENING = "listening"
    """There is no verdict yet, and some of what was said was missed."""
    WAITING = "waiting"
    """The verdict was machine; only the beep is waited for."""

    def params(self) -> dict[str, str]:
        return {"resumes": self.value}


@dataclass(frozen=True, slots=True)
class Limits:
    """`PortSpec.params` of `AmdBank`, all in milliseconds."""

    initial_silence_timeout: int = 2500
    greeting_duration: int = 1500
    after_greeting_silence: int = 800
    total_analysis_time: int = 5000
    minimum_word_length: int = 100
    beep_timeout: int = 0

    def params(self) -> dict[str, int]:
        return asdict(self)

    @property
    def soonest(self) -> int:
        """When the first verdict is possible."""
        human = self.minimum_word_length + self.after_greeting_silence
        return min(self.initial_silence_timeout, self.greeting_duration, human)
