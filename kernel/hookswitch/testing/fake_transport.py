"""A transport in memory: calls whose far end does what a test says.

fake = FakePlugin()
async with run_switch(tmp_path, fake) as server:
    call = fake.transport.receive()          # somebody calls
    call.says(tone(440, rate=call.rate))
    await call.answers()
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from hookswitch.media.plane import RingPort
from hookswitch.mixer.bank import Samples, frame_samples
from hookswitch.plugin import (
    BadRequest,
    Call,
    CreateLeg,
    Leg,
    LegOptions,
    LegState,
    OfferedCodec,
    Switch,
    Transport,
    hookimpl,
)

from .memory_bank import Voice, silence
from .recorder import PATIENCE

AHEAD = 4
"""Frames of 20 ms that the far end is ahead: a test that has its turn late is heard without a gap.
"""

ANSWERS = "answers"
"""Dial this and the far end answers at once; any other number rings."""


class CreateFakeLeg(CreateLeg):
    """Dial the far end."""

    type: Literal["fake"]
    to: str = Field(description=f'"{ANSWERS}" answers, anything else rings')
    from_: str | None = Field(None, alias="from", description="Who calls")
    sample_rate: Literal[8000, 16000, 24000, 48000] = Field(16000, description="Of its audio")


class FakeCall(Call):
    """Both ends of a call: notes what the kernel asks of it, and does what a test says."""

    def __init__(self, switch: Switch, leg: Leg, rate: int, codecs: Sequence[str] = ()) -> None:
        self.leg, self.rate, self.codecs = leg, rate, tuple(codecs)
        self.asked: list[tuple[str, Any]] = []
        """What the kernel asked of this call, in order."""
        self.digits = self.text = ""
        """What the kernel sent to the far end."""
        self.no_media: str | None = None
        """Why media cannot be opened, if that is so."""
        self.takes_digits = self.takes_texts = True
        self.stubborn = False
        """Whether the far end does not react to being hung up."""
        self.released = 0
        self._switch = switch
        self._port: RingPort | None = None
        self._voice: Voice = silence
        self._frame = 0
        self._heard: list[Samples] = []
        self._progress = asyncio.Event()

    # -- what the kernel asks

    def answer(self, codec: str | None) -> None:
        self._check_codec(codec)
        self.asked.append(("answer", codec))
        self._switch.spawn(self.answers())

    def ring(self) -> None:
        self.asked.append(("ring", None))

    def early_media(self, codec: str | None) -> None:
        self._check_codec(codec)
        self.asked.append(("early_media", codec))
        self._switch.spawn(self.starts_early_media())

    def hold(self) -> None:
        self.asked.append(("hold", None))
        self.leg.held("us")

    def unhold(self) -> None:
        self.asked.append(("unhold", None))
        self.leg.unheld("us")

    def transfer(self, target: str, replaces: Leg | None) -> None:
        self.asked.append(("transfer", (target, replaces and replaces.id)))

    def accept_transfer(self) -> None:
        self.asked.append(("accept_transfer", None))

    def report_transfer(self, status: int, reason: str | None) -> None:
        self.asked.append(("report_transfer", (status, reason)))

    def decline_transfer(self, status: int, reason: str | None) -> None:
        self.asked.append(("decline_transfer", (status, reason)))

    def hang_up(self, reason: str) -> None:
        self.asked.append(("hang_up", reason))
        if not self.stubborn:
            self._switch.spawn(self.leg.disconnected(reason))

    def release(self) -> None:
        self.released += 1
        self._port = None

    def send_dtmf(self, digits: str) -> None:
        if not self.takes_digits:
            super().send_dtmf(digits)
        self.digits += digits

    def send_text(self, text: str) -> None:
        if not self.takes_texts:
            super().send_text(text)
        self.text += text

    @property
    def takes_dtmf(self) -> bool:
        return self.takes_digits

    @property
    def takes_text(self) -> bool:
        return self.takes_texts

    # -- what the far end does

    async def answers(self) -> None:
        """Pick up; or the media fails, and that is reported."""
        if await self._open_media("answer"):
            await self.leg.connected()

    async def starts_early_media(self) -> None:
        """Let the caller hear something before the call is answered."""
        if await self._open_media("early_media"):
            await self.leg.early_media_started()

    async def hangs_up(self, reason: str = "remote_bye") -> None:
        """End the call."""
        await self.leg.disconnected(reason)

    def presses(self, digits: str) -> None:
        """Press keys."""
        for digit in digits:
            self.leg.digit_received(digit)

    def writes(self, text: str) -> None:
        """Write text."""
        self.leg.text_received(text)

    def says(self, voice: Voice) -> None:
        """Speak from the next frame on."""
        self._voice = voice

    @property
    def heard(self) -> Samples:
        """All that was heard so far, in the scale of 16-bit PCM."""
        return np.concatenate([np.zeros(0, np.float32), *self._heard])

    async def hears(self, seconds: float) -> Samples:
        """What is heard from now on, this long."""
        start = len(self.heard)
        await self.until(lambda heard: len(heard) >= start + seconds * self.rate)
        return self.heard[start:]

    async def until(self, condition: Callable[[Samples], bool]) -> Samples:
        """Listen until a condition holds of all that was heard; answers that."""
        async with asyncio.timeout(PATIENCE):
            while not condition(heard := self.heard):
                self._progress.clear()
                await self._progress.wait()
        return heard

    # -- within

    async def _open_media(self, command: str) -> bool:
        if self.no_media is not None:
            self.leg.command_failed(command, self.no_media)
            return False
        if self._port is None:
            port = await self._switch.media.open_ring(
                self.leg.id, self.rate, self.leg.on_report, self._on_heard, jitter_ms=20 * AHEAD
            )
            if self.leg.state is LegState.HUNG_UP:  # meanwhile, when it had no port to close
                await self._switch.media.close_port(self.leg.id)
                return False
            self._port = port
            for _ in range(AHEAD):
                self._say_frame()
            await self.leg.media_ready(self.leg.id)
        return True

    def _on_heard(self) -> None:
        if self._port is None:
            return
        heard = self._port.read()
        self._heard.append(heard.astype(np.float32))
        for _ in range(len(heard) // frame_samples(self.rate)):
            self._say_frame()
        self._progress.set()

    def _say_frame(self) -> None:
        if self._port is not None:
            frame = self._voice(self._frame, frame_samples(self.rate))
            self._port.write(np.rint(frame).astype(np.int16))
            self._frame += 1

    def _check_codec(self, codec: str | None) -> None:
        if codec is not None and codec not in self.codecs:
            raise BadRequest(f"codec: {codec} is not in the offer ({', '.join(self.codecs)})")


class FakeTransport(Transport):
    """Legs without a network."""

    name = "fake"
    leg_types = ("fake_in", "fake_out")
    request = CreateFakeLeg

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self.calls: dict[str, FakeCall] = {}
        """By the id of the leg."""
        self.is_draining = False

    def drain(self) -> None:
        self.is_draining = True

    async def originate(self, request: CreateFakeLeg) -> Leg:
        leg = self._switch.create_leg("fake_out", request.options())
        call = self._add(leg, request.sample_rate)
        leg.ringing(uri=request.to, caller=request.from_)
        if request.to == ANSWERS:
            self._switch.spawn(call.answers())
        return leg

    def receive(
        self,
        leg_type: str = "fake_in",
        options: LegOptions | None = None,
        *,
        codecs: Sequence[str] = ("PCMU", "PCMA"),
        rate: int = 16000,
    ) -> FakeCall:
        """Somebody calls. ``leg_type`` sip_inbound stands in for a SIP call."""
        leg = self._switch.create_leg(leg_type, options or LegOptions())
        call = self._add(leg, rate, codecs)
        if (reason := self._switch.admit(leg)) is not None:
            leg.hang_up(reason)
            return call
        leg.ringing(
            caller="alice",
            to="bob",
            offered_codecs=tuple(
                OfferedCodec(name, payload_type, 8000, payload_type)
                for payload_type, name in enumerate(codecs)
            ),
            source_address="192.0.2.1:5060",
        )
        if self._switch.route(leg):
            call.answer(None)
        return call

    def metrics(self) -> dict[str, float]:
        return {"fake_calls_total": float(len(self.calls))}

    def _add(self, leg: Leg, rate: int, codecs: Sequence[str] = ()) -> FakeCall:
        call = self.calls[leg.id] = FakeCall(self._switch, leg, rate, codecs)
        leg.call = call
        return call


class FakePlugin:
    """Offers the transport to one switch, and keeps it for the test."""

    def __init__(self) -> None:
        self.transport: FakeTransport

    @hookimpl
    def register_transports(self, switch: Switch) -> list[Transport]:
        self.transport = FakeTransport(switch)
        return [self.transport]
