"""When to try again."""

from __future__ import annotations

import pytest

from hookswitch.events.backoff import LONGEST_RETRY_AFTER, BackOff, retry_after
from hookswitch.events.outcome import Outcome


def test_delays_double_up_to_the_longest() -> None:
    backoff = BackOff(random=lambda: 0.0)
    delays = [backoff.delay(n) for n in range(1, 10)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert backoff.delay(100_000) == 60.0


def test_jitter_takes_off_up_to_half() -> None:
    assert BackOff(random=lambda: 1.0).delay(2) == 0.5
    assert all(0.25 <= BackOff().delay(1) <= 0.5 for _ in range(100))


NOW = 784111777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 500, LONGEST_RETRY_AFTER),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        ("Sun, 06 Nov 1994 08:50:37", 60.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("Sun, 06 Nov 2094 08:00:00 GMT", LONGEST_RETRY_AFTER),
        ("Sun, 99 Nov 1994 08:00:00 GMT", None),
    ],
)
def test_retry_after(value: str | None, expected: float | None) -> None:
    assert retry_after(value, NOW) == expected


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *[(status, "delivered") for status in (200, 201, 202, 204)],
        *[(status, "again") for status in (301, 400, 401, 404, 408, 422, 500)],
        *[(status, "down") for status in (429, 502, 503, 504, None)],
        (410, "final"),
    ],
)
def test_verdicts(status: int | None, verdict: str) -> None:
    outcome = Outcome(status=status, error="refused")
    flags = (outcome.delivered, outcome.final, outcome.unreachable)
    expected = {
        "delivered": (True, False, False),
        "again": (False, False, False),
        "down": (False, False, True),
        "final": (False, True, False),
    }
    assert flags == expected[verdict]
    assert str(outcome) == (f"status {status}" if status else "refused")
