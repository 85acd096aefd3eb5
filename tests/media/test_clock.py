"""The beat: lateness, ticks given up, and when gathering begins."""

from __future__ import annotations

from hookswitch.media.clock import HOPELESS, LEAD_MAX, LEAD_MIN, PERIOD, TickClock


def test_ticks_are_due_every_20_ms() -> None:
    clock = TickClock(5.0)
    for number in range(1, 4):
        assert abs(clock.due - (5.0 + number * PERIOD)) < 1e-9
        assert clock.begin(clock.due) is False
    assert (clock.ticks, clock.late, clock.skipped) == (3, 0, 0)


def test_a_late_tick_is_counted_and_does_not_move_the_beat() -> None:
    clock = TickClock(0.0)
    clock.begin(clock.due + 0.006)
    assert clock.late == 1
    assert abs(clock.due - 2 * PERIOD) < 1e-9
    assert abs(clock.take_worst() - 0.006) < 1e-9
    assert clock.take_worst() == 0.0


def test_a_clock_hopelessly_behind_gives_ticks_up() -> None:
    clock = TickClock(0.0)
    assert clock.begin(clock.due + HOPELESS + 0.05) is True
    assert clock.skipped == 7
    assert clock.due > HOPELESS + 0.05


def test_gathering_begins_as_early_as_it_needs() -> None:
    clock = TickClock(0.0)
    assert abs(clock.due - clock.gather_due - LEAD_MIN) < 1e-9
    for _ in range(100):
        clock.gathered(0.003)
    assert 0.003 < clock.due - clock.gather_due < 0.006
    for _ in range(100):
        clock.gathered(1.0)
    assert abs(clock.due - clock.gather_due - LEAD_MAX) < 1e-4
