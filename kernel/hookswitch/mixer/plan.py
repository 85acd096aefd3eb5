"""The plan of a tick: the topology compiled to index arrays, so that no tick looks at a port.

Made anew, by array operations, only after a tick's worth of commands has changed something.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .bank import ROOM_RATES, Samples
from .resample import Index
from .table import NO_ROOM, PortTable, RoomTable
from .topology import Topology

Pair = tuple[int, int]
"""From rate, to rate, in Hz."""

Flags = NDArray[np.bool_]

_Edges = tuple[Index, Index, Samples]
"""Lines of sources and of listeners, and the factors of the edges between them."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Rows copied from one matrix to another: ``to[dest] = source[origin]``.

    ``origin`` counts lanes of a conversion when ``pair`` is given, rows of the frame matrix
    otherwise.
    """

    pair: Pair | None
    origin: Index
    dest: Index


@dataclass(frozen=True, slots=True)
class Lanes:
    """The conversions of one pair of rates: ``keys`` name the lanes, ``rows`` are their source."""

    keys: Index
    rows: Index


@dataclass(frozen=True, slots=True)
class Group:
    """Rooms of the same size, side by side: rows ``start`` to ``stop``, ``size`` per room.

    ``hears`` is (rooms, size, size) of factors where members hear unlike, None for full mesh.
    """

    start: int
    stop: int
    size: int
    hears: Samples | None


@dataclass(frozen=True, slots=True)
class Layer:
    """Edges of distinct listeners: ``mix[listeners] += gains · heard[edges]``.

    ``gains`` is None where all are 1.
    """

    listeners: Index
    edges: Index
    gains: Samples | None


@dataclass(frozen=True, slots=True)
class Mix:
    """All that is mixed at one rate. Rows below ``joined`` are members of rooms."""

    rate: int
    rows: int
    joined: int
    fill: tuple[Copy, ...]
    muted: Index
    groups: tuple[Group, ...]
    heard_rows: int
    heard: tuple[Copy, ...]
    layers: tuple[Layer, ...]
    deliver: tuple[Copy, ...]
    """From mix rows to rows of the output matrix; with a pair, through a conversion."""


@dataclass(frozen=True, slots=True)
class Direct:
    """Rows that hear one port of their own rate as it is, and nothing else: no mix is needed.

    ``outputs[sayers] = inputs[said]``, and ``outputs[hearers] = outputs[heard]`` after these have
    been finished: what has been limited once is not limited again. ``others`` are the rows of open
    ports that are none of these listeners.
    """

    sayers: Index
    said: Index
    hearers: Index
    heard: Index
    others: Index


@dataclass(frozen=True, slots=True)
class Hearing:
    """Edges on what a port hears, all listeners of one rate."""

    rate: int
    heard_rows: int
    heard: tuple[Copy, ...]
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """Rows and the factors they are to be multiplied by."""

    rows: Index
    factors: Samples


@dataclass(frozen=True, slots=True)
class Plan:
    """One tick's work."""

    inputs: dict[Pair, Lanes]
    mixes: tuple[Mix, ...]
    outputs: dict[Pair, Lanes]
    deaf: dict[int, Index]
    hear_lanes: dict[Pair, Lanes]
    hearings: tuple[Hearing, ...]
    direct: dict[int, Direct]
    """By rate."""
    speech: dict[int, Lanes]
    """Rows of ports whose speech is watched, by rate; their keys are lines of the port table."""
    gains: dict[int, Gain]
    """By rate: rows whose sound is not as loud as it came."""
    processed: dict[tuple[str, int], Lanes]
    """Processor and rate -> the rows it works on; their keys are serials."""
    mix_rate: dict[int, int]
    """Serial of every port in a room -> the rate it is mixed at."""


EMPTY = Plan({}, (), {}, {}, {}, (), {}, {}, {}, {}, {})


def compile_plan(topology: Topology, ports: PortTable, rooms: RoomTable) -> Plan:
    """Compile the present topology."""
    return _Compiler(topology, ports, rooms).plan()


class _Compiler:
    def __init__(self, topology: Topology, ports: PortTable, rooms: RoomTable) -> None:
        self._topology, self._ports, self._rooms = topology, ports, rooms
        lines = ports.lines()
        self._joined = lines[ports.room[lines] != NO_ROOM]
        self._size = np.bincount(ports.room[self._joined], minlength=len(rooms.rate))
        self._mix_rate = self._mix_rates()
        edges = [(s, d, t, g) for (s, d, t), g in topology.edges.items()]
        says = self._edge_columns([e for e in edges if e[2] == "says"])
        hears = self._edge_columns([e for e in edges if e[2] == "hears"])
        self._direct = self._split_direct(says, hears)
        self._input_lanes: dict[Pair, Index] = {}
        """Lines whose input is converted, ascending: their position is their lane."""
        self._output_lanes: dict[Pair, Lanes] = {}

    def plan(self) -> Plan:
        ports = self._ports
        self._collect_input_lanes()
        used = np.union1d(self._joined, self._says[1])
        rates = np.unique(self._mix_rate[used]) if len(used) else np.zeros(0, np.intp)
        mixes = tuple(self._mix(int(rate)) for rate in rates)
        lines = ports.lines()
        deaf = lines[ports.deaf[lines]]
        hear_lanes, hearings = self._hearings()
        return Plan(
            inputs={
                pair: Lanes(ports.serial[lane], ports.row[lane])
                for pair, lane in self._input_lanes.items()
            },
            mixes=mixes,
            outputs=self._output_lanes,
            deaf={rate: lanes.rows for rate, lanes in self._by_rate(deaf).items()},
            hear_lanes=hear_lanes,
            hearings=hearings,
            direct=self._direct,
            speech=self._by_rate(lines[ports.speech[lines]]),
            gains=self._gains(lines),
            processed=self._processed(lines[ports.processor[lines] > 0]),
            mix_rate=dict(
                zip(
                    ports.serial[self._joined].tolist(),
                    self._mix_rate[self._joined].tolist(),
                    strict=True,
                )
            ),
        )

    def _by_rate(self, lines: Index) -> dict[int, Lanes]:
        rate = self._ports.rate[lines]
        return {
            int(r): Lanes(lines[rate == r], self._ports.row[lines[rate == r]])
            for r in np.unique(rate)
        }

    def _gains(self, lines: Index) -> dict[int, Gain]:
        ports = self._ports
        changed = lines[ports.gain[lines] != 1.0]
        rates = ports.rate[changed]
        return {
            int(r): Gain(ports.row[changed[rates == r]], ports.gain[changed[rates == r]])
            for r in np.unique(rates)
        }

    def _processed(self, lines: Index) -> dict[tuple[str, int], Lanes]:
        ports = self._ports
        found = {}
        for number in np.unique(ports.processor[lines]).tolist():
            chosen = lines[ports.processor[lines] == number]
            for rate, lanes in self._by_rate(chosen).items():
                serials = ports.serial[lanes.keys]
                found[ports.processors[number], rate] = Lanes(serials, lanes.rows)
        return found

    def _mix_rates(self) -> Index:
        """Each line's mix rate.

        A room is mixed no faster than the fastest member that speaks, since nobody could hear the
        difference; a port in no room at its own rate.
        """
        ports, rooms = self._ports, self._rooms
        room = ports.room[self._joined]
        fastest = np.zeros_like(rooms.rate)
        np.maximum.at(fastest, room, ports.rate[self._joined] * ports.speaks[self._joined])
        ladder = np.array(ROOM_RATES)
        ceiling = ladder[np.minimum(np.searchsorted(ladder, fastest), len(ladder) - 1)]
        rates = ports.rate.copy()
        rates[self._joined] = np.minimum(ceiling, rooms.rate)[room]
        return rates

    def _edge_columns(self, edges: list[tuple[str, str, str, float]]) -> _Edges:
        names = self._ports.names
        return (
            np.array([names[e[0]] for e in edges], np.intp),
            np.array([names[e[1]] for e in edges], np.intp),
            np.array([10 ** (e[3] / 20) for e in edges], np.float32),
        )

    def _split_direct(self, says: _Edges, hears: _Edges) -> dict[int, Direct]:
        """Take the edges that are mere copies from the others."""
        ports = self._ports
        edges = np.bincount(np.append(says[1], hears[1]), minlength=len(ports.open))
        simple = (edges == 1) & (ports.room == NO_ROOM) & ~ports.deaf
        simple[hears[0]] = False  # what it hears is heard by others
        sent = ~ports.unsent  # a copy would have the comfort noise in it
        plain = (ports.gain == 1.0) & (ports.processor == 0)
        copied = [
            simple[listener] & (gain == 1.0) & (ports.rate[source] == ports.rate[listener]) & fits
            for (source, listener, gain), fits in ((says, plain[says[0]]), (hears, sent[hears[0]]))
        ]
        (said, sayer), (heard, hearer) = (
            (source[chosen], listener[chosen])
            for (source, listener, _), chosen in zip((says, hears), copied, strict=True)
        )
        self._says, self._hears = (
            (source[~chosen], listener[~chosen], gain[~chosen])
            for (source, listener, gain), chosen in zip((says, hears), copied, strict=True)
        )
        found = {}
        lines, row, rate = ports.lines(), ports.row, ports.rate
        others = np.setdiff1d(lines, np.append(sayer, hearer))
        for each in np.unique(rate[np.append(sayer, hearer)]).tolist():
            says_it, hears_it = rate[sayer] == each, rate[hearer] == each
            found[each] = Direct(
                row[sayer[says_it]],
                row[said[says_it]],
                row[hearer[hears_it]],
                row[heard[hears_it]],
                np.sort(row[others[rate[others] == each]]),
            )
        return found

    def _collect_input_lanes(self) -> None:
        """A lane for every (port, rate) at which a room or an edge wants it and it is not."""
        source, listener, _ = self._says
        lines = np.concatenate([self._joined, source])
        target = np.concatenate([self._mix_rate[self._joined], self._mix_rate[listener]])
        self._input_lanes = self._lanes(lines, target)

    def _lanes(self, lines: Index, target: Index) -> dict[Pair, Index]:
        origin = self._ports.rate[lines]
        pairs = {
            (int(a), int(b))
            for a, b in zip(origin.tolist(), target.tolist(), strict=True)
            if a != b
        }
        return {(a, b): np.unique(lines[(origin == a) & (target == b)]) for a, b in sorted(pairs)}

    def _sources(self, lines: Index, rate: int, lanes: dict[Pair, Index]) -> tuple[Copy, ...]:
        """How to gather these lines' audio at ``rate``, one row each, in order."""
        copies = []
        origin = self._ports.rate[lines]
        for a in np.unique(origin).tolist():
            dest = np.flatnonzero(origin == a)
            if a == rate:
                copies.append(Copy(None, self._ports.row[lines[dest]], dest))
            else:
                lane = np.searchsorted(lanes[a, rate], lines[dest])
                copies.append(Copy((a, rate), lane, dest))
        return tuple(copies)

    def _mix(self, rate: int) -> Mix:
        ports = self._ports
        members = self._joined[self._mix_rate[self._joined] == rate]
        room = ports.room[members]
        members = members[np.lexsort((room, self._size[room], self._rooms.routed[room]))]
        source, listener, gain = self._says
        chosen = self._mix_rate[listener] == rate
        source, listener, gain = source[chosen], listener[chosen], gain[chosen]
        loners = np.setdiff1d(listener, members)
        everyone = np.concatenate([members, loners])
        position = np.zeros(len(ports.open), np.intp)
        position[everyone] = np.arange(len(everyone))
        return Mix(
            rate=rate,
            rows=len(everyone),
            joined=len(members),
            fill=self._sources(members, rate, self._input_lanes),
            muted=np.flatnonzero(ports.mute[members]),
            groups=tuple(self._groups(members)),
            heard_rows=len(source),
            heard=self._sources(source, rate, self._input_lanes),
            layers=_layers(position[listener], gain),
            deliver=self._deliver(everyone, rate),
        )

    def _groups(self, members: Index) -> list[Group]:
        """Runs of rooms of one size; a room of one hears nobody and needs no work."""
        room = self._ports.room[members]
        key = self._size[room] * 2 + self._rooms.routed[room]
        groups = []
        for start, stop in _runs(key):
            size = int(self._size[room[start]])
            if size < 2:
                continue
            routed = bool(self._rooms.routed[room[start]])
            hears = self._hears_matrix(members[start:stop], size) if routed else None
            groups.append(Group(start, stop, size, hears))
        return groups

    def _hears_matrix(self, members: Index, size: int) -> Samples:
        rooms = members.reshape(-1, size)
        lines = self._ports.room[rooms[:, 0]].tolist()
        return np.stack(
            [
                self._rooms.hears(line, self._topology, self._ports, room)
                for line, room in zip(lines, rooms, strict=True)
            ]
        )

    def _deliver(self, everyone: Index, rate: int) -> tuple[Copy, ...]:
        ports = self._ports
        copies = []
        target = ports.rate[everyone]
        for b in np.unique(target).tolist():
            index = np.flatnonzero(target == b)
            lines = everyone[index]
            if b == rate:
                copies.append(Copy(None, index, ports.row[lines]))
                continue
            order = np.argsort(ports.serial[lines])
            pair = (rate, int(b))
            self._output_lanes[pair] = Lanes(ports.serial[lines[order]], index[order])
            copies.append(Copy(pair, index, ports.row[lines[order]]))
        return tuple(copies)

    def _hearings(self) -> tuple[dict[Pair, Lanes], tuple[Hearing, ...]]:
        ports = self._ports
        source, listener, gain = self._hears
        lanes = self._lanes(source, ports.rate[listener])
        hearings = []
        for rate in np.unique(ports.rate[listener]).tolist():
            chosen = ports.rate[listener] == rate
            hearings.append(
                Hearing(
                    rate,
                    int(chosen.sum()),
                    self._sources(source[chosen], rate, lanes),
                    _layers(ports.row[listener[chosen]], gain[chosen]),
                )
            )
        named = {pair: Lanes(ports.serial[lane], ports.row[lane]) for pair, lane in lanes.items()}
        return named, tuple(hearings)


def _runs(key: Index) -> list[tuple[int, int]]:
    """Start and stop of each run of equal values."""
    if not len(key):
        return []
    cuts = np.flatnonzero(np.diff(key)) + 1
    bounds = [0, *cuts.tolist(), len(key)]
    return list(pairwise(bounds))


def _layers(listener: Index, gain: Samples) -> tuple[Layer, ...]:
    """Split edges so that within a layer no listener stands twice."""
    layers = []
    left = np.arange(len(listener))
    while len(left):
        _, first = np.unique(listener[left], return_index=True)
        edges = left[first]
        gains = gain[edges][:, None]
        layers.append(Layer(listener[edges], edges, None if (gains == 1.0).all() else gains))
        left = np.delete(left, first)
    return tuple(layers)
