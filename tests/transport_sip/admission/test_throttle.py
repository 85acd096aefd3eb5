from __future__ import annotations

from hookswitch_transport_sip.admission.throttle import Throttle

SCANNER, CARRIER = "198.51.100.9", "192.0.2.1"


def test_a_burst_is_free_and_then_a_trickle() -> None:
    throttle = Throttle(burst=3, per_second=0.5)
    for _ in range(3):
        assert not throttle.blocks(SCANNER, 0.0)
        throttle.failed(SCANNER, 0.0)
    assert throttle.blocks(SCANNER, 0.0)
    assert throttle.blocks(SCANNER, 1.9)
    assert not throttle.blocks(SCANNER, 2.0)
    throttle.failed(SCANNER, 2.0)
    assert throttle.blocks(SCANNER, 2.1)


def test_others_are_not_blamed() -> None:
    throttle = Throttle(burst=1, per_second=1.0)
    throttle.failed(SCANNER, 0.0)
    assert not throttle.blocks(CARRIER, 0.0)


def test_who_stops_is_forgotten_soon() -> None:
    throttle = Throttle(burst=2, per_second=1.0)
    for _ in range(1000):
        throttle.failed(SCANNER, 0.0)
    assert throttle.blocks(SCANNER, 0.9)
    assert not throttle.blocks(SCANNER, 2.0)
    assert len(throttle) == 0


def test_forgiven() -> None:
    throttle = Throttle(burst=1, per_second=0.001)
    throttle.failed(SCANNER, 0.0)
    throttle.forgive(SCANNER)
    assert not throttle.blocks(SCANNER, 0.0)


def test_a_burst_of_none_blocks_nobody() -> None:
    throttle = Throttle(burst=0, per_second=1.0)
    throttle.failed(SCANNER, 0.0)
    assert not throttle.blocks(SCANNER, 0.0)


def test_the_table_is_bounded() -> None:
    throttle = Throttle(burst=1, per_second=0.001, limit=100)
    for number in range(1000):
        throttle.failed(f"198.51.100.{number}", 0.0)
    assert len(throttle) == 100
    assert throttle.blocks("198.51.100.999", 0.0)
