"""The whole contract between the kernel and its plugins.

A plugin is a distribution with an entry point in the group ``hookswitch``; what it points to is a
module or object whose functions, marked with `hookswitch.plugin.hookimpl`, implement any of these
hooks. All are synchronous. Names say what they do: ``register_…`` offers, ``…_from_…`` decides (the
first answer that is not None wins), a past participle observes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hookswitch.codecs.base import CodecInfo
    from hookswitch.decisions import Refusal, Route
    from hookswitch.events.record import Record
    from hookswitch.legs.leg import Leg
    from hookswitch.media.messages import Pulse
    from hookswitch.operations.operation import Operation
    from hookswitch.recording.storage import Storage
    from hookswitch.registration import RegistrationAttempt, RegistrationDecision
    from hookswitch.rooms.room import Room
    from hookswitch.settings import KernelSettings, Settings
    from hookswitch.switch import Switch
    from hookswitch.transports import Transport

hookspec = pluggy.HookspecMarker("hookswitch")


# -- what a plugin offers


@hookspec
def register_settings() -> type[Settings] | None:
    """A settings class: its variables are listed by ``hookswitch config`` and checked at start."""


@hookspec
def register_codecs() -> Sequence[CodecInfo]:
    """Audio codecs, in the order in which they are preferred by default."""
    return ()


@hookspec
def register_banks() -> Sequence[str]:
    """Banks, as ``module:Class``, that media workers load before their first tick.

    A port may name any bank; one that is not listed here is imported when it is first named, and
    that tick comes late.
    """
    return ()


@hookspec
def register_storages() -> Sequence[Storage]:
    """Storages: places where finished recordings are kept."""
    return ()


@hookspec
def register_transports(switch: Switch) -> Sequence[Transport]:
    """Transports: kinds of legs, how they are dialled and how they arrive.

    Called once, before the server starts; `Transport.start` opens sockets.
    """
    return ()


@hookspec
def register_operations(switch: Switch) -> Sequence[Operation]:
    """Operations of the API, served over REST and the event stream alike."""
    return ()


@hookspec
def register_routes(switch: Switch) -> APIRouter | None:
    """Routes that are no operations, such as WebSocket upgrades; paths without ``/v1``."""


# -- what a plugin may observe


@hookspec
def server_started(switch: Switch) -> None:
    """Everything runs and calls may come."""


@hookspec
def server_stopping(switch: Switch) -> None:
    """The server has drained and is about to close what is left."""


@hookspec
def leg_created(leg: Leg) -> None:
    """A leg exists; nothing has been told of it yet."""


@hookspec
def leg_connected(leg: Leg) -> None:
    """A leg was answered, its media is ready, and it is in the room it was created for."""


@hookspec
def leg_ended(leg: Leg, reason: str) -> None:
    """A leg is over; ``reason`` is the CDR's."""


@hookspec
def room_created(room: Room) -> None:
    """A room was opened."""


@hookspec
def room_deleted(room: Room) -> None:
    """A room was closed."""


@hookspec
def mixer_pulsed(worker: int, pulse: Pulse) -> None:
    """Once a second, how a media worker (counted from 0) is doing: ticks, lateness, load."""


@hookspec
def event_emitted(record: Record) -> None:
    """An event was stored, and goes out to webhooks and streams."""


# -- what a plugin may decide


@hookspec(firstresult=True)
def refusal_from_leg(leg: Leg) -> Refusal | None:
    """Whether an inbound leg is turned away before anybody hears of it."""


@hookspec(firstresult=True)
def processor_from_leg(leg: Leg) -> str | None:
    """What changes the sound of a leg before anybody hears it, as ``module:Class``.

    Asked when the leg's media is ready. The class (`hookswitch.mixer.processors.Processor`) is made
    in the media worker with the rate in Hz, and works on all legs that name it at once.
    """


@hookspec(firstresult=True)
def speech_detector_from_settings(settings: KernelSettings) -> str | None:
    """What tells who speaks, as ``module:Class`` (`hookswitch.mixer.speech.Detector`).

    Asked once, before the media workers start. The class is made in each of them, once for every
    rate; without an answer speech is told from noise by its level.
    """


@hookspec(firstresult=True)
def route_from_leg(leg: Leg) -> Route | None:
    """Where an inbound leg goes by itself: answered at once, and into which room."""


@hookspec(firstresult=True)
def decision_from_registration(attempt: RegistrationAttempt) -> RegistrationDecision | None:
    """Whether a user agent that wants to be registered is, or has to prove a password first."""
