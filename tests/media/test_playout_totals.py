"""The sums of playout, over ports that come and go."""

from __future__ import annotations

from hookswitch.media.playout_totals import COUNTERS, PlayoutTotals


def stats(*counts: int) -> dict[str, int]:
    return {"packets_received": 1000, **dict(zip(COUNTERS, counts, strict=True))}


def test_a_port_may_report_as_often_as_it_likes() -> None:
    totals = PlayoutTotals()
    totals.opened("a")
    totals.opened("b")
    for report in (stats(1, 2, 3, 4), stats(1, 2, 3, 4), stats(2, 2, 3, 10)):
        totals.add("a", report)
    totals.add("b", stats(1, 0, 0, 0))
    assert dict(totals.counts) == {"underruns": 3, "concealed": 2, "dropped": 3, "repeated": 10}


def test_a_port_that_is_opened_again_counts_anew() -> None:
    totals = PlayoutTotals()
    totals.opened("a")
    totals.add("a", stats(5, 0, 0, 0))
    totals.reopened("a")  # moved to another worker
    totals.add("a", stats(7, 0, 0, 0))
    totals.add("a", stats(1, 0, 0, 0))  # the worker has died in between
    assert totals.counts["underruns"] == 13


def test_what_is_not_known_or_knows_nothing_is_not_counted() -> None:
    totals = PlayoutTotals()
    totals.add("prompt", stats(1, 1, 1, 1))
    totals.reopened("prompt")
    totals.add("prompt", stats(1, 1, 1, 1))
    totals.opened("a")
    totals.add("a", {"packets_received": 0})
    totals.forget("a")
    totals.add("a", stats(1, 1, 1, 1))
    assert set(totals.counts.values()) == {0}
