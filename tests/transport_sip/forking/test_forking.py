"""Calls to several targets, without any call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.forking.forking import (
    Action,
    Cancel,
    Forking,
    GiveUp,
    HangUp,
    PassOver,
    Place,
)
from hookswitch_transport_sip.forking.outcome import Outcome

BUSY, BROKEN, SILENT = Outcome(486), Outcome(503), Outcome(408, local=True)


def forking(*waves: str) -> Forking[str]:
    """A target per letter."""
    return Forking(waves, patience=5.0)


def test_all_of_a_wave_are_called_and_the_first_wins() -> None:
    call = forking("abc")
    assert call.start(0.0) == [Place(0, "a"), Place(1, "b"), Place(2, "c")]
    call.progressed(0)
    assert call.answered(1) == [Cancel(0), Cancel(2)]
    assert call.winner == 1
    assert call.failed(0, Outcome(487), 1.0) == []
    assert call.answered(2) == [HangUp(2)], "its 200 crossed our CANCEL"


def test_it_fails_when_all_have() -> None:
    call = forking("ab")
    call.start(0.0)
    assert call.failed(0, Outcome(480), 1.0) == []
    assert call.failed(1, BUSY, 2.0) == [GiveUp(Outcome(480))]
    assert call.cancel() == []


def test_a_refusal_for_everybody_ends_it() -> None:
    call = forking("ab", "c")
    call.start(0.0)
    assert call.failed(0, Outcome(603), 1.0) == [Cancel(1), GiveUp(Outcome(603))]
    assert call.answered(1) == [HangUp(1)]


def test_the_caller_gives_up() -> None:
    call = forking("ab", "c")
    call.start(0.0)
    call.failed(0, BUSY, 1.0)
    assert call.cancel() == [Cancel(1)]
    assert call.failed(1, Outcome(487), 1.0) == []


@pytest.mark.parametrize("outcome", [BROKEN, SILENT, Outcome(503, local=True)])
def test_who_cannot_be_reached_is_followed_by_the_next(outcome: Outcome) -> None:
    call = forking("a", "b")
    assert call.start(0.0) == [Place(0, "a")]
    assert call.failed(0, outcome, 1.0) == [PassOver("a"), Place(1, "b")]
    assert call.failed(1, outcome, 2.0) == [GiveUp(outcome)]


def test_who_refuses_is_not() -> None:
    call = forking("a", "b")
    call.start(0.0)
    assert call.failed(0, BUSY, 1.0) == [GiveUp(BUSY)]


def test_who_rang_is_not() -> None:
    call = forking("a", "b")
    call.start(0.0)
    call.progressed(0)
    assert call.next_timer() is None
    assert call.failed(0, BROKEN, 1.0) == [GiveUp(BROKEN)]


def test_silence_is_followed_by_the_next() -> None:
    call = forking("a", "b")
    call.start(0.0)
    assert call.next_timer() == 5.0
    assert call.handle_timer(4.9, lambda branch: True) == []
    assert call.handle_timer(5.0, lambda branch: True) == [Cancel(0), PassOver("a"), Place(1, "b")]
    assert call.next_timer() is None, "the last is given all the time it takes"
    assert call.answered(0) == [HangUp(0)], "too late"
    assert call.answered(1) == []
    assert call.winner == 1


def test_a_100_is_not_silence() -> None:
    call = forking("a", "b")
    call.start(0.0)
    assert call.handle_timer(5.0, lambda branch: False) == []
    assert call.next_timer() is None
    assert call.failed(0, BROKEN, 9.0) == [PassOver("a"), Place(1, "b")]


STEPS = st.tuples(
    st.integers(0, 8),
    st.sampled_from(["rings", "answers", "time", BUSY, BROKEN, Outcome(600)]),
)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.lists(STEPS, max_size=20))
def test_it_ends_once_and_leaves_nothing_behind(
    sizes: list[int], steps: list[tuple[int, str | Outcome]]
) -> None:
    """Whatever happens in whatever order: one winner or one failure, and no branch forgotten."""
    call = forking(*("x" * size for size in sizes))
    live: set[int] = set()
    ended: list[Action[str]] = []

    def obey(actions: list[Action[str]]) -> None:
        for action in actions:
            if isinstance(action, Place):
                live.add(action.branch)
            elif isinstance(action, Cancel | HangUp):
                live.remove(action.branch)
            elif isinstance(action, GiveUp):
                ended.append(action)

    obey(call.start(0.0))
    rest = [(0, BUSY)] * sum(sizes)
    for now, (which, what) in enumerate([*steps, *rest], 1):
        if not live or call.winner is not None or ended:
            break
        branch = sorted(live)[which % len(live)]
        if what == "rings":
            call.progressed(branch)
        elif what == "answers":
            obey(call.answered(branch))
        elif what == "time":
            obey(call.handle_timer(6.0 * now, lambda branch: True))
        else:
            assert isinstance(what, Outcome)
            live.remove(branch)
            obey(call.failed(branch, what, 6.0 * now))
    assert live == (set() if call.winner is None else {call.winner})
    assert len(ended) == (call.winner is None)
