"""Operations SIP adds to the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hookswitch.plugin import BadRequest, Conflict, LegState, Operation, Switch

from .demands import ChallengeCaller
from .inbound import InboundSipCall


async def challenge_leg(
    switch: Switch, ids: Mapping[str, str], request: ChallengeCaller
) -> Mapping[str, Any]:
    leg = switch.legs.get(ids["id"])
    if not isinstance(leg.call, InboundSipCall):
        raise BadRequest(f"leg {leg.id} is not a SIP inbound leg")
    if leg.state is not LegState.RINGING:
        raise Conflict(f"leg {leg.id} is not in ringing state but {leg.state}")
    leg.call.challenge(request)
    return {"status": "challenging"}


def leg_operations() -> Sequence[Operation]:
    """What can be done with legs."""
    return [
        Operation(
            "challenge_leg",
            "POST",
            "/legs/{id}/challenge",
            challenge_leg,
            "Ask the caller of a ringing inbound SIP leg for a password",
            ChallengeCaller,
            202,
            {
                400: "Not a SIP inbound leg, or invalid body",
                404: "Leg not found",
                409: "Leg is not in ringing state",
            },
        )
    ]
