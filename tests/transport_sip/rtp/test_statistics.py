"""Sequence numbers, losses, jitter, quality: small cases by hand, long ones by reference."""

from __future__ import annotations

import numpy as np
import pytest

from hookswitch_transport_sip.rtp.quality import burst_ratio, mean_opinion_score, rating
from hookswitch_transport_sip.rtp.sequences import Sequences
from hookswitch_transport_sip.rtp.stats import Intervals, Jitter

SLOT = np.array([2])


def take(sequences: Sequences, numbers: list[int], ssrc: int = 7) -> list[bool]:
    return [
        bool(sequences.accept(SLOT, np.array([ssrc]), np.array([n & 0xFFFF])).accepted[0])
        for n in numbers
    ]


def counts(sequences: Sequences) -> tuple[int, int, int]:
    return (
        int(sequences.expected(SLOT)[0]),
        int(sequences.received[2]),
        int(sequences.lost(SLOT)[0]),
    )


def test_seventy_thousand_packets() -> None:
    dice = np.random.default_rng(2)
    sequences, start = Sequences(4), 65000
    keep = dice.random(70000) > 0.01
    keep[0] = keep[-1] = True
    numbers = (start + np.flatnonzero(keep)).tolist()
    for i in range(0, len(numbers) - 3, 97):
        numbers[i + 1], numbers[i + 2] = numbers[i + 2], numbers[i + 1]
    doubled = [n for n in numbers for _ in range(2 if n % 50 == 0 else 1)]
    take(sequences, doubled)
    lost = 70000 - int(keep.sum())
    assert counts(sequences) == (70000, 70000 - lost, lost)
    assert sequences.highest[2] == start + 69999
    assert sequences.duplicates[2] == len(doubled) - len(numbers)
    assert sequences.strays[2] == 0


def test_duplicates_never_make_losses_negative() -> None:
    sequences = Sequences(4)
    assert take(sequences, [1, 1, 1, 2, 2, 1, 3]) == [True, False, False, True, False, False, True]
    assert counts(sequences) == (3, 3, 0)


def test_late_packets_fill_their_place_once() -> None:
    sequences = Sequences(4)
    assert take(sequences, [65534, 1, 65535, 0, 65535, 2]) == [True, True, True, True, False, True]
    assert counts(sequences) == (5, 5, 0)


@pytest.mark.parametrize("ssrc", [7, 8])
def test_a_new_stream_costs_one_packet(ssrc: int) -> None:
    sequences = Sequences(4)
    take(sequences, list(range(100)))
    assert take(sequences, list(range(30000, 30010)), ssrc) == [False] + [True] * 9
    assert counts(sequences) == (109, 109, 0)
    assert sequences.strays[2] == 1


def test_strays_between_do_not_take_over() -> None:
    sequences = Sequences(4)
    take(sequences, [10])
    for n in range(11, 60):
        assert take(sequences, [n]) == [True]
        assert take(sequences, [n + 500], ssrc=99) == [False]
    assert sequences.ssrc[2] == 7


def test_slots_do_not_touch_each_other() -> None:
    sequences, alone = Sequences(50), [Sequences(1) for _ in range(50)]
    dice = np.random.default_rng(4)
    for _ in range(400):
        slots = np.flatnonzero(dice.random(50) < 0.7)
        ssrc = dice.choice([1, 1, 1, 1, 2], len(slots))
        numbers = sequences.highest[slots] + dice.choice([1, 1, 1, 2, 0, -3, 9000], len(slots))
        numbers &= 0xFFFF
        verdict = sequences.accept(slots, ssrc, numbers)
        for i, slot in enumerate(slots):
            one = alone[slot].accept(np.array([0]), ssrc[i : i + 1], numbers[i : i + 1])
            assert bool(one.accepted[0]) == bool(verdict.accepted[i])
            assert alone[slot].highest[0] == sequences.highest[slot]
            assert alone[slot].lost(np.array([0]))[0] == sequences.lost(slots[i : i + 1])[0]


def test_jitter_follows_the_reference() -> None:
    dice = np.random.default_rng(8)
    jitter = Jitter(4)
    jitter.open(2, 8000)
    arrival, stamp, expected, transit = 100.0, 2**32 - 4000, 0.0, None
    for i in range(2000):
        at = arrival + i * 0.02 + dice.uniform(0, 0.012)
        now = at - (i * 160) / 8000
        if transit is not None:
            expected += (abs(now - transit) - expected) / 16
        transit = now
        jitter.update(SLOT, np.array([(stamp + i * 160) % 2**32]), np.array([at]))
        assert jitter.seconds[2] == pytest.approx(expected, abs=1e-9)
    assert 0.002 < expected < 0.008


def test_jitter_is_not_compared_over_a_pause() -> None:
    jitter = Jitter(4)
    jitter.open(2, 8000)
    for at, stamp in [(1.0, 0), (1.02, 160), (9.5, 320), (9.52, 480)]:
        jitter.update(SLOT, np.array([stamp]), np.array([at]))
    assert jitter.seconds[2] == pytest.approx(0.0, abs=1e-9)


def test_intervals_report_the_share_lost_since_the_last_one() -> None:
    sequences, intervals = Sequences(4), Intervals(4)
    take(sequences, list(range(100)))
    assert intervals.take(2, sequences).fraction == 0
    take(sequences, [n for n in range(100, 200) if n % 4])
    interval = intervals.take(2, sequences)
    assert (interval.fraction, interval.lost) == (64, 25)
    take(sequences, list(range(200, 300)))
    interval = intervals.take(2, sequences)
    assert (interval.fraction, interval.lost, interval.highest) == (0, 25, 299)


def test_quality() -> None:
    clean = mean_opinion_score(rating(0.0, 40))
    assert 4.3 < clean < 4.5
    scores = [mean_opinion_score(rating(loss / 100, 40)) for loss in (0, 1, 3, 5, 10, 30, 100)]
    assert scores == sorted(scores, reverse=True)
    assert 3.7 < scores[3] < 4.0
    assert mean_opinion_score(rating(0.0, 400)) < 3.7
    assert rating(0.05, 40, burst=3.0) < rating(0.05, 40, burst=1.0)
    assert mean_opinion_score(0) == 1.0
    assert mean_opinion_score(100) == 4.5
    assert burst_ratio(50, 50, 1000) == 1.0
    assert burst_ratio(50, 10, 1000) == pytest.approx(4.75)
