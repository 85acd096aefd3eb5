"""Operations on legs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import Field, field_validator

from hookswitch.errors import BadRequest, Conflict
from hookswitch.legs.leg import Leg
from hookswitch.legs.state import LegState

from .model import ApiModel, Request
from .operation import Answer, Operation
from .views import leg_view

if TYPE_CHECKING:
    from hookswitch.switch import Switch

Ids = Mapping[str, str]

HangupReason = Literal[
    "busy", "declined", "rejected", "unavailable", "not_found", "forbidden", "server_error"
]

DTMF_DIGITS = frozenset("0123456789*#ABCDabcd,wW")
_PAUSES = str.maketrans({"w": ",", "W": ",,"})


MOST_TEXT = 4000
"""Characters of one request; at the usual 30 a second they take over two minutes to be written."""


class HangUp(ApiModel):
    """Why a leg is hung up; only an unanswered inbound SIP leg can tell its caller."""

    reason: str | None = Field(
        None,
        description="Selects the SIP final response; ignored once the leg is connected",
        json_schema_extra={"enum": [*get_args(HangupReason), None]},
    )


class AnswerLeg(ApiModel):
    """How a leg is answered."""

    codec: str | None = Field(None, description="One of the codecs the caller offered")
    speech_detection: bool | None = Field(None, description="Emit speaking events")


class EarlyMedia(ApiModel):
    """How early media is opened."""

    codec: str | None = Field(None, description="One of the codecs the caller offered")


class SendDtmf(ApiModel):
    """Digits to send."""

    digits: str = Field(
        max_length=256,
        description="0-9, *, #, A-D; a comma or w pauses for half a second, W for a second",
    )

    @field_validator("digits")
    @classmethod
    def _only_digits(cls, digits: str) -> str:
        if wrong := set(digits) - DTMF_DIGITS:
            raise ValueError(f"{''.join(sorted(wrong))!r} cannot be sent as DTMF")
        return digits

    @property
    def keys(self) -> str:
        """The digits in capitals; every pause is commas."""
        return self.digits.translate(_PAUSES).upper()


class SendText(ApiModel):
    """Real-time text to send."""

    text: str = Field(
        max_length=MOST_TEXT,
        description="One character or more; may hold T.140 control codes, such as U+0008 and CR LF",
    )


class SetRole(ApiModel):
    """A leg's role in its room's routing."""

    role: str = Field(description='New role; "" for none')

    @classmethod
    def keep_empty(cls) -> frozenset[str]:
        return frozenset({"role"})


class SetGain(ApiModel):
    """How loud a leg is."""

    gain_db: float = Field(ge=-96, le=24, description="How much louder everybody hears it, in dB")


def _unanswered_inbound_sip(leg: Leg, *states: LegState) -> None:
    if leg.type != "sip_inbound":
        raise BadRequest(f"leg {leg.id} is not a SIP inbound leg")
    if leg.state not in states:
        expected = " or ".join(states)
        raise Conflict(f"leg {leg.id} is not in {expected} state but {leg.state}")


async def list_legs(switch: Switch, ids: Ids, request: None) -> Answer:
    return [leg_view(leg) for leg in switch.legs]


async def create_leg(switch: Switch, ids: Ids, request: Any) -> Answer:
    return leg_view(await switch.originate(request))


async def get_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    return leg_view(switch.legs.get(ids["id"]))


async def delete_leg(switch: Switch, ids: Ids, request: HangUp) -> Answer:
    leg = switch.legs.get(ids["id"])
    reason = "api_hangup"
    if leg.is_unanswered:
        # not the model's business: of a connected leg, the whole body is ignored
        if request.reason not in (None, *get_args(HangupReason)):
            raise BadRequest(f"reason: must be one of {', '.join(get_args(HangupReason))}")
        if leg.is_inbound:
            sip_reason = request.reason if leg.type == "sip_inbound" else None
            reason = sip_reason or "caller_cancel"
    leg.hang_up(reason)
    return {"status": "hanging_up"}


async def answer_leg(switch: Switch, ids: Ids, request: AnswerLeg) -> Answer:
    leg = switch.legs.get(ids["id"])
    _unanswered_inbound_sip(leg, LegState.RINGING, LegState.EARLY_MEDIA)
    leg.call.answer(request.codec)
    await leg.detect_speech(request.speech_detection)
    return {"status": "answering"}


async def ring_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    leg = switch.legs.get(ids["id"])
    _unanswered_inbound_sip(leg, LegState.RINGING)
    leg.call.ring()
    return {"status": "ringing"}


async def early_media(switch: Switch, ids: Ids, request: EarlyMedia) -> Answer:
    leg = switch.legs.get(ids["id"])
    _unanswered_inbound_sip(leg, LegState.RINGING)
    leg.call.early_media(request.codec)
    return {"status": "early_media"}


async def mute_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    await switch.legs.get(ids["id"]).set_mute(True)
    return {"status": "muted"}


async def unmute_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    await switch.legs.get(ids["id"]).set_mute(False)
    return {"status": "unmuted"}


async def deaf_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    await switch.legs.get(ids["id"]).set_deaf(True)
    return {"status": "deaf"}


async def undeaf_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    await switch.legs.get(ids["id"]).set_deaf(False)
    return {"status": "undeaf"}


async def send_dtmf(switch: Switch, ids: Ids, request: SendDtmf) -> Answer:
    switch.legs.get(ids["id"]).call.send_dtmf(request.keys)
    return {"status": "sent"}


async def accept_dtmf(switch: Switch, ids: Ids, request: None) -> Answer:
    switch.legs.get(ids["id"]).accept_dtmf = True
    return {"status": "dtmf_accepting"}


async def reject_dtmf(switch: Switch, ids: Ids, request: None) -> Answer:
    switch.legs.get(ids["id"]).accept_dtmf = False
    return {"status": "dtmf_rejecting"}


async def send_text(switch: Switch, ids: Ids, request: SendText) -> Answer:
    switch.legs.get(ids["id"]).call.send_text(request.text)
    return {"status": "sent"}


async def accept_text(switch: Switch, ids: Ids, request: None) -> Answer:
    switch.legs.get(ids["id"]).accept_text = True
    return {"status": "rtt_accepting"}


async def reject_text(switch: Switch, ids: Ids, request: None) -> Answer:
    switch.legs.get(ids["id"]).accept_text = False
    return {"status": "rtt_rejecting"}


async def set_role(switch: Switch, ids: Ids, request: SetRole) -> Answer:
    leg = switch.legs.get(ids["id"])
    await leg.set_role(request.role)
    return leg_view(leg)


async def set_gain(switch: Switch, ids: Ids, request: SetGain) -> Answer:
    leg = switch.legs.get(ids["id"])
    await leg.set_gain(float(request.gain_db))
    return leg_view(leg)


_NOT_FOUND = {404: "Leg not found"}
_INBOUND = {400: "Not a SIP inbound leg, invalid body, or codec not in offer", **_NOT_FOUND}


def leg_operations(create: Request) -> list[Operation]:
    """All of them; ``create`` is the model of ``POST /legs``, the union of the transports'."""
    leg = "/legs/{id}"
    return [
        Operation("list_legs", "GET", "/legs", list_legs, "List all active legs"),
        Operation("create_leg", "POST", "/legs", create_leg, "Originate an outbound leg",
                  create, 201, {503: "The server drains or is overloaded, or nothing is left to "
                                     "carry the call over"}),
        Operation("get_leg", "GET", leg, get_leg, "Get a single leg", errors=_NOT_FOUND),
        Operation("delete_leg", "DELETE", leg, delete_leg, "Hang up a leg", HangUp, 202,
                  _NOT_FOUND),
        Operation("answer_leg", "POST", f"{leg}/answer", answer_leg,
                  "Answer a ringing or early-media inbound SIP leg", AnswerLeg, 202,
                  {**_INBOUND, 409: "Leg is not in ringing or early_media state"}),
        Operation("leg_ring", "POST", f"{leg}/ring", ring_leg,
                  "Send 180 Ringing on a ringing inbound SIP leg", None, 202,
                  {**_INBOUND, 409: "Leg is not in ringing state"}),
        Operation("leg_early_media", "POST", f"{leg}/early-media", early_media,
                  "Enable early media on a ringing inbound SIP leg", EarlyMedia, 202,
                  {**_INBOUND, 409: "Leg is not in ringing state"}),
        Operation("mute_leg", "POST", f"{leg}/mute", mute_leg, "Mute a leg", errors=_NOT_FOUND),
        Operation("unmute_leg", "DELETE", f"{leg}/mute", unmute_leg, "Unmute a leg",
                  errors=_NOT_FOUND),
        Operation("deaf_leg", "POST", f"{leg}/deaf", deaf_leg, "Have a leg hear nothing",
                  errors=_NOT_FOUND),
        Operation("undeaf_leg", "DELETE", f"{leg}/deaf", undeaf_leg, "Have a leg hear again",
                  errors=_NOT_FOUND),
        Operation("send_leg_dtmf", "POST", f"{leg}/dtmf", send_dtmf, "Send DTMF digits on a leg",
                  SendDtmf, errors={**_NOT_FOUND, 409: "Leg has no media yet",
                                    500: "DTMF writer unavailable"}),
        Operation("accept_leg_dtmf", "POST", f"{leg}/dtmf/accept", accept_dtmf,
                  "Enable DTMF reception on a leg", errors=_NOT_FOUND),
        Operation("reject_leg_dtmf", "POST", f"{leg}/dtmf/reject", reject_dtmf,
                  "Disable DTMF reception on a leg", errors=_NOT_FOUND),
        Operation("send_leg_rtt", "POST", f"{leg}/rtt", send_text,
                  "Send real-time text (T.140) on a leg", SendText,
                  errors={**_NOT_FOUND, 409: "Real-time text was not negotiated for this leg",
                          500: "Send failed"}),
        Operation("accept_leg_rtt", "POST", f"{leg}/rtt/accept", accept_text,
                  "Enable reception of real-time text on a leg", errors=_NOT_FOUND),
        Operation("reject_leg_rtt", "POST", f"{leg}/rtt/reject", reject_text,
                  "Disable reception of real-time text on a leg", errors=_NOT_FOUND),
        Operation("set_leg_role", "PATCH", f"{leg}/role", set_role, "Change a leg's routing role",
                  SetRole, errors=_NOT_FOUND),
        Operation("set_leg_gain", "PUT", f"{leg}/gain", set_gain,
                  "Set how loud everybody hears a leg", SetGain, errors=_NOT_FOUND),
    ]  # fmt: skip
