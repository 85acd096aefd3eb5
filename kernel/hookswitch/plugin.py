"""What plugins import: everything a plugin may use is named here or in a module named here.

`hookswitch.mixer.bank` and `hookswitch.codecs.base` are the contracts of banks and codecs,
`hookswitch.media.plane` opens ports, `hookswitch.websocket` and `hookswitch.api.asgi_socket` carry
audio over WebSockets, `hookswitch.testing` tests plugins.
"""

from __future__ import annotations

from dataclasses import dataclass

import pluggy

from hookswitch.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HookswitchError,
    NotFound,
    NotSupported,
    OperationFailed,
    Unavailable,
)
from hookswitch.events.legs import (
    LegTransferCompleted,
    LegTransferFailed,
    LegTransferInitiated,
    LegTransferProgressed,
    LegTransferRequested,
    OfferedCodec,
    Quality,
)
from hookswitch.events.media import AnsweringMachineBeeped, AnsweringMachineJudged
from hookswitch.events.model import Event
from hookswitch.events.record import WebhookTarget
from hookswitch.legs.call import Call
from hookswitch.legs.identity import CallerIdentity
from hookswitch.legs.leg import Leg, LegOptions
from hookswitch.legs.state import LegState
from hookswitch.operations.model import ApiModel, parse
from hookswitch.operations.operation import Operation
from hookswitch.recording.storage import Storage
from hookswitch.registration import (
    AcceptRegistration,
    ChallengeRegistration,
    RegistrationAttempt,
    RegistrationDecision,
    RejectRegistration,
)
from hookswitch.settings import Settings, load
from hookswitch.switch import Switch
from hookswitch.transports import CreateLeg, Transport

hookimpl = pluggy.HookimplMarker("hookswitch")

PUBLIC_MODULES = (
    "hookswitch.plugin",
    "hookswitch.api.asgi_socket",
    "hookswitch.codecs.base",
    "hookswitch.codecs.crew",
    "hookswitch.media.messages",
    "hookswitch.media.plane",
    "hookswitch.media.supervisor",
    "hookswitch.mixer.bank",
    "hookswitch.mixer.commands",
    "hookswitch.mixer.fade",
    "hookswitch.mixer.playout",
    "hookswitch.mixer.processors",
    "hookswitch.mixer.resample",
    "hookswitch.mixer.speech",
    "hookswitch.mixer.topology",
    "hookswitch.recording.storage",
    "hookswitch.settings",
    "hookswitch.testing",
    "hookswitch.websocket.pcm",
    "hookswitch.websocket.session",
    "hookswitch.websocket.socket",
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Turn an inbound leg away; ``reason`` is a CDR reason the transport can express."""

    reason: str = "rejected"


@dataclass(frozen=True, slots=True)
class Route:
    """Answer an inbound leg at once, and put it into a room if one is named."""

    room_id: str | None = None


__all__ = [
    "PUBLIC_MODULES",
    "AcceptRegistration",
    "AnsweringMachineBeeped",
    "AnsweringMachineJudged",
    "ApiModel",
    "BadRequest",
    "Call",
    "CallerIdentity",
    "ChallengeRegistration",
    "Conflict",
    "CreateLeg",
    "Event",
    "Forbidden",
    "HookswitchError",
    "Leg",
    "LegOptions",
    "LegState",
    "LegTransferCompleted",
    "LegTransferFailed",
    "LegTransferInitiated",
    "LegTransferProgressed",
    "LegTransferRequested",
    "NotFound",
    "NotSupported",
    "OfferedCodec",
    "Operation",
    "OperationFailed",
    "Quality",
    "Refusal",
    "RegistrationAttempt",
    "RegistrationDecision",
    "RejectRegistration",
    "Route",
    "Settings",
    "Storage",
    "Switch",
    "Transport",
    "Unavailable",
    "WebhookTarget",
    "hookimpl",
    "load",
    "parse",
]
