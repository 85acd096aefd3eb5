"""What may be asked of a detection."""

from __future__ import annotations

from typing import Any

import pytest

from hookswitch.plugin import BadRequest, parse
from hookswitch_amd.limits import Limits
from hookswitch_amd.params import DetectMachine


def limits(fields: dict[str, Any]) -> Limits:
    request = parse(DetectMachine, fields)
    assert isinstance(request, DetectMachine)
    return request.limits()


def test_the_defaults_are_those_of_the_document() -> None:
    assert limits({}) == Limits(2500, 1500, 800, 5000, 100, 0)


def test_zeros_and_nulls_are_left_out() -> None:
    names = Limits.__dataclass_fields__
    assert limits(dict.fromkeys(names, 0)) == limits(dict.fromkeys(names)) == Limits()


def test_what_is_asked_is_taken() -> None:
    asked = dict(zip(Limits.__dataclass_fields__, (3000, 2000, 700, 6000, 80, 9000), strict=True))
    assert limits(asked) == Limits(**asked)


@pytest.mark.parametrize("name", Limits.__dataclass_fields__)
@pytest.mark.parametrize("value", [-1, "5", 1.5, True, [], 10**9, 0.0])
def test_what_cannot_be_is_named(name: str, value: object) -> None:
    with pytest.raises(BadRequest, match=rf"^{name}: "):
        limits({name: value})


@pytest.mark.parametrize(
    "fields",
    [
        {"total_analysis_time": 899},
        {"total_analysis_time": 300},
        {
            "initial_silence_timeout": 9000,
            "greeting_duration": 6000,
            "after_greeting_silence": 5000,
        },
    ],
)
def test_a_window_too_short_for_any_verdict_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(BadRequest, match=r"^total_analysis_time: too short for any verdict"):
        limits(fields)


def test_a_window_for_one_verdict_will_do() -> None:
    limits({"total_analysis_time": 900})
    limits({"total_analysis_time": 300, "initial_silence_timeout": 300})
