"""Addresses of peers that answer, or do not."""

from __future__ import annotations

from hookswitch_transport_sip.trunks.health import Health, Probing


def probing(interval: float = 30.0) -> Probing:
    started = Probing(interval)
    started.start(0.0)
    return started


def test_one_that_answers_is_up() -> None:
    address = probing()
    assert address.health is Health.UNKNOWN
    assert address.handle_timer(0.0) == (True, None)
    assert address.answered(0.1, alive=True) is Health.UP
    assert address.next_timer() == 30.1
    assert address.handle_timer(30.1) == (True, None)
    assert address.answered(30.2, alive=True) is None


def test_one_that_is_silent_twice_is_down_until_it_answers() -> None:
    address = probing()
    address.handle_timer(0.0)
    assert address.next_timer() == 5.0
    assert address.handle_timer(5.0) == (False, None)
    assert address.next_timer() == 10.0, "a doubt is settled soon"
    assert address.handle_timer(10.0) == (True, None)
    assert address.handle_timer(15.0) == (False, Health.DOWN)
    assert address.next_timer() == 45.0
    assert address.handle_timer(45.0) == (True, None)
    assert address.answered(45.1, alive=True) is Health.UP


def test_a_refusal_counts_as_silence() -> None:
    address = probing()
    address.handle_timer(0.0)
    assert address.answered(0.1, alive=False) is None
    address.handle_timer(5.1)
    assert address.answered(5.2, alive=False) is Health.DOWN


def test_one_lost_probe_means_nothing() -> None:
    address = probing()
    for start in (0.0, 10.0, 20.0):
        due = address.next_timer()
        assert due is not None
        address.handle_timer(due)
        answered = address.answered(due, alive=start != 10.0)
        assert answered is (Health.UP if start == 0.0 else None)


def test_an_answer_that_comes_too_late_is_none() -> None:
    address = probing()
    address.handle_timer(0.0)
    address.handle_timer(5.0)
    assert address.answered(5.1, alive=True) is None


def test_without_an_interval_nothing_is_probed() -> None:
    address = probing(0.0)
    assert address.next_timer() is None
    assert address.handle_timer(1.0) == (False, None)


def test_one_that_failed_a_call_is_down_at_once() -> None:
    address = probing()
    address.handle_timer(0.0)
    address.answered(0.1, alive=True)
    assert address.call_failed(7.0) is Health.DOWN
    assert address.call_failed(8.0) is None
    assert address.next_timer() == 38.0
    assert address.handle_timer(38.0) == (True, None)
    assert address.answered(38.1, alive=True) is Health.UP


def test_and_gets_another_chance_if_it_is_not_probed() -> None:
    address = probing(0.0)
    assert address.call_failed(7.0) is Health.DOWN
    assert address.next_timer() == 67.0
    assert address.handle_timer(67.0) == (False, Health.UNKNOWN)
    assert address.next_timer() is None
