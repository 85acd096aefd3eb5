"""Which failure speaks for a forked call (RFC 3261 section 16.7)."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.forking.outcome import Outcome, best


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ([486], 486),
        ([486, 603], 603),
        ([500, 486], 486),
        ([503, 500, 404], 404),
        ([302, 486], 302),
        ([486, 401], 401),
        ([480, 407, 486], 407),
        ([408, 486], 486),
        ([487, 404], 404),
        ([486, 480], 486),
        ([503, 500], 503),
    ],
)
def test_the_best_one(statuses: list[int], chosen: int) -> None:
    assert best([Outcome(status) for status in statuses]).status == chosen


def test_failures_of_the_way() -> None:
    assert Outcome(503).is_of_path
    assert Outcome(408, local=True).is_of_path
    assert not Outcome(408).is_of_path
    assert not Outcome(500).is_of_path
