"""Pauses: orders in any number and repetition, and what is silent of a stretch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hookswitch.recording.recorder.pauses import Pauses

TIMES = st.lists(st.integers(0, 1000), min_size=1, max_size=8, unique=True).map(sorted)


def ordered(times: list[int]) -> Pauses:
    pauses = Pauses()
    for index, at in enumerate(times):
        assert (pauses.resume if index % 2 else pauses.pause)(at)
    return pauses


def silent(times: list[int], sample: int) -> bool:
    return sum(at <= sample for at in times) % 2 == 1


@given(TIMES, st.integers(0, 1000), st.integers(0, 200))
def test_silence_is_where_it_was_ordered(times: list[int], start: int, count: int) -> None:
    found = [False] * count
    for part in ordered(times).within(start, start + count):
        found[part] = [True] * (part.stop - part.start)
    assert found == [silent(times, sample) for sample in range(start, start + count)]


@given(TIMES)
def test_orders_said_again_change_nothing(times: list[int]) -> None:
    pauses = ordered(times)
    before = list(pauses.spans)
    for index, at in enumerate(times):
        assert not (pauses.resume if index % 2 else pauses.pause)(at)
    assert list(pauses.spans) == before


def test_what_cannot_be_is_not_done() -> None:
    pauses = Pauses()
    assert not pauses.resume(5)
    assert pauses.pause(10)
    assert not pauses.pause(12)
    assert not pauses.resume(9)
    assert pauses.resume(20)
    assert list(pauses.spans) == [(10, 20)]
