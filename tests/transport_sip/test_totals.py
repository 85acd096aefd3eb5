"""Statistics over restarts of a worker, and the end of a key."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.rtp.keys import Secret, SrtpKeys
from hookswitch_transport_sip.totals import UNSEEN, Age, KeyLife, Totals


def keys(theirs: int, lifetime: int | None, ours: int = 0) -> SrtpKeys:
    sends, receives = (Secret(bytes([each] * 30)) for each in (ours, theirs))
    return SrtpKeys("AES_CM_128_HMAC_SHA1_80", sends, receives, lifetime=lifetime)


def test_a_restarted_worker_counts_from_zero() -> None:
    totals = Totals()
    names = ("packets_received", "packets_lost", "packets_sent")
    reports = [(100, 1, 90), (200, 2, 190), (50, 0, 45), (60, 1, 55)]
    told = [
        totals.add({"mos": 4.4, "packets_discarded": 0, **dict(zip(names, r, strict=True))})
        for r in reports
    ]
    assert [tuple(each[name] for name in names) for each in told] == [
        (100, 1, 90),
        (200, 2, 190),
        (250, 2, 235),
        (260, 3, 245),
    ]
    assert told[-1]["mos"] == 4.4


LIMIT = 100_000
LAST = LIMIT - UNSEEN


def test_a_key_is_over_before_it_protects_more_than_it_may() -> None:
    life = KeyLife()
    assert life.age(keys(1, LIMIT), LAST, 0) is not Age.OVER
    assert life.age(keys(1, LIMIT), LAST + 1, 0) is Age.OVER


def test_another_key_lives_anew() -> None:
    life, limit = KeyLife(), 1 << 16
    assert life.age(keys(1, limit), 50_000, 0) is Age.GOOD
    assert life.age(keys(2, limit), 52_000, 0) is Age.GOOD
    assert life.age(keys(2, limit), 107_000, 0) is Age.GOOD
    assert life.age(keys(2, limit), 116_000, 0) is Age.OVER


@pytest.mark.parametrize("which", ["theirs", "ours"])
def test_a_key_is_to_be_replaced_well_before(which: str) -> None:
    """Said twice, in case the first attempt fails."""
    life, said = KeyLife(), []
    for count in range(0, LAST, 250):
        counts = (count, 0) if which == "theirs" else (0, count)
        if (age := life.age(keys(1, LIMIT), *counts)) is not Age.GOOD:
            said.append((age, count / LAST))
    assert [age for age, _ in said] == [Age.WORN, Age.WORN]
    assert [at for _, at in said] == pytest.approx([0.9, 0.95], abs=0.01)


def test_a_peer_that_keeps_its_key_is_not_asked_at_every_report() -> None:
    """Ours is another at each attempt, theirs wears out."""
    life, ours, attempts = KeyLife(), 0, 0
    for count in range(0, LAST, 250):
        if life.age(keys(1, LIMIT, ours), count, count) is Age.WORN:
            ours, attempts = ours + 1, attempts + 1
    assert attempts == 2
    assert life.age(keys(1, LIMIT, ours), LAST + 1, LAST + 1) is Age.OVER


def test_a_peer_that_says_nothing_is_never_over() -> None:
    life = KeyLife()
    assert Age.OVER not in {life.age(keys(1, LIMIT), 0, count) for count in range(0, 300_000, 250)}


def test_both_replaced_in_time_go_on_for_ever() -> None:
    life, key = KeyLife(), 1
    for count in range(0, 5 * LIMIT, 250):
        age = life.age(keys(key, LIMIT, key), count, count)
        assert age is not Age.OVER
        key += age is Age.WORN
    assert key == 6


def test_what_has_no_lifetime_or_no_key_never_ends() -> None:
    life = KeyLife()
    assert life.age(keys(1, None), 1 << 40, 0) is Age.GOOD
    assert life.age(None, 1 << 41, 0) is Age.GOOD
