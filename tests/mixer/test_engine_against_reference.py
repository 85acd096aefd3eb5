"""The engine and a naive mixer, driven by the same random commands, sound the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookswitch.mixer.bank import PortSpec, frame_samples
from hookswitch.mixer.commands import (
    ClosePort,
    CloseRoom,
    Command,
    Connect,
    Disconnect,
    Join,
    Leave,
    OpenPort,
    OpenRoom,
    SetGains,
    SetPort,
    SetRouting,
)
from hookswitch.mixer.engine import Engine
from hookswitch.mixer.topology import CommandError
from hookswitch.testing.memory_bank import MemoryBank

from .reference import ReferenceMixer

PORTS = [f"p{i}" for i in range(7)]
RATES = dict(zip(PORTS, (8000, 8000, 8000, 16000, 24000, 48000, 16000), strict=True))
ROOMS = {"a": 16000, "b": 8000, "c": 48000}
ROLES = ["", "agent", "customer", "supervisor"]

ports, rooms, roles = st.sampled_from(PORTS), st.sampled_from(sorted(ROOMS)), st.sampled_from(ROLES)
telephones = st.sampled_from(PORTS[:3])
matrices = st.dictionaries(
    st.sampled_from(ROLES[1:]), st.lists(st.sampled_from(ROLES[1:]), max_size=3).map(tuple)
)
gains = st.dictionaries(
    st.tuples(ports, ports), st.sampled_from([-30.0, -6.0, 0.0, 6.0]), max_size=4
)
opened = ports.map(lambda p: OpenPort(PortSpec(p, RATES[p], "memory")))
joined = st.builds(Join, ports, rooms)
commands: st.SearchStrategy[Command] = st.one_of(
    opened,
    joined,
    joined,
    st.builds(ClosePort, ports),
    rooms.map(lambda r: OpenRoom(r, ROOMS[r])),
    st.builds(CloseRoom, rooms),
    st.builds(Leave, ports),
    st.builds(SetPort, ports, st.none() | st.booleans(), st.none() | st.booleans(), roles),
    st.builds(
        SetPort,
        ports,
        gain_db=st.sampled_from([None, 0.0, -60.0, -6.0, 9.0]),
        broadcast=st.none() | st.booleans(),
    ),
    st.builds(SetPort, ports, apart=st.booleans()),
    st.builds(SetPort, ports, unsent=st.booleans()),
    st.builds(SetRouting, rooms, matrices),
    st.builds(SetGains, rooms, gains),
    st.builds(Connect, ports, ports, st.just("says"), st.sampled_from([-12.0, 0.0, 6.0])),
    st.builds(Disconnect, ports, ports),
    st.builds(Connect, telephones, telephones, st.just("hears"), st.sampled_from([-12.0, 0.0])),
    st.builds(Disconnect, telephones, telephones, st.just("hears")),
)
START: list[Command] = [
    *(OpenRoom(room, rate) for room, rate in ROOMS.items()),
    *(OpenPort(PortSpec(port, rate, "memory")) for port, rate in RATES.items()),
    *(Join(port, "a") for port in PORTS[:4]),
]
steps = st.lists(
    st.tuples(st.lists(commands, max_size=3), st.integers(1, 3)), min_size=1, max_size=12
)


class Pair:
    """The engine and the reference, fed the same."""

    def __init__(self, level: float) -> None:
        self.bank, self.level = MemoryBank(), level
        self.engine = Engine(lambda name: self.bank, comfort_noise=False)
        self.reference = ReferenceMixer()
        self.random = np.random.default_rng(7)
        self.said: dict[str, np.ndarray] = {}
        for name in PORTS:
            self.bank.voices[name] = lambda number, samples, name=name: self.said[name]
        self.apply(START)

    def apply(self, batch: list[Command]) -> None:
        refused = False
        try:
            self.engine.apply(batch)
        except CommandError:
            refused = True
        if refused:
            return
        self.reference.topology.apply(batch)
        for command in batch:
            if isinstance(command, SetGains) and command.room in self.reference.topology.rooms:
                members = self.reference.topology.rooms[command.room].members
                self.reference.weighed.update(members)

    def tick(self) -> None:
        names = list(self.reference.topology.ports)
        self.said = {
            name: np.round(
                self.random.uniform(-self.level, self.level, frame_samples(RATES[name]))
            ).astype(np.float32)
            for name in names
        }
        self.engine.tick(0.0)
        expected = self.reference.tick(self.said)
        for name in names:
            np.testing.assert_allclose(
                self.bank.heard[name][-1], expected[name], atol=0.51, err_msg=name
            )


@pytest.mark.parametrize("level", [3000.0, 30000.0], ids=["quiet", "limited"])
@settings(max_examples=60, deadline=None)
@given(steps=steps)
def test_random_commands_sound_the_same(
    level: float, steps: list[tuple[list[Command], int]]
) -> None:
    pair = Pair(level)
    pair.tick()
    for batch, ticks in steps:
        pair.apply(batch)
        for _ in range(ticks):
            pair.tick()


def test_integer_samples_of_one_rate_are_mixed_exactly() -> None:
    pair = Pair(3000.0)
    for name in PORTS[3:]:
        pair.apply([ClosePort(name)])
    pair.tick()
    for name in PORTS[:3]:
        others = sum(pair.said[o] for o in PORTS[:3] if o != name)
        assert np.array_equal(pair.bank.heard[name][-1], others)
