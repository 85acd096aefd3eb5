"""Requests: what is absent, what is ignored, what is explained."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field

from hookswitch.errors import BadRequest
from hookswitch.operations.model import ApiModel, OneOf, parse


class Inner(ApiModel):
    name: str
    level: int = 5


class Example(ApiModel):
    type: Literal["example"] = "example"
    text: str | None = None
    kept: str | None = None
    count: int = Field(3, ge=0)
    rate: Literal[8000, 16000] | None = 8000
    steps: Literal[0, 1, 2] = 2
    flag: bool = True
    inner: Inner | None = None
    inners: list[Inner] = Field(default_factory=list)

    @classmethod
    def keep_empty(cls) -> frozenset[str]:
        return frozenset({"kept"})


class Other(ApiModel):
    type: Literal["other"]
    number: int


@pytest.mark.parametrize(
    ("data", "changed"),
    [
        ({}, {}),
        ({"unknown": 1, "Text": "x"}, {}),
        ({"text": "", "rate": "", "flag": "", "inner": "", "count": ""}, {}),
        ({"text": None, "rate": None, "flag": None, "count": None, "inners": None}, {}),
        ({"kept": ""}, {"kept": ""}),
        ({"rate": 0}, {}),
        ({"steps": 0}, {"steps": 0}),
        ({"count": 0}, {"count": 0}),
        ({"flag": False}, {"flag": False}),
        ({"inners": [{"name": "a", "level": None}]}, {"inners": [Inner(name="a")]}),
        ({"text": " "}, {"text": " "}),
    ],
)
def test_what_counts_as_absent(data: Any, changed: dict[str, Any]) -> None:
    assert parse(Example, data) == Example(**changed)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"count": "3"}, "count: Input should be a valid integer"),
        ({"count": 3.0}, "count: "),
        ({"count": True}, "count: "),
        ({"count": -1}, "count: Input should be greater than or equal to 0"),
        ({"flag": 0}, "flag: Input should be a valid boolean"),
        ({"flag": "true"}, "flag: "),
        ({"text": 5}, "text: Input should be a valid string"),
        ({"rate": 44100}, "rate: Input should be 8000 or 16000"),
        ({"rate": False}, "rate: "),
        ({"inner": {}}, "inner.name: Field required"),
        ({"inner": {"name": ""}}, "inner.name: Field required"),
        ({"inners": [{"name": "a"}, {"name": 1}]}, "inners.1.name: "),
        ({"inners": {"name": "a"}}, "inners: "),
        ([], "body: "),
        ("x", "body: "),
    ],
)
def test_what_does_not_fit_is_explained(data: Any, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(Example, data)
    assert str(refused.value).startswith(message)


def test_all_that_does_not_fit_is_explained() -> None:
    with pytest.raises(BadRequest, match=r"^count: .*; flag: .*"):
        parse(Example, {"count": "x", "flag": "x"})


CHOICE = OneOf("type", {"example": Example, "other": Other}, {"rare": "pip install it"})


def test_one_of_several_is_chosen() -> None:
    assert isinstance(parse(CHOICE, {"type": "example"}), Example)
    assert parse(CHOICE, {"type": "other", "number": 1}) == Other(type="other", number=1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "type: required; one of: example, other"),
        ({"type": ""}, "type: required"),
        ({"type": None}, "type: required"),
        ({"type": 5}, "type: must be a string"),
        ({"type": ["other"]}, "type: must be a string"),
        ({"type": "Other"}, "type: 'Other' is not one of: example, other"),
        ({"type": "rare"}, "type: pip install it"),
        ({"type": "other"}, "number: Field required"),
        ([], "body: must be a JSON object"),
    ],
)
def test_a_choice_that_cannot_be_made_is_explained(data: Any, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(CHOICE, data)
    assert str(refused.value).startswith(message)


def test_without_transports_there_is_nothing_to_choose() -> None:
    with pytest.raises(BadRequest, match="no transport is installed"):
        parse(OneOf("type", {}, {}), {"type": "sip"})
