"""Detections: one ear per leg that is listened to, from its start to its verdict or its beep.

The ear is opened again when the media worker dies, or the leg goes to another one. What it had
heard is lost then; how far the detection has come is not: it is kept here and in the ear's
specification. The times of a verdict count from when the ear was opened last.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import dataclass, field
from functools import partial

from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch.mixer.commands import Connect, UpdatePort
from hookswitch.mixer.topology import CommandError
from hookswitch.plugin import (
    AnsweringMachineBeeped,
    AnsweringMachineJudged,
    Conflict,
    Leg,
    LegState,
    Switch,
)

from .limits import Limits, Resumes
from .voice import RATE

BANK = "hookswitch_amd.bank:AmdBank"


@dataclass(slots=True)
class _Detection:
    ear: str = field(default_factory=lambda: f"amd-{uuid.uuid4()}")
    """The port that listens."""
    judged_at: float | None = None
    """When the verdict was heard of, in seconds of the monotonic clock."""


class Detections:
    """Those of one switch."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._running: dict[str, _Detection] = {}
        """By the id of the leg."""

    async def start(self, leg: Leg, limits: Limits) -> None:
        """Listen to a connected leg; a detection that runs already ends without a verdict.

        Raises Conflict when the leg is not connected.
        """
        async with leg.moving:
            self.end(leg)
            if leg.state is not LegState.CONNECTED or leg.port is None:
                raise Conflict(f"leg {leg.id} is not in connected state but {leg.state}")
            detection = self._running[leg.id] = _Detection()
            try:
                await self._listen(leg, leg.port, detection.ear, limits)
            except CommandError as error:
                self.end(leg)
                raise Conflict(f"leg {leg.id} cannot be listened to: {error}") from None

    def end(self, leg: Leg) -> None:
        """Listen to this leg no longer."""
        if (detection := self._running.pop(leg.id, None)) is not None:
            self._switch.spawn(self._switch.media.close_port(detection.ear))

    async def _listen(self, leg: Leg, port: str, ear: str, limits: Limits) -> None:
        params = {**limits.params(), **Resumes.NOTHING.params()}
        spec = PortSpec(ear, RATE, BANK, params, comfort_noise=False, speaks=False)
        await self._switch.media.open_port(spec, partial(self._heard, leg), near=port)
        resumes = UpdatePort(ear, Resumes.LISTENING.params())
        await self._switch.media.apply_to(port, Connect(port, ear, "says"), resumes)

    def _heard(self, leg: Leg, report: PortReport) -> None:
        detection = self._running.get(leg.id)
        if detection is None or detection.ear != report.port:
            return  # of a detection that was replaced, or of a leg that is over
        if report.kind == "verdict":
            self._judge(leg, detection, report)
            if report.data["waits"]:
                return
        elif report.kind == "moves":
            self._switch.spawn(self._begin_anew(leg, report.port))
            return
        elif report.kind == "beep":
            beep_ms = _beep_ms(detection, report)
            leg.emit(AnsweringMachineBeeped(leg_id=leg.id, beep_ms=beep_ms))
        elif report.kind == "closed":
            leg.log.warning("answering machine detection failed: %s", report.data.get("error"))
        self.end(leg)

    def _judge(self, leg: Leg, detection: _Detection, report: PortReport) -> None:
        if detection.judged_at is not None:
            return  # an ear that was opened again before it could be told what it resumes
        detection.judged_at = time.monotonic()
        data = {k: v for k, v in report.data.items() if k != "waits"}
        leg.emit(AnsweringMachineJudged(leg_id=leg.id, **data))
        if report.data["waits"]:
            self._switch.spawn(self._remember_to_wait(detection.ear))

    async def _begin_anew(self, leg: Leg, ear: str) -> None:
        """Nothing was missed when the leg went to a room of another media worker."""
        async with leg.moving:
            detection = self._running.get(leg.id)
            if detection is None or detection.ear != ear or detection.judged_at is not None:
                return
            resumes = [Resumes.NOTHING, Resumes.LISTENING]  # this ear, and the next
            with contextlib.suppress(CommandError):  # it is closed already
                await self._switch.media.apply_to(
                    ear, *(UpdatePort(ear, each.params()) for each in resumes)
                )

    async def _remember_to_wait(self, ear: str) -> None:
        """Whoever opens the ear again must not judge."""
        with contextlib.suppress(CommandError):  # it is closed already
            await self._switch.media.apply_to(ear, UpdatePort(ear, Resumes.WAITING.params()))


def _beep_ms(detection: _Detection, report: PortReport) -> int:
    """From the verdict to the beginning of the beep, in milliseconds, also when the ear that heard
    it is not the one that judged."""
    if "beep_ms" in report.data:
        return int(report.data["beep_ms"])
    assert detection.judged_at is not None
    since_ms = round((time.monotonic() - detection.judged_at) * 1000)
    return max(0, since_ms - int(report.data["ago_ms"]))
