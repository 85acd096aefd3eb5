"""The ports and rooms of an engine as columns of numbers, for array operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .bank import Samples
from .resample import Index
from .topology import Port, Room, Topology

NO_ROOM = -1


class Rows:
    """Hands out the lowest free row; frees it again."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self.used = 0
        """One more than the highest row ever handed out."""

    def take(self) -> int:
        if self._free:
            return self._free.pop()
        self.used += 1
        return self.used - 1

    def give_back(self, row: int) -> None:
        self._free.append(row)


class RoomTable:
    """One line per room: its nominal rate, and whether its members hear each other unlike."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.by_line: dict[int, str] = {}
        self._lines = Rows()
        self.rate = np.zeros(64, np.intp)
        self.routed = np.zeros(64, np.bool_)
        self._hears: dict[int, Samples] = {}

    def refresh(self, topology: Topology, name: str) -> None:
        """Take over what the topology says of a room now."""
        room = topology.rooms.get(name)
        if name in self.names:
            self._hears.pop(self.names[name], None)
        if room is None:
            if name in self.names:
                line = self.names.pop(name)
                del self.by_line[line]
                self._lines.give_back(line)
            return
        if name not in self.names:
            line = self.names[name] = self._lines.take()
            self.by_line[line] = name
            if line >= len(self.rate):
                self.rate = np.concatenate([self.rate, np.zeros_like(self.rate)])
                self.routed = np.concatenate([self.routed, np.zeros_like(self.routed)])
        line = self.names[name]
        self.rate[line] = room.rate
        roles = {topology.ports[member].role for member in room.members}
        self.routed[line] = not room.is_mesh(roles)

    def hears(self, line: int, topology: Topology, ports: PortTable, members: Index) -> Samples:
        """By what factor each of the room's members (lines, ascending) hears each.

        Kept until something changes in this room: others may change every tick.
        """
        if line not in self._hears:
            room = topology.rooms[self.by_line[line]]
            names = [ports.by_line[member] for member in members.tolist()]
            self._hears[line] = _hears(room, [topology.ports[name] for name in names])
        return self._hears[line]


def _hears(room: Room, members: Sequence[Port]) -> Samples:
    """(members, members) of factors: listeners by sources."""
    names, role = np.unique([port.role for port in members], return_inverse=True)
    number = {name: index for index, name in enumerate(names.tolist())}
    broadcast = np.array([port.broadcast for port in members])
    hears = np.ones((len(members), len(members)), np.float32)
    for name, audible in room.matrix.items():
        if name and name in number:
            said_by = [number[each] for each in audible if each in number]
            hears[role == number[name]] = np.isin(role, said_by) | broadcast
    place = {port.spec.id: index for index, port in enumerate(members)}
    for (listener, source), gain_db in room.gains.items():
        if listener in place and source in place:
            hears[place[listener], place[source]] *= 10 ** (gain_db / 20)
    np.fill_diagonal(hears, 0.0)
    return hears


class PortTable:
    """One line per port.

    ``row`` is the port's row in the frame matrices of its ``rate``; ``serial`` is never used twice,
    so that a new port does not inherit the filter history of a closed one.
    """

    _COLUMNS = (
        "open",
        "rate",
        "row",
        "serial",
        "room",
        "speaks",
        "mute",
        "deaf",
        "unsent",
        "speech",
        "processor",
        "gain",
    )

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.by_line: dict[int, str] = {}
        self._lines = Rows()
        self._serial = 0
        self.open = np.zeros(64, np.bool_)
        self.rate = np.zeros(64, np.intp)
        self.row = np.zeros(64, np.intp)
        self.serial = np.zeros(64, np.intp)
        self.room = np.full(64, NO_ROOM, np.intp)
        self.speaks = np.zeros(64, np.bool_)
        self.mute = np.zeros(64, np.bool_)
        self.deaf = np.zeros(64, np.bool_)
        """Also those that are unsent."""
        self.unsent = np.zeros(64, np.bool_)
        self.speech = np.zeros(64, np.bool_)
        self.processor = np.zeros(64, np.intp)
        """Index into `processors`; 0 is none."""
        self.processors = [""]
        self.gain = np.ones(64, np.float32)
        """Factor."""

    def add(self, name: str, rate: int, row: int, speaks: bool) -> None:
        line = self.names[name] = self._lines.take()
        self.by_line[line] = name
        if line >= len(self.open):
            for column in self._COLUMNS:
                old = getattr(self, column)
                setattr(self, column, np.concatenate([old, np.zeros_like(old)]))
        self._serial += 1
        self.open[line], self.rate[line], self.row[line] = True, rate, row
        self.serial[line], self.room[line] = self._serial, NO_ROOM
        self.speaks[line] = speaks
        self.mute[line] = self.deaf[line] = self.unsent[line] = self.speech[line] = False
        self.processor[line], self.gain[line] = 0, 1.0

    def remove(self, name: str) -> None:
        line = self.names.pop(name)
        del self.by_line[line]
        self.open[line], self.room[line] = False, NO_ROOM
        self._lines.give_back(line)

    def refresh(self, topology: Topology, rooms: RoomTable, name: str) -> None:
        """Take over what the topology says of a port now."""
        port, line = topology.ports[name], self.names[name]
        self.room[line] = NO_ROOM if port.mixed_in is None else rooms.names[port.mixed_in]
        self.mute[line], self.deaf[line] = port.mute, port.hears_nothing
        self.unsent[line] = port.unsent
        self.speech[line] = (port.speech or topology.stops_on_speech(name)) and not port.mute
        self.gain[line] = 10 ** (port.gain_db / 20)
        if port.processor not in self.processors:
            self.processors.append(port.processor)
        self.processor[line] = self.processors.index(port.processor)

    def row_of(self, name: str) -> int:
        """The port's row in the frame matrices of its rate."""
        return int(self.row[self.names[name]])

    def rows_by_rate(self, serials: set[int]) -> dict[int, Index]:
        """The rows of the open ports with these serials, by rate."""
        lines = self.lines()
        lines = lines[np.isin(self.serial[lines], list(serials))]
        rates = self.rate[lines]
        return {int(rate): self.row[lines[rates == rate]] for rate in np.unique(rates)}

    def lines(self) -> Index:
        """The lines of all open ports, ascending."""
        return np.flatnonzero(self.open)
