"""``GET /legs/{id}/sip``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from hookswitch.plugin import ApiModel, Operation, Switch

from .witness import LadderWitness


class SipMessage(ApiModel):
    """One SIP message as it went over the wire."""

    timestamp: str = Field(description="When, RFC 3339 with microseconds")
    direction: Literal["sent", "received"] = Field(description="From the server's side")
    transport: Literal["udp", "tcp", "tls"] = Field(description="How")
    local: str = Field(description="Our address and port, as announced")
    remote: str = Field(description="The other side's address and port")
    first_line: str = Field(description="Request line or status line")
    text: str = Field(description="The whole message with its body; credentials are hidden")


class SipLadder(ApiModel):
    """The SIP messages of a leg."""

    leg_id: str = Field(description="The leg")
    call_id: str = Field(
        description="Its Call-ID; of a call to several targets the one that was answered, before "
        "that the first one's"
    )
    ended: bool = Field(description="Whether the leg is over")
    omitted: int = Field(description="Messages no longer held: of a long call, those in its middle")
    messages: list[SipMessage] = Field(
        description="In order of time, retransmissions included, those of all targets of the call"
    )


def ladder_operation(witness: LadderWitness) -> Operation:
    """The operation that shows ladders."""

    async def get_leg_sip(switch: Switch, ids: Mapping[str, str], request: None) -> dict[str, Any]:
        return witness.ladder(ids["id"])

    return Operation(
        "get_leg_sip",
        "GET",
        "/legs/{id}/sip",
        get_leg_sip,
        "Get the SIP messages of a leg, up to an hour after its end",
        errors={404: "Not a SIP leg of the last hour"},
        answer=SipLadder,
    )
