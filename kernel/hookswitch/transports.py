"""Transports: what a plugin implements to bring a kind of legs.

The kernel knows transports only through `Transport`; how a call is signalled and where its audio
comes from is theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, HttpUrl, field_validator

from hookswitch.events.record import WebhookTarget
from hookswitch.legs.leg import Leg, LegOptions
from hookswitch.operations.model import ApiModel
from hookswitch.rooms.room import check_room_id

LONGEST = 2**31 - 1
"""Seconds; a timer cannot be set for any number JSON can write."""


class CreateLeg(ApiModel):
    """The fields of ``POST /legs`` that every transport shares; subclass it to add its own.

    The subclass declares ``type: Literal["…"]``.
    """

    type: str = Field(description="Leg type")
    ring_timeout: int = Field(
        0, ge=0, le=LONGEST, description="Seconds to wait for answer; 0 = no timeout"
    )
    max_duration: int = Field(
        0,
        ge=0,
        le=LONGEST,
        description="Seconds after connect at which the call is hung up; 0 = no limit",
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Custom headers sent with the call set-up"
    )
    room_id: str | None = Field(
        None, description="Room to join as soon as media is ready; created if it does not exist"
    )
    webhook_url: HttpUrl | None = Field(
        None, description="All events of this leg go to this URL instead of the global one"
    )
    webhook_secret: str | None = Field(None, description="Signs what goes to webhook_url")
    amd: dict[str, Any] | None = Field(
        None,
        description="Detect answering machines once the call is answered: what "
        "POST /legs/{id}/amd takes, or an empty object for its defaults",
    )
    accept_dtmf: bool = Field(True, description="Receive digits of other legs in the room")
    gain_db: float = Field(
        0.0, ge=-96, le=24, description="How much louder everybody hears this leg, in dB"
    )
    app_id: str | None = Field(None, description="Carried through to all events of this leg")
    speech_detection: bool | None = Field(
        None, description="Emit speaking events; default SPEECH_DETECTION_ENABLED"
    )

    @field_validator("room_id")
    @classmethod
    def _can_be_a_room(cls, room_id: str | None) -> str | None:
        if room_id is not None:
            check_room_id(room_id)
        return room_id

    @field_validator("headers")
    @classmethod
    def _no_line_breaks(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not name or any(c in name + value for c in "\r\n\0") or ":" in name.strip():
                raise ValueError(f"header {name!r} is not valid")
        return headers

    def options(self) -> LegOptions:
        """The leg this request describes."""
        url = self.webhook_url
        return LegOptions(
            app_id=self.app_id,
            room_id=self.room_id,
            webhook=WebhookTarget(str(url), self.webhook_secret) if url else None,
            accept_dtmf=self.accept_dtmf,
            gain_db=float(self.gain_db),
            speech_detection=self.speech_detection,
            max_duration=self.max_duration,
            ring_timeout=self.ring_timeout,
            headers=self.headers,
            amd=self.amd,
        )


class Transport(ABC):
    """A kind of legs."""

    name: ClassVar[str]
    """The ``type`` of ``POST /legs`` it serves."""

    leg_types: ClassVar[tuple[str, ...]]
    """The types its legs have, such as ``sip_inbound``."""

    request: type[CreateLeg]
    """The model of ``POST /legs`` for this transport."""

    async def start(self) -> None:
        """Open sockets and begin to accept calls. Raises OSError or SettingsError."""

    async def stop(self) -> None:
        """Close everything; all legs are over."""

    def drain(self) -> None:
        """Refuse new calls from now on, politely."""

    @abstractmethod
    async def originate(self, request: Any) -> Leg:
        """Begin an outbound call: validate, create the leg, dial in the background.

        Raises BadRequest when it cannot be dialled.
        """

    def metrics(self) -> Mapping[str, float]:
        """Counters to export, by name (``sip_retransmissions_total``)."""
        return {}
