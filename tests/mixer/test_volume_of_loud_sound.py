"""What is, or becomes, louder than full scale changes its volume at once, by as much as is wanted,
undistorted and without a gap."""

from __future__ import annotations

import numpy as np
import pytest

from hookswitch.mixer.bank import PortSpec
from hookswitch.mixer.commands import (
    Command,
    Connect,
    Join,
    OpenPort,
    OpenRoom,
    SetGains,
    SetPort,
)
from hookswitch.mixer.engine import Engine
from hookswitch.testing.memory_bank import MemoryBank, tone

RATE, FRAME, LOUDEST = 8000, 160, 32124.0


class Ears:
    """One says a tone (peak 0.25 of full scale), another hears it."""

    def __init__(self, how: list[Command], louder: Command) -> None:
        self._bank = MemoryBank()
        self._engine = Engine(lambda name: self._bank, comfort_noise=False)
        ports = [OpenPort(PortSpec(name, RATE, "memory")) for name in ("says", "hears")]
        self._bank.voices["says"] = tone(1000, -12.04)
        self._engine.apply([*ports, *how])
        self.tick(2)
        self._engine.apply([louder])
        self.tick(25)

    def tick(self, count: int) -> np.ndarray:
        for _ in range(count):
            self._engine.tick(0.0)
        return np.concatenate(self._bank.heard["hears"][-count:])

    def after(self, quieter: Command, ticks: int) -> np.ndarray:
        self._engine.apply([quieter])
        return self.tick(ticks)


def peaks(sound: np.ndarray) -> np.ndarray:
    """Of each 2.5 ms."""
    return np.abs(sound.reshape(-1, 20)).max(axis=1)


def distortion_db(frame: np.ndarray) -> float:
    """What is neither 1 kHz nor its slow change, below it."""
    window = frame * np.hanning(len(frame))
    spectrum = np.abs(np.fft.rfft(window)) ** 2
    near = slice(12, 29)  # 600 to 1400 Hz
    return float(10 * np.log10((spectrum.sum() - spectrum[near].sum()) / spectrum[near].sum()))


ALONE: list[Command] = [Connect("says", "hears")]
ROOM: list[Command] = [OpenRoom("r", RATE), Join("says", "r"), Join("hears", "r")]


@pytest.mark.parametrize("how", [ALONE, ROOM], ids=["alone", "room"])
@pytest.mark.parametrize("db", [0.0, -24.0])
def test_a_port_is_made_quieter(how: list[Command], db: float) -> None:
    ears = Ears(how, SetPort("says", gain_db=24.0))
    assert peaks(ears.tick(1)) == pytest.approx(LOUDEST, rel=0.02)
    sound = ears.after(SetPort("says", gain_db=db), 3)
    wanted = 8192.0 * 10 ** (db / 20)
    assert peaks(sound[FRAME:]) == pytest.approx(wanted, rel=0.06)
    falling = peaks(sound[:FRAME])
    assert (np.diff(falling) < 500).all()
    assert falling.min() > wanted * 0.9
    assert distortion_db(sound[:FRAME]) < -30


@pytest.mark.parametrize("how", [ALONE, ROOM], ids=["alone", "room"])
@pytest.mark.parametrize("first", [-12.0, 9.0, 11.0, 13.0])
def test_a_port_is_made_too_loud(how: list[Command], first: float) -> None:
    ears = Ears(how, SetPort("says", gain_db=first))
    loud = min(8192.0 * 10 ** (first / 20), LOUDEST)
    assert peaks(ears.tick(1)) == pytest.approx(loud, rel=0.02)
    rising = ears.after(SetPort("says", gain_db=24.0), 3)
    assert peaks(rising).min() > loud * 0.88
    assert peaks(rising[FRAME:]) == pytest.approx(LOUDEST, rel=0.02)
    assert distortion_db(rising[:FRAME]) < -30


@pytest.mark.parametrize("how", [ALONE, ROOM], ids=["alone", "room"])
@pytest.mark.parametrize("db", [21.0, 15.0])
def test_a_port_becomes_less_too_loud(how: list[Command], db: float) -> None:
    ears = Ears(how, SetPort("says", gain_db=24.0))
    sound = ears.after(SetPort("says", gain_db=db), 4)
    assert peaks(sound).min() > LOUDEST * 10 ** ((db - 24.0) / 3 / 20)
    assert peaks(sound[2 * FRAME :]) == pytest.approx(LOUDEST, rel=0.02)
    assert distortion_db(sound[:FRAME]) < -30


def test_one_is_made_quieter_for_another() -> None:
    pair = ("hears", "says")
    ears = Ears(ROOM, SetGains("r", {pair: 20.0}))
    sound = ears.after(SetGains("r", {}), 3)
    assert peaks(sound[FRAME:]) == pytest.approx(8192.0, rel=0.06)


def test_others_that_are_limited_stay_so() -> None:
    """Somebody's volume is changed elsewhere, again and again."""
    ears = Ears(ROOM, SetPort("says", gain_db=24.0))
    other = [OpenPort(PortSpec("other", RATE, "memory"))]
    ears._engine.apply(other)
    for db in (-6.0, 0.0, -6.0):
        sound = ears.after(SetPort("other", gain_db=db), 2)
        assert peaks(sound) == pytest.approx(LOUDEST, rel=0.02)
        assert distortion_db(sound[:FRAME]) < -30
