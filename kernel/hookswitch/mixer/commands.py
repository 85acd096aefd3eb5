"""What can be said to the mixer: plain values, applied in batches between two ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .bank import PortSpec

Matrix = Mapping[str, tuple[str, ...]]
"""Listener role -> the source roles it hears."""

Gains = Mapping[tuple[str, str], float]
"""(listener port, source port) -> dB."""

Tap = Literal["says", "hears"]
"""Which side of a source port an edge listens to: what it says, or what it hears."""


@dataclass(frozen=True, slots=True)
class OpenPort:
    """Open a port; it is in no room and hears comfort noise."""

    spec: PortSpec


@dataclass(frozen=True, slots=True)
class ClosePort:
    """Close a port, wherever it is; its edges go with it."""

    port: str


@dataclass(frozen=True, slots=True)
class UpdatePort:
    """Change lasting parameters of a port's bank."""

    port: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SignalPort:
    """Have a port's bank do something once."""

    port: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SetPort:
    """Change how a port takes part; None leaves a property as it is.

    A muted port is not in its room's mix, a deaf one hears nothing. Role "" is no role. With
    ``speech`` the engine reports when the port begins and ends to speak, unless it is muted.
    ``processor`` names, as ``module:Class``, what changes its sound; "" is none. ``gain_db`` is how
    much louder it is to everybody, from the next tick on, over which it changes smoothly. A
    ``broadcast`` port (an announcement) is heard by its whole room, whatever the matrix says.
    One that is ``apart`` is neither heard in its room nor hears it, while edges to and from it
    remain. To one that is ``unsent`` nothing is sent: it hears nothing, and who listens to what it
    hears gets no comfort noise either.
    """

    port: str
    mute: bool | None = None
    deaf: bool | None = None
    role: str | None = None
    speech: bool | None = None
    processor: str | None = None
    gain_db: float | None = None
    broadcast: bool | None = None
    apart: bool | None = None
    unsent: bool | None = None


@dataclass(frozen=True, slots=True)
class OpenRoom:
    """Open a room of a nominal rate: 8000, 16000 or 48000 Hz."""

    room: str
    rate: int


@dataclass(frozen=True, slots=True)
class CloseRoom:
    """Close a room; its members are then in none."""

    room: str


@dataclass(frozen=True, slots=True)
class Join:
    """Put a port into a room, out of any other it was in."""

    port: str
    room: str


@dataclass(frozen=True, slots=True)
class Leave:
    """Take a port out of its room."""

    port: str


@dataclass(frozen=True, slots=True)
class SetRouting:
    """Replace a room's routing matrix; an empty one is full mesh."""

    room: str
    matrix: Matrix = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetGains:
    """Replace a room's gains: how much louder (dB) one member hears another; others as they are."""

    room: str
    gains: Gains = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connect:
    """Have ``listener`` hear ``source`` outside any room, or at another gain than before.

    Mute does not silence an edge: it is a tap on the port itself.
    """

    source: str
    listener: str
    tap: Tap = "says"
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Take an edge away."""

    source: str
    listener: str
    tap: Tap = "says"


@dataclass(frozen=True, slots=True)
class StopOn:
    """When ``source`` reports one of ``kinds``, the bank of ``target`` is signalled to stop it.

    Kinds are those of `PortReport`: ``digit``; ``speech``, which means its beginning, and has the
    engine listen for it. The signal is ``{"stop": kind}``, within the tick of the report. No kinds:
    no longer.
    """

    source: str
    target: str
    kinds: frozenset[str]


Command = (
    OpenPort
    | ClosePort
    | UpdatePort
    | SignalPort
    | SetPort
    | OpenRoom
    | CloseRoom
    | Join
    | Leave
    | SetRouting
    | SetGains
    | Connect
    | Disconnect
    | StopOn
)
