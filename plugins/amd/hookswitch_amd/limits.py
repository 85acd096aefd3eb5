"""How long one listens for what, as plain values: the parameters of an ear."""

from __future__ import annotations

from dataclasses import asdict, dataclass

LONGEST_MS = 10 * 60 * 1000


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
