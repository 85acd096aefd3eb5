"""Detections: one ear per leg that is listened to, from its start to its verdict or its beep."""

from __future__ import annotations

import uuid
from functools import partial

from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch.mixer.commands import Connect
from hookswitch.mixer.topology import CommandError
from hookswitch.plugin import (
    AnsweringMachineBeeped,
    AnsweringMachineJudged,
    Conflict,
    Leg,
    LegState,
    Switch,
)

from .limits import Limits
from .voice import RATE

BANK = "hookswitch_amd.bank:AmdBank"


class Detections:
    """Those of one switch."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._ears: dict[str, str] = {}
        """Id of the leg -> port that listens to it."""

    async def start(self, leg: Leg, limits: Limits) -> None:
        """Listen to a connected leg; a detection that runs already ends without a verdict.

        Raises Conflict when the leg is not connected.
        """
        async with leg.moving:
            self.end(leg)
            if leg.state is not LegState.CONNECTED or leg.port is None:
                raise Conflict(f"leg {leg.id} is not in connected state but {leg.state}")
            ear = self._ears[leg.id] = f"amd-{uuid.uuid4()}"
            try:
                await self._listen(leg, leg.port, ear, limits)
            except CommandError as error:
                self.end(leg)
                raise Conflict(f"leg {leg.id} cannot be listened to: {error}") from None

    def end(self, leg: Leg) -> None:
        """Listen to this leg no longer."""
        if (ear := self._ears.pop(leg.id, None)) is not None:
            self._switch.spawn(self._switch.media.close_port(ear))

    async def _listen(self, leg: Leg, port: str, ear: str, limits: Limits) -> None:
        spec = PortSpec(ear, RATE, BANK, limits.params(), comfort_noise=False, speaks=False)
        await self._switch.media.open_port(spec, partial(self._heard, leg), near=port)
        await self._switch.media.apply_to(port, Connect(port, ear, "says"))

    def _heard(self, leg: Leg, report: PortReport) -> None:
        if self._ears.get(leg.id) != report.port:
            return  # of a detection that was replaced, or of a leg that is over
        if report.kind == "verdict":
            data = {k: v for k, v in report.data.items() if k != "waits"}
            leg.emit(AnsweringMachineJudged(leg_id=leg.id, **data))
            if report.data["waits"]:
                return
        elif report.kind == "beep":
            leg.emit(AnsweringMachineBeeped(leg_id=leg.id, **report.data))
        elif report.kind == "closed":
            leg.log.warning("answering machine detection failed: %s", report.data.get("error"))
        self.end(leg)
