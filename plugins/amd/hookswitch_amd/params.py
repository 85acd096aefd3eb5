"""The request: how answering machines are told from people."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from hookswitch.plugin import ApiModel

from .limits import LONGEST_MS, Limits

_DEFAULT = Limits()


class DetectMachine(ApiModel):
    """How answering machines are told from people. All times are in milliseconds.

    A zero counts as left out, as clients that send every field mean it.
    """

    initial_silence_timeout: int = Field(
        _DEFAULT.initial_silence_timeout, ge=1, le=LONGEST_MS,
        description="Silence before the first word after which the verdict is no_speech",
    )  # fmt: skip
    greeting_duration: int = Field(
        _DEFAULT.greeting_duration, ge=1, le=LONGEST_MS,
        description="Speech without a pause that makes it a machine; with pauses, twice that, "
        "or just this much when the analysis time is over",
    )  # fmt: skip
    after_greeting_silence: int = Field(
        _DEFAULT.after_greeting_silence, ge=1, le=LONGEST_MS,
        description="Silence after words that makes it a human",
    )  # fmt: skip
    minimum_word_length: int = Field(
        _DEFAULT.minimum_word_length, ge=1, le=LONGEST_MS,
        description="Sounds shorter than this are no words",
    )  # fmt: skip
    total_analysis_time: int = Field(
        _DEFAULT.total_analysis_time, ge=1, le=LONGEST_MS, validate_default=True,
        description="When the verdict is given at the latest, not_sure if need be",
    )  # fmt: skip
    beep_timeout: int = Field(
        _DEFAULT.beep_timeout, ge=0, le=LONGEST_MS,
        description="How long to wait for the beep after the verdict machine; 0 = not at all",
    )  # fmt: skip

    @model_validator(mode="before")
    @classmethod
    def _zero_is_unset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if type(v) is not int or v != 0}

    @field_validator("total_analysis_time")
    @classmethod
    def _leaves_time_for_a_verdict(cls, total: int, info: ValidationInfo) -> int:
        others = info.data  # those that are valid
        if len(others) == 4 and total < (soonest := Limits(**others).soonest):
            raise ValueError(f"too short for any verdict: the first is possible after {soonest} ms")
        return total

    def limits(self) -> Limits:
        """The same as plain values."""
        return Limits(**self.model_dump())
