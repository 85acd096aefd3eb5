"""What the kernel is offered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hookswitch.plugin import (
    BadRequest,
    Conflict,
    Leg,
    Operation,
    Switch,
    hookimpl,
    parse,
)

from .detections import BANK, Detections
from .params import DetectMachine


class AmdPlugin:
    """Answering machine detection of one server."""

    def __init__(self) -> None:
        self._detections: Detections | None = None
        self._switch: Switch | None = None

    @hookimpl
    def register_banks(self) -> Sequence[str]:
        return [BANK]

    @hookimpl
    def register_operations(self, switch: Switch) -> Sequence[Operation]:
        self._switch, self._detections = switch, Detections(switch)
        errors = {
            400: "Invalid AMD params or not a SIP leg",
            404: "Leg not found",
            409: "Leg is not in connected state",
        }
        summary = "Start answering machine detection on a connected leg"
        path = "/legs/{id}/amd"
        return [Operation("leg_amd_start", "POST", path, self._start, summary, DetectMachine,
                          errors=errors)]  # fmt: skip

    @hookimpl
    def leg_connected(self, leg: Leg) -> None:
        if leg.options.amd is not None and self._switch is not None:
            self._switch.spawn(self._start_by_itself(leg, leg.options.amd))

    @hookimpl
    def leg_ended(self, leg: Leg) -> None:
        if self._detections is not None:
            self._detections.end(leg)

    async def _start(
        self, switch: Switch, ids: Mapping[str, str], request: DetectMachine
    ) -> Mapping[str, Any]:
        leg = switch.legs.get(ids["id"])
        if not leg.type.startswith("sip_"):
            raise BadRequest(f"leg {leg.id} is not a SIP leg")
        assert self._detections is not None
        await self._detections.start(leg, request.limits())
        return {"status": "started"}

    async def _start_by_itself(self, leg: Leg, fields: Mapping[str, Any]) -> None:
        request = parse(DetectMachine, dict(fields))
        assert isinstance(request, DetectMachine)
        assert self._detections is not None
        try:
            await self._detections.start(leg, request.limits())
        except Conflict as problem:
            leg.log.info("no answering machine detection: %s", problem)


plugin = AmdPlugin()
