"""Operations on calls that are up: hold, and transfers asked for by us or by the peer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from hookswitch.errors import Conflict
from hookswitch.legs.leg import Leg

from .model import ApiModel
from .operation import Answer, Operation

if TYPE_CHECKING:
    from hookswitch.switch import Switch

Ids = Mapping[str, str]


def one_line(text: str) -> str:
    """Check that a text can stand in a status line."""
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


Phrase = Annotated[str, AfterValidator(one_line)]


class TransferLeg(ApiModel):
    """Whom a leg is transferred to."""

    target: str = Field(
        description='SIP URI to transfer the call to, such as "sip:bob@example.com"'
    )
    replaces_leg_id: str | None = Field(
        None, description="Connected leg whose place the transferred one takes (attended transfer)"
    )


class TransferProgress(ApiModel):
    """How a transfer goes that the peer asked for."""

    status_code: int = Field(ge=100, le=199, description="SIP status, such as 180")
    reason: Phrase | None = Field(None, description="Reason phrase; default the usual one")


class TransferOutcome(ApiModel):
    """How a transfer ended that the peer asked for."""

    success: bool = Field(description="Whether the other party answered")
    status_code: int | None = Field(
        None, ge=200, le=699, description="SIP status; default 200, or 503 without success"
    )
    reason: Phrase | None = Field(None, description="Reason phrase; default the usual one")

    @model_validator(mode="after")
    def _fits(self) -> TransferOutcome:
        if self.status_code is not None and (self.status_code < 300) is not self.success:
            raise ValueError("status_code: 200 to 299 with success, 300 to 699 without")
        return self

    @property
    def status(self) -> int:
        return self.status_code or (200 if self.success else 503)


class TransferRefusal(ApiModel):
    """Why a transfer is not carried out that the peer asked for."""

    code: int = Field(603, ge=300, le=699, description="SIP status")
    reason: Phrase | None = Field(None, description="Reason phrase; default the usual one")


def _answered(leg: Leg) -> Leg:
    if not leg.is_answered:
        raise Conflict(f"leg {leg.id} is not connected but {leg.state}")
    return leg


async def hold_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    leg = switch.legs.get(ids["id"])
    leg.call.hold()
    return {"status": "holding"}


async def unhold_leg(switch: Switch, ids: Ids, request: None) -> Answer:
    leg = switch.legs.get(ids["id"])
    leg.call.unhold()
    return {"status": "unholding"}


async def transfer_leg(switch: Switch, ids: Ids, request: TransferLeg) -> Answer:
    leg = _answered(switch.legs.get(ids["id"]))
    replaces = None
    if request.replaces_leg_id is not None:
        replaces = switch.legs.find(request.replaces_leg_id)
        if replaces is None or replaces is leg or not replaces.is_answered:
            raise Conflict("replaces_leg_id: names no other connected leg")
    leg.call.transfer(request.target, replaces)
    return {"status": "transfer_initiated"}


async def accept_transfer(switch: Switch, ids: Ids, request: None) -> Answer:
    switch.legs.get(ids["id"]).call.accept_transfer()
    return {"status": "transfer_accepted"}


async def report_progress(switch: Switch, ids: Ids, request: TransferProgress) -> Answer:
    call = switch.legs.get(ids["id"]).call
    call.report_transfer(request.status_code, request.reason)
    return {"status": "transfer_progress"}


async def complete_transfer(switch: Switch, ids: Ids, request: TransferOutcome) -> Answer:
    switch.legs.get(ids["id"]).call.report_transfer(request.status, request.reason)
    return {"status": "transfer_completed" if request.success else "transfer_failed"}


async def decline_transfer(switch: Switch, ids: Ids, request: TransferRefusal) -> Answer:
    switch.legs.get(ids["id"]).call.decline_transfer(request.code, request.reason)
    return {"status": "transfer_declined"}


_NOT_FOUND = {404: "Leg not found"}
_HOLD = {
    400: "Not a SIP leg",
    **_NOT_FOUND,
    409: "Hold not supported for this leg type, or the leg is not in a state for it",
}
_TRANSFER = {
    400: "Missing or invalid target URI",
    **_NOT_FOUND,
    409: "Leg not connected, not a SIP leg, or replaces_leg_id is invalid",
}
_DECIDE = {**_NOT_FOUND, 409: "The peer of this leg waits for no such decision"}


def call_control_operations() -> list[Operation]:
    """All of them."""
    hold, transfer = "/legs/{id}/hold", "/legs/{id}/transfer"
    return [
        Operation("hold_leg", "POST", hold, hold_leg, "Put a SIP call on hold", None, 202, _HOLD),
        Operation("unhold_leg", "DELETE", hold, unhold_leg, "Resume a held SIP call", None, 202,
                  _HOLD),
        Operation("leg_transfer", "POST", transfer, transfer_leg, "Transfer a SIP leg",
                  TransferLeg, 202, _TRANSFER),
        Operation("leg_transfer_accept", "POST", f"{transfer}/accept", accept_transfer,
                  "Take on a transfer that the peer asked for", None, 202, _DECIDE),
        Operation("leg_transfer_progress", "POST", f"{transfer}/progress", report_progress,
                  "Tell the peer how its transfer goes", TransferProgress, 202, _DECIDE),
        Operation("leg_transfer_complete", "POST", f"{transfer}/complete", complete_transfer,
                  "Tell the peer how its transfer ended", TransferOutcome, 202, _DECIDE),
        Operation("leg_transfer_decline", "POST", f"{transfer}/decline", decline_transfer,
                  "Refuse a transfer that the peer asked for", TransferRefusal, 202, _DECIDE),
    ]  # fmt: skip
