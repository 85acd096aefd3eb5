"""Statistics over restarts of a worker, and the end of a key."""

from __future__ import annotations

from hookswitch_transport_sip.rtp.keys import Secret, SrtpKeys
from hookswitch_transport_sip.totals import UNSEEN, KeyLife, Totals


def keys(theirs: int, lifetime: int | None) -> SrtpKeys:
    key = Secret(bytes([theirs] * 30))
    return SrtpKeys("AES_CM_128_HMAC_SHA1_80", Secret(bytes(30)), key, lifetime=lifetime)


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


def test_a_key_is_over_before_it_protects_more_than_it_may() -> None:
    life, limit = KeyLife(), 100_000
    assert not life.is_over(keys(1, limit), limit - UNSEEN)
    assert life.is_over(keys(1, limit), limit - UNSEEN + 1)


def test_another_key_lives_anew() -> None:
    life = KeyLife()
    assert not life.is_over(keys(1, 1 << 16), 60_000)
    assert not life.is_over(keys(2, 1 << 16), 62_000)
    assert not life.is_over(keys(2, 1 << 16), 120_000)
    assert life.is_over(keys(2, 1 << 16), 126_000)


def test_what_has_no_lifetime_or_no_key_never_ends() -> None:
    life = KeyLife()
    assert not life.is_over(keys(1, None), 1 << 40)
    assert not life.is_over(None, 1 << 41)
