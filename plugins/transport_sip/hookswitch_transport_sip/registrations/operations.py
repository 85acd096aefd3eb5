"""Operations on registrations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from hookswitch.plugin import (
    AcceptRegistration,
    ApiModel,
    ChallengeRegistration,
    NotFound,
    Operation,
    RegistrationDecision,
    RejectRegistration,
    Switch,
)
from hookswitch_transport_sip.demands import ChallengeCaller
from hookswitch_transport_sip.settings import LONGEST, one_line

from .service import Registrations
from .views import binding_view

Answer = Mapping[str, Any]
Ids = Mapping[str, str]
Handler = Callable[[Switch, Ids, Any], Awaitable[Answer]]

_MAX_EXPIRES = "Seconds the registration lasts at most; never less than the registrar's minimum"


class ChallengeAttempt(ChallengeCaller):
    """Whose password a user agent has to know."""

    max_expires: int | None = Field(None, ge=1, le=LONGEST, description=_MAX_EXPIRES)


class AcceptAttempt(ApiModel):
    """How a user agent is registered."""

    max_expires: int | None = Field(None, ge=1, le=LONGEST, description=_MAX_EXPIRES)


class RejectAttempt(ApiModel):
    """How a user agent is refused."""

    status_code: int = Field(403, ge=400, le=699, description="The response to its REGISTER")
    reason: Annotated[str, AfterValidator(one_line)] | None = Field(
        None, description="Reason phrase; default the usual one"
    )


class RemoveRegistration(ApiModel):
    """Which contacts are taken away."""

    contact: str | None = Field(None, description="Only this one; default all of the user")


def registration_operations(registrations: Registrations) -> Sequence[Operation]:
    """All of them."""

    async def list_registrations(switch: Switch, ids: Ids, request: None) -> Answer:
        return _view(registrations, None)

    async def get_registration(switch: Switch, ids: Ids, request: None) -> Answer:
        found = _view(registrations, ids["aor"])
        if not found["bindings"]:
            raise NotFound(f"registration {ids['aor']} not found")
        return found

    async def delete_registration(switch: Switch, ids: Ids, request: RemoveRegistration) -> Answer:
        await registrations.remove(ids["aor"], request.contact)
        return {"status": "unbound"}

    one = "/sip/registrations/{aor}"
    attempt = "/sip/registrations/attempts/{id}"
    undecided = {404: "No such attempt, or it has been decided"}
    return [
        Operation("list_sip_registrations", "GET", "/sip/registrations", list_registrations,
                  "List registered contacts", tag="sip"),
        Operation("get_sip_registration", "GET", one, get_registration,
                  "List the contacts of a user, by address of record or contact's id",
                  errors={404: "Nobody is registered as this"}, tag="sip"),
        Operation("delete_sip_registration", "DELETE", one, delete_registration,
                  "Unregister a user, or one contact", RemoveRegistration,
                  errors={404: "Nobody is registered as this"}, tag="sip"),
        Operation("challenge_registration", "POST", f"{attempt}/challenge",
                  _decision(registrations, _challenge, "challenging"),
                  "Ask a user agent that wants to be registered for a password",
                  ChallengeAttempt, 202, undecided, tag="sip"),
        Operation("accept_registration", "POST", f"{attempt}/accept",
                  _decision(registrations, _accept, "accepted"),
                  "Register a user agent", AcceptAttempt, 202, undecided, tag="sip"),
        Operation("reject_registration", "POST", f"{attempt}/reject",
                  _decision(registrations, _reject, "rejected"),
                  "Refuse to register a user agent", RejectAttempt, 202, undecided, tag="sip"),
    ]  # fmt: skip


def _view(registrations: Registrations, name: str | None) -> Answer:
    found = registrations.bindings(name)
    return {"bindings": [binding_view(binding, registrations.offset) for binding in found]}


def _decision(
    registrations: Registrations, decide: Callable[[Any], RegistrationDecision], status: str
) -> Handler:
    async def handler(switch: Switch, ids: Ids, request: Any) -> Answer:
        registrations.decide(ids["id"], decide(request))
        return {"status": status}

    return handler


def _challenge(request: ChallengeAttempt) -> RegistrationDecision:
    return ChallengeRegistration(
        password=request.password,
        ha1=request.ha1,
        username=request.username,
        realm=request.realm,
        algorithm=request.algorithm,
        max_expires=request.max_expires,
    )


def _accept(request: AcceptAttempt) -> RegistrationDecision:
    return AcceptRegistration(request.max_expires)


def _reject(request: RejectAttempt) -> RegistrationDecision:
    return RejectRegistration(request.status_code, request.reason)
