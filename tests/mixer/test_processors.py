"""Processors: batches of ports, opened and closed, and left out when they raise."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from hookswitch.mixer.bank import PortSpec
from hookswitch.mixer.commands import ClosePort, Join, OpenPort, OpenRoom, SetPort
from hookswitch.mixer.engine import Engine
from hookswitch.testing.memory_bank import MemoryBank, tone
from tests.sound import level


class Halver:
    """Takes 6 dB from whatever is said."""

    def __init__(self) -> None:
        self.open_keys: set[int] = set()
        self.batches: list[int] = []
        self.fail = False

    def open(self, key: int) -> None:
        self.open_keys.add(key)

    def close(self, key: int) -> None:
        self.open_keys.remove(key)

    def process(self, keys: np.ndarray, frames: np.ndarray) -> np.ndarray:
        if self.fail:
            raise RuntimeError("no")
        assert set(keys.tolist()) == self.open_keys
        self.batches.append(len(keys))
        return frames / 2


@pytest.fixture
def halver() -> Halver:
    return Halver()


@pytest.fixture
def bank() -> MemoryBank:
    return MemoryBank()


@pytest.fixture
def engine(halver: Halver, bank: MemoryBank) -> Engine:
    engine = Engine(lambda name: bank, comfort_noise=False, make_processor=lambda ref, rate: halver)
    engine.apply([OpenRoom("r", 8000)])
    for number, name in enumerate(("a", "b", "c")):
        bank.voices[name] = tone(400 + 300 * number, -12.0)
        engine.apply([OpenPort(PortSpec(name, 8000, "memory")), Join(name, "r")])
    return engine


def run(engine: Engine, ticks: int = 25) -> None:
    for _ in range(ticks):
        engine.tick(0.0)


def test_what_a_port_says_is_processed_before_others_hear_it(
    engine: Engine, bank: MemoryBank, halver: Halver
) -> None:
    engine.apply([SetPort("a", processor="x:Halver"), SetPort("b", processor="x:Halver")])
    run(engine)
    heard = bank.sound("c")
    assert level(heard, 400, 8000) == pytest.approx(-18.0, abs=0.1)
    assert level(heard, 700, 8000) == pytest.approx(-18.0, abs=0.1)
    assert level(bank.sound("a"), 1000, 8000) == pytest.approx(-12.0, abs=0.1)
    assert set(halver.batches) == {2}


def test_ports_come_and_go(engine: Engine, halver: Halver) -> None:
    engine.apply([SetPort("a", processor="x:Halver"), SetPort("b", processor="x:Halver")])
    run(engine, 2)
    assert len(halver.open_keys) == 2
    engine.apply([ClosePort("a")])
    run(engine, 2)
    assert len(halver.open_keys) == 1
    engine.apply([SetPort("b", processor="")])
    run(engine, 2)
    assert not halver.open_keys


def test_one_that_raises_is_left_out(
    engine: Engine, bank: MemoryBank, halver: Halver, caplog: pytest.LogCaptureFixture
) -> None:
    engine.apply([SetPort("a", processor="x:Halver")])
    run(engine, 5)
    halver.fail = True
    with caplog.at_level(logging.ERROR):
        run(engine, 30)
    assert len(caplog.records) == 1
    assert level(bank.sound("c", 0.5), 400, 8000) == pytest.approx(-12.0, abs=0.1)
