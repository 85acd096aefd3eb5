"""Who is in which room and who hears whom: the mixer's state without audio.

The engine holds one and compiles it into a plan; the control process holds another, fed the same
commands, from which a restarted media worker is given everything again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod

from .bank import PORT_RATES, ROOM_RATES, PortSpec
from .commands import (
    ClosePort,
    CloseRoom,
    Command,
    Connect,
    Disconnect,
    Gains,
    Join,
    Leave,
    Matrix,
    OpenPort,
    OpenRoom,
    SetGains,
    SetPort,
    SetRouting,
    SignalPort,
    StopOn,
    Tap,
    UpdatePort,
)

_SETTABLE = (
    "mute",
    "deaf",
    "role",
    "speech",
    "processor",
    "gain_db",
    "broadcast",
    "apart",
    "unsent",
)

Undo = Callable[[], None]
EdgeKey = tuple[str, str, Tap]
"""Source port, listener port, tap."""


class CommandError(Exception):
    """A command does not fit the present state; nothing of its batch was applied."""


@dataclass(slots=True)
class Port:
    """A port as the mixer knows it."""

    spec: PortSpec
    room: str | None = None
    mute: bool = False
    deaf: bool = False
    role: str = ""
    speech: bool = False
    processor: str = ""
    gain_db: float = 0.0
    broadcast: bool = False
    apart: bool = False
    unsent: bool = False

    @property
    def hears_nothing(self) -> bool:
        """Whatever is said to it."""
        return self.deaf or self.unsent

    @property
    def mixed_in(self) -> str | None:
        """The room whose mix it is part of."""
        return None if self.apart else self.room


@dataclass(slots=True)
class Room:
    """A room as the mixer knows it. ``members`` keeps the order of joining."""

    rate: int
    matrix: Matrix = field(default_factory=dict)
    gains: Gains = field(default_factory=dict)
    members: dict[str, None] = field(default_factory=dict)

    def is_mesh(self, roles: Iterable[str]) -> bool:
        """Whether members of these roles all hear each other alike."""
        if any(role in self.matrix for role in roles if role):
            return False
        return not any(a in self.members and b in self.members for a, b in self.gains)


class Topology:
    """Ports, rooms and edges, changed by batches of commands: wholly or not at all."""

    def __init__(self) -> None:
        self.ports: dict[str, Port] = {}
        self.rooms: dict[str, Room] = {}
        self.edges: dict[EdgeKey, float] = {}
        """Edge -> gain in dB."""
        self.stops: dict[tuple[str, str], frozenset[str]] = {}
        """(source, target) of `StopOn` -> kinds."""

    def apply(self, batch: Iterable[Command]) -> Undo:
        """Apply a batch; answers what takes it back. Raises CommandError with nothing changed."""
        undos: list[Undo] = []

        def undo_all() -> None:
            for undo in reversed(undos):
                undo()

        try:
            for command in batch:
                undos.append(self._apply(command))
        except CommandError:
            undo_all()
            raise
        return undo_all

    def snapshot(self) -> Iterator[list[Command]]:
        """Batches that build this state from nothing."""
        yield [
            command
            for name, room in self.rooms.items()
            for command in (
                OpenRoom(name, room.rate),
                SetRouting(name, room.matrix),
                SetGains(name, room.gains),
            )
        ]
        for name in self.ports:
            yield self.commands_of(name)
        yield self.relations_of(self.ports)

    def commands_of(self, name: str) -> list[Command]:
        """What opens this port as it is now, without its edges."""
        port = self.ports[name]
        commands: list[Command] = [
            OpenPort(port.spec),
            SetPort(
                name,
                port.mute,
                port.deaf,
                port.role,
                port.speech,
                port.processor,
                port.gain_db,
                port.broadcast,
                port.apart,
                port.unsent,
            ),
        ]
        if port.room is not None:
            commands.append(Join(name, port.room))
        return commands

    def relations_of(self, names: Collection[str]) -> list[Command]:
        """What connects these ports with each other: edges, and what stops what."""
        return [
            *(
                Connect(*edge, gain)
                for edge, gain in self.edges.items()
                if edge[0] in names and edge[1] in names
            ),
            *(
                StopOn(*pair, kinds)
                for pair, kinds in self.stops.items()
                if pair[0] in names and pair[1] in names
            ),
        ]

    def company_of(self, name: str) -> list[str]:
        """The port and all that must live beside it: ports it is connected with, and theirs.

        A member of a room is at home there: what only such a port connects is not company.
        """
        found = [name]
        for each in found:
            for source, target in [key[:2] for key in self.edges] + list(self.stops):
                if each not in (source, target):
                    continue
                other = target if each == source else source
                if other not in found and self.ports[other].room is None:
                    found.append(other)
        return found

    def stops_on_speech(self, name: str) -> bool:
        """Whether something stops when this port begins to speak."""
        return any(s == name and "speech" in kinds for (s, _), kinds in self.stops.items())

    @singledispatchmethod
    def _apply(self, command: Command) -> Undo:
        raise CommandError(f"unknown command {type(command).__name__}")

    @_apply.register
    def _(self, command: OpenPort) -> Undo:
        spec = command.spec
        if spec.id in self.ports:
            raise CommandError(f"port {spec.id} is open already")
        if spec.rate not in PORT_RATES:
            raise CommandError(f"a port's rate is one of {PORT_RATES}, not {spec.rate}")
        self.ports[spec.id] = Port(spec)
        return lambda: self._drop(self.ports, spec.id)

    @_apply.register
    def _(self, command: ClosePort) -> Undo:
        port = self._port(command.port)
        undo_leave = self._leave(command.port)
        edges = {key: gain for key, gain in self.edges.items() if command.port in key[:2]}
        stops = {pair: kinds for pair, kinds in self.stops.items() if command.port in pair}
        for key in edges:
            del self.edges[key]
        for pair in stops:
            del self.stops[pair]
        del self.ports[command.port]

        def undo() -> None:
            self.ports[command.port] = port
            self.edges.update(edges)
            self.stops.update(stops)
            undo_leave()

        return undo

    @_apply.register
    def _(self, command: UpdatePort) -> Undo:
        port = self._port(command.port)
        before = port.spec
        port.spec = replace(before, params={**before.params, **command.params})
        return lambda: setattr(port, "spec", before)

    @_apply.register
    def _(self, command: SignalPort) -> Undo:
        self._port(command.port)
        return _nothing

    @_apply.register
    def _(self, command: SetPort) -> Undo:
        port = self._port(command.port)
        changes = {
            name: value for name in _SETTABLE if (value := getattr(command, name)) is not None
        }
        before = {name: getattr(port, name) for name in changes}
        _assign(port, changes)
        return lambda: _assign(port, before)

    @_apply.register
    def _(self, command: OpenRoom) -> Undo:
        if command.room in self.rooms:
            raise CommandError(f"room {command.room} is open already")
        if command.rate not in ROOM_RATES:
            raise CommandError(f"a room's rate is one of {ROOM_RATES}, not {command.rate}")
        self.rooms[command.room] = Room(command.rate)
        return lambda: self._drop(self.rooms, command.room)

    @_apply.register
    def _(self, command: CloseRoom) -> Undo:
        room = self._room(command.room)
        undos = [self._leave(port) for port in list(room.members)]
        del self.rooms[command.room]

        def undo() -> None:
            self.rooms[command.room] = room
            for undo_leave in undos:
                undo_leave()

        return undo

    @_apply.register
    def _(self, command: Join) -> Undo:
        port, room = self._port(command.port), self._room(command.room)
        undo_leave = self._leave(command.port)
        port.room = command.room
        room.members[command.port] = None

        def undo() -> None:
            del room.members[command.port]
            port.room = None
            undo_leave()

        return undo

    @_apply.register
    def _(self, command: Leave) -> Undo:
        self._port(command.port)
        return self._leave(command.port)

    @_apply.register
    def _(self, command: SetRouting) -> Undo:
        room = self._room(command.room)
        before = room.matrix
        room.matrix = command.matrix
        return lambda: setattr(room, "matrix", before)

    @_apply.register
    def _(self, command: SetGains) -> Undo:
        room = self._room(command.room)
        before = room.gains
        room.gains = command.gains
        return lambda: setattr(room, "gains", before)

    @_apply.register
    def _(self, command: StopOn) -> Undo:
        self._port(command.source)
        self._port(command.target)
        pair = (command.source, command.target)
        before = self.stops.pop(pair, None)
        if command.kinds:
            self.stops[pair] = command.kinds

        def undo() -> None:
            self.stops.pop(pair, None)
            if before is not None:
                self.stops[pair] = before

        return undo

    @_apply.register
    def _(self, command: Connect) -> Undo:
        self._port(command.source)
        self._port(command.listener)
        key: EdgeKey = (command.source, command.listener, command.tap)
        before = self.edges.get(key)
        self.edges[key] = command.gain_db

        def undo() -> None:
            if before is None:
                del self.edges[key]
            else:
                self.edges[key] = before

        return undo

    @_apply.register
    def _(self, command: Disconnect) -> Undo:
        key: EdgeKey = (command.source, command.listener, command.tap)
        if key not in self.edges:
            raise CommandError(f"no edge from {command.source} to {command.listener}")
        gain = self.edges.pop(key)
        return lambda: self.edges.__setitem__(key, gain)

    def _leave(self, name: str) -> Undo:
        port = self.ports[name]
        if port.room is None:
            return _nothing
        left, room = port.room, self.rooms[port.room]
        del room.members[name]
        port.room = None

        def undo() -> None:
            port.room = left
            room.members[name] = None

        return undo

    def _port(self, name: str) -> Port:
        if name not in self.ports:
            raise CommandError(f"no port {name}")
        return self.ports[name]

    def _room(self, name: str) -> Room:
        if name not in self.rooms:
            raise CommandError(f"no room {name}")
        return self.rooms[name]

    @staticmethod
    def _drop(table: dict[str, Port] | dict[str, Room], name: str) -> None:
        del table[name]


def _nothing() -> None:
    """Nothing to take back."""


def _assign(port: Port, values: Mapping[str, bool | str | float]) -> None:
    for name, value in values.items():
        setattr(port, name, value)
