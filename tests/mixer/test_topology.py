"""Batches of commands: applied wholly or not at all."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch.mixer.bank import PortSpec
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
    SetPort,
    SetRouting,
    SignalPort,
    UpdatePort,
)
from hookswitch.mixer.topology import CommandError, Topology

PORTS, ROOMS, ROLES = st.sampled_from("abcd"), st.sampled_from("xyz"), st.sampled_from(["", "r"])
MAYBE = st.none() | st.booleans()
TAPS = st.sampled_from(["says", "hears"])
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(lambda port, rate: OpenPort(PortSpec(port, rate, "bank")), PORTS,
              st.sampled_from([8000, 48000])),
    st.builds(OpenRoom, ROOMS, st.sampled_from([8000, 16000])),
    st.builds(Join, PORTS, ROOMS),
    st.builds(Leave, PORTS),
    st.builds(ClosePort, PORTS),
    st.builds(CloseRoom, ROOMS),
    st.builds(SetPort, PORTS, MAYBE, MAYBE, st.none() | ROLES, MAYBE, apart=MAYBE, unsent=MAYBE),
    st.builds(SetRouting, ROOMS, st.dictionaries(ROLES, st.just(("r",)), max_size=2)),
    st.builds(UpdatePort, PORTS, st.dictionaries(st.sampled_from("pq"), st.integers(0, 3))),
    st.builds(SignalPort, PORTS, st.just({"digit": "1"})),
    st.builds(Connect, PORTS, PORTS, TAPS, st.sampled_from([0.0, -6.0])),
    st.builds(Disconnect, PORTS, PORTS, TAPS),
)  # fmt: skip
BATCHES = st.lists(st.lists(COMMANDS, max_size=6), max_size=8)
IMPOSSIBLE: list[Command] = [Leave("nobody")]


def state(topology: Topology) -> dict[str, Any]:
    return deepcopy(vars(topology))


def consistent(topology: Topology) -> None:
    for name, room in topology.rooms.items():
        members = {port for port, it in topology.ports.items() if it.room == name}
        assert set(room.members) == members
    assert all(port.room is None or port.room in topology.rooms for port in topology.ports.values())
    assert all({source, to} <= set(topology.ports) for source, to, _ in topology.edges)


def build(batches: list[list[Command]]) -> Topology:
    topology = Topology()
    for batch in batches:
        before = state(topology)
        try:
            topology.apply(batch)
        except CommandError:
            assert state(topology) == before
        consistent(topology)
    return topology


@given(BATCHES)
def test_a_batch_is_applied_wholly_or_not_at_all(batches: list[list[Command]]) -> None:
    build(batches)


@given(BATCHES, st.lists(COMMANDS, max_size=8))
def test_a_batch_that_fails_at_its_end_leaves_nothing(
    batches: list[list[Command]], last: list[Command]
) -> None:
    topology = build(batches)
    before = state(topology)
    with pytest.raises(CommandError):
        topology.apply([*last, *IMPOSSIBLE])
    assert state(topology) == before


@given(BATCHES, st.lists(COMMANDS, max_size=8))
def test_what_was_applied_can_be_taken_back(
    batches: list[list[Command]], last: list[Command]
) -> None:
    topology = build(batches)
    before = state(topology)
    try:
        undo = topology.apply(last)
    except CommandError:
        return
    undo()
    assert state(topology) == before
    consistent(topology)


@given(BATCHES)
def test_a_snapshot_builds_the_same_again(batches: list[list[Command]]) -> None:
    topology, copy = build(batches), Topology()
    for batch in topology.snapshot():
        copy.apply(batch)
    assert state(copy) == state(topology)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (OpenPort(PortSpec("a", 8000, "b")), "port a is open already"),
        (OpenPort(PortSpec("n", 44100, "b")), "rate is one of"),
        (OpenRoom("x", 8000), "room x is open already"),
        (OpenRoom("n", 24000), "rate is one of"),
        (Join("a", "nowhere"), "no room nowhere"),
        (Join("nobody", "x"), "no port nobody"),
        (Leave("nobody"), "no port nobody"),
        (ClosePort("nobody"), "no port nobody"),
        (CloseRoom("nowhere"), "no room nowhere"),
        (SetPort("nobody"), "no port nobody"),
        (SetRouting("nowhere"), "no room nowhere"),
        (UpdatePort("nobody", {}), "no port nobody"),
        (SignalPort("nobody", {}), "no port nobody"),
        (Connect("a", "nobody"), "no port nobody"),
        (Connect("nobody", "a"), "no port nobody"),
        (Disconnect("a", "a"), "no edge from a to a"),
        ("join", "unknown command str"),
    ],
)
def test_what_cannot_be_is_refused(command: Any, why: str) -> None:
    topology = Topology()
    topology.apply([OpenPort(PortSpec("a", 8000, "b")), OpenRoom("x", 16000)])
    with pytest.raises(CommandError, match=why):
        topology.apply([command])


def test_members_keep_the_order_of_joining() -> None:
    topology = Topology()
    topology.apply([OpenRoom("x", 8000)])
    for name in "cab":
        topology.apply([OpenPort(PortSpec(name, 8000, "bank")), Join(name, "x")])
    assert list(topology.rooms["x"].members) == ["c", "a", "b"]
