"""What a topology is compiled to: as little work as will do."""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import PortSpec
from hookswitch.mixer.commands import (
    Command,
    Connect,
    Join,
    OpenPort,
    OpenRoom,
    SetPort,
    SetRouting,
)
from hookswitch.mixer.engine import Engine
from hookswitch.mixer.plan import Plan, _layers, _runs
from hookswitch.testing.memory_bank import MemoryBank


def plan_of(*commands: Command) -> Plan:
    engine = Engine(lambda name: MemoryBank())
    engine.apply(commands)
    engine.tick(0.0)
    return engine._plan


def ports(rate: int, *names: str, room: str | None = None) -> list[Command]:
    opened: list[Command] = [OpenPort(PortSpec(name, rate, "memory")) for name in names]
    return opened + ([Join(name, room) for name in names] if room else [])


def test_nothing_is_no_work() -> None:
    plan = plan_of()
    assert (plan.mixes, plan.inputs, plan.outputs) == ((), {}, {})


def test_a_room_of_telephones_converts_nothing() -> None:
    plan = plan_of(OpenRoom("r", 16000), *ports(8000, "a", "b", "c", room="r"))
    assert (plan.inputs, plan.outputs) == ({}, {})
    assert [mix.rate for mix in plan.mixes] == [8000]


def test_a_room_is_mixed_no_faster_than_it_may() -> None:
    plan = plan_of(OpenRoom("r", 16000), *ports(48000, "a", "b", room="r"))
    assert [mix.rate for mix in plan.mixes] == [16000]
    assert set(plan.inputs) == {(48000, 16000)}
    assert set(plan.outputs) == {(16000, 48000)}


def test_a_port_of_an_odd_rate_is_mixed_at_the_next_above() -> None:
    plan = plan_of(OpenRoom("r", 48000), *ports(24000, "a", "b", room="r"))
    assert [mix.rate for mix in plan.mixes] == [48000]


def test_rooms_of_one_size_are_mixed_together() -> None:
    commands: list[Command] = []
    for number in range(10):
        room, size = f"r{number}", 3 if number % 2 else 2
        commands += [OpenRoom(room, 8000)]
        commands += ports(8000, *(f"{room}-{i}" for i in range(size)), room=room)
    (mix,) = plan_of(*commands).mixes
    assert sorted((group.size, group.stop - group.start) for group in mix.groups) == [
        (2, 10),
        (3, 15),
    ]
    assert all(group.hears is None for group in mix.groups)


def test_a_room_of_one_is_no_group() -> None:
    (mix,) = plan_of(OpenRoom("r", 8000), *ports(8000, "a", room="r")).mixes
    assert mix.groups == ()


def test_a_matrix_counts_only_where_it_restricts_somebody() -> None:
    room = [OpenRoom("r", 8000), *ports(8000, "a", "b", room="r")]
    matrix = SetRouting("r", {"agent": ()})
    (mix,) = plan_of(*room, matrix).mixes
    assert mix.groups[0].hears is None
    (mix,) = plan_of(*room, matrix, SetPort("a", role="agent")).mixes
    assert mix.groups[0].hears is not None
    assert mix.groups[0].hears.tolist() == [[[0, 0], [1, 0]]]


def test_edges_of_one_listener_are_added_one_after_the_other() -> None:
    (mix,) = plan_of(
        *ports(8000, "a", "b", "c", "listener"),
        *(Connect(source, "listener") for source in "abc"),
        Connect("a", "b"),
    ).mixes
    assert [len(layer.listeners) for layer in mix.layers] == [1, 1, 1]
    assert mix.joined == 0


def test_who_hears_one_port_and_nothing_else_needs_no_mix() -> None:
    plan = plan_of(
        *ports(8000, "a", "b", "says", "hears", "louder", "both"),
        Connect("a", "says"),
        Connect("b", "hears", "hears"),
        Connect("a", "louder", gain_db=6.0),
        Connect("a", "both"),
        Connect("b", "both", "hears"),
    )
    direct = plan.direct[8000]
    assert (direct.said.tolist(), direct.sayers.tolist()) == ([0], [2])
    assert (direct.heard.tolist(), direct.hearers.tolist()) == ([1], [3])
    assert direct.others.tolist() == [0, 1, 4, 5]
    assert [mix.rows for mix in plan.mixes] == [2]


def test_what_an_unsent_port_hears_is_no_copy_of_its_comfort_noise() -> None:
    batch = [*ports(8000, "a", "ear"), Connect("a", "ear", "hears")]
    plan = plan_of(*batch, SetPort("a", unsent=True))
    assert plan.direct == {}
    assert plan.deaf[8000].tolist() == [0]
    assert plan_of(*batch, SetPort("a", deaf=True)).direct[8000].hearers.tolist() == [1]


def test_runs() -> None:
    assert _runs(np.array([1, 1, 2, 1], np.intp)) == [(0, 2), (2, 3), (3, 4)]
    assert _runs(np.zeros(0, np.intp)) == []
    assert _runs(np.array([7], np.intp)) == [(0, 1)]


def test_layers_name_no_listener_twice_and_lose_no_edge() -> None:
    listeners = np.random.default_rng(3).integers(0, 9, 60).astype(np.intp)
    layers = _layers(listeners, np.arange(60, dtype=np.float32))
    for layer in layers:
        assert len(set(layer.listeners.tolist())) == len(layer.listeners)
        assert np.array_equal(layer.listeners, listeners[layer.edges])
        assert np.array_equal(layer.gains[:, 0], layer.edges)
    assert sorted(np.concatenate([layer.edges for layer in layers]).tolist()) == list(range(60))
