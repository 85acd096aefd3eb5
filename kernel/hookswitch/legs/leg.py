"""A leg: what is known of one side of a call, and what may happen to it.

Transports drive it with the verbs of the first part (`ringing`, `connected`, `disconnected`, …);
operations use those of the second (`mute`, `hang_up`, …). Everything runs on the event loop.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from hookswitch.errors import Conflict
from hookswitch.events.legs import (
    Cdr,
    DtmfReceived,
    LegCommandFailed,
    LegConnected,
    LegDeafened,
    LegDisconnected,
    LegEarlyMedia,
    LegHeld,
    LegMuted,
    LegRinging,
    LegRoleChanged,
    LegUndeafened,
    LegUnheld,
    LegUnmuted,
    OfferedCodec,
    Quality,
    RttReceived,
    SpeakingStarted,
    SpeakingStopped,
)
from hookswitch.events.model import Event
from hookswitch.events.record import WebhookTarget
from hookswitch.mixer.bank import PortReport
from hookswitch.mixer.commands import SetPort

from .call import Call
from .identity import UNKNOWN, CallerIdentity
from .log import logger_of
from .state import ANSWERED, UNANSWERED, LegState, may_become

if TYPE_CHECKING:
    from .registry import LegContext

HANGUP_GRACE = 10.0
"""Seconds a transport is given to report the end of a call it was told to hang up."""

LONGEST_HOLD = 2 * 3600.0
"""Seconds after which a call that is still on hold is hung up: nobody will come back to it."""

Holder = Literal["us", "peer"]
"""Who put a call on hold; both sides may at once."""

BYTE_ORDER_MARK = "\ufeff"
"""Says that T.140 begins, or goes on; it is no text."""

LOSS_MARKER = "\ufffd"
"""What T.140 puts in place of lost text."""


@dataclass(slots=True)
class LegOptions:
    """How a leg was asked to be, by the API or by the call itself."""

    app_id: str | None = None
    room_id: str | None = None
    webhook: WebhookTarget | None = None
    accept_dtmf: bool = True
    accept_text: bool = True
    speech_detection: bool | None = None
    max_duration: float = 0.0
    ring_timeout: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    role: str = ""
    muted: bool = False
    deaf: bool = False
    gain_db: float = 0.0
    amd: Mapping[str, Any] | None = None
    """How answering machines are to be detected once it is connected, if they are."""
    identity: CallerIdentity = UNKNOWN


class Leg:
    """One side of a call."""

    def __init__(self, leg_type: str, options: LegOptions, context: LegContext) -> None:
        self.id = str(uuid.uuid4())
        self.type = leg_type
        self.state = LegState.RINGING
        self.call: Call = Call()
        self.options = options
        self.room_id: str | None = None
        self.pending_room: str | None = options.room_id
        self.room_webhook: WebhookTarget | None = None
        """Of the room it is in, or was in when it ended: where that room hears of the end."""
        self.port: str | None = None
        """The mixer's port of this leg, once media is ready; its name is the leg's id."""
        self.app_id = options.app_id
        self.headers = dict(options.headers)
        self.role, self.muted, self.deaf = options.role, options.muted, options.deaf
        self.accept_dtmf, self.accept_text = options.accept_dtmf, options.accept_text
        self.gain_db = options.gain_db
        self.holders: set[Holder] = set()
        self.quality: Quality | None = None
        self.moving = asyncio.Lock()
        """Held while the leg changes rooms."""
        self.ended = asyncio.Event()
        self.changed = asyncio.Event()
        """Set, and replaced, at every change of state."""
        self.log = logger_of(self.id)
        self._context = context
        self._created = time.monotonic()
        self._answered: float | None = None
        self._hangup_reason: str | None = None
        self._announced = False
        """Whether anybody was told of this leg; of one refused at the door, nobody is."""
        self._digits = self._texts = 0
        self._speaks = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._start_timer("ring_timeout", options.ring_timeout)

    # -- what is asked about it

    @property
    def is_inbound(self) -> bool:
        return self.type.endswith(("_inbound", "_in"))

    @property
    def sip_headers(self) -> dict[str, str]:
        """The X- headers alone, which older clients look for."""
        return {n: v for n, v in self.headers.items() if n.lower().startswith("x-")}

    @property
    def is_answered(self) -> bool:
        return self.state in ANSWERED

    @property
    def is_unanswered(self) -> bool:
        return self.state in UNANSWERED

    # -- what its transport reports

    def ringing(
        self,
        *,
        caller: str | None = None,
        to: str | None = None,
        uri: str | None = None,
        offered_codecs: tuple[OfferedCodec, ...] | None = None,
        source_address: str | None = None,
    ) -> None:
        """The call is being set up: an inbound one arrived, an outbound one was sent."""
        inbound = self.is_inbound
        self._announced = True
        self.emit(
            LegRinging(
                leg_id=self.id,
                leg_type=self.type,
                from_=caller,
                to=to,
                uri=uri,
                headers=self.headers if inbound else None,
                sip_headers=self.sip_headers if self.type == "sip_inbound" else None,
                offered_codecs=offered_codecs,
                source_address=source_address,
                **self.options.identity.view(),
            )
        )

    def place(self, port: str) -> SetPort:
        """How its port is to take part, for a transport that has it opened so in one batch."""
        return self._place(port, self._context.processor(self))

    def _place(self, port: str, processor: str | None) -> SetPort:
        return SetPort(
            port,
            mute=self.muted,
            deaf=self.deaf,
            role=self.role,
            speech=self._wants_speech,
            processor=processor,
            gain_db=self.gain_db,
        )

    async def media_ready(self, port: str, placed: SetPort | None = None) -> None:
        """The leg's port is open, as ``placed`` says: it takes its place in the mixer.

        Raises Conflict, the port closed again, when the leg has ended meanwhile.
        """
        if self.state is LegState.HUNG_UP:
            await self._context.media.close_port(port)
            raise Conflict("the leg hung up")
        self.port = port
        wanted = self.place(port) if placed is None else self._place(port, placed.processor)
        if wanted != placed:
            await self._context.media.apply_to(port, wanted)

    async def early_media_started(self) -> None:
        """Media flows although the call is not answered."""
        if self._become(LegState.EARLY_MEDIA):
            self.emit(LegEarlyMedia(leg_id=self.id, leg_type=self.type))
            await self._context.enter_pending_room(self)

    async def connected(self) -> None:
        """The call is answered and its media is ready."""
        if not self._become(LegState.CONNECTED):
            return
        self._answered, self._announced = time.monotonic(), True
        self._stop_timer("ring_timeout")
        self._start_timer("max_duration", self.options.max_duration)
        self.emit(LegConnected(leg_id=self.id, leg_type=self.type))
        await self._context.enter_pending_room(self)
        if self.is_answered:  # it may have ended meanwhile
            self._context.connected(self)

    def held(self, by: Holder = "peer") -> None:
        """One side put the call on hold; the other may do so, too."""
        if by in self.holders or not self.is_answered:
            return
        if not self.holders:
            self._become(LegState.HELD)
            self._start_timer("hold_timeout", LONGEST_HOLD)
        self.holders.add(by)
        self.emit(LegHeld(leg_id=self.id, leg_type=self.type))

    def unheld(self, by: Holder = "peer") -> None:
        """One side holds the call no longer; it goes on when neither does."""
        if by not in self.holders or not self.is_answered:
            return
        self.holders.discard(by)
        if not self.holders:
            self._stop_timer("hold_timeout")
            self._become(LegState.CONNECTED)
        self.emit(LegUnheld(leg_id=self.id, leg_type=self.type))

    async def stand_apart(self, apart: bool) -> None:
        """Keep the leg and its room from hearing each other; what is played to it is heard."""
        await self._set_port(apart=apart)

    def digit_received(self, digit: str) -> None:
        """The peer pressed a key."""
        self._digits += 1
        self.emit(DtmfReceived(leg_id=self.id, room_id=self.room_id, digit=digit, seq=self._digits))
        self._context.pass_on_digit(self, digit)

    def text_received(self, text: str) -> None:
        """The peer wrote; U+FFFD stands where some of it was lost."""
        text = text.replace(BYTE_ORDER_MARK, "")
        if not text:
            return
        if self.accept_text:
            self._texts += 1
            self.emit(
                RttReceived(
                    leg_id=self.id,
                    room_id=self.room_id,
                    text=text,
                    seq=self._texts,
                    loss_marker=LOSS_MARKER in text,
                )
            )
        self._context.pass_on_text(self, text)

    def command_failed(self, command: str, error: str) -> None:
        """Something asked of the call, and accepted, did not work."""
        self.emit(LegCommandFailed(leg_id=self.id, command=command, error=error))

    def on_report(self, report: PortReport) -> None:
        """What the mixer noticed at the leg's port."""
        data = report.data
        if report.kind == "digit":
            self.digit_received(str(data["digit"]))
        elif report.kind == "speech":
            self._speech_changed(bool(data["speaking"]))
        elif report.kind == "media_timeout":
            self.hang_up("rtp_timeout")
        elif report.kind == "stats" and (data.get("packets_received") or data.get("packets_lost")):
            self.quality = Quality(
                mos_score=data.get("mos"),
                rtp_packets_received=data.get("packets_received"),
                rtp_packets_lost=data.get("packets_lost"),
                rtp_jitter_ms=data.get("jitter_ms"),
            )
        elif report.kind == "refused":
            self.command_failed(str(data["command"]), str(data["error"]))
        elif report.kind == "closed":
            self.log.warning("media failed: %s", data.get("error"))
            self.hang_up("server_error")

    async def disconnected(self, reason: str) -> None:
        """The call is over. Further calls change nothing."""
        reason = self._hangup_reason or reason
        if not self._become(LegState.HUNG_UP):
            return
        for timer in self._timers.values():
            timer.cancel()
        await self._context.leave(self)
        self.call.release()
        now = time.monotonic()
        answered = None if self._answered is None else now - self._answered
        if self._announced:
            self.emit(
                LegDisconnected(
                    leg_id=self.id,
                    leg_type=self.type,
                    cdr=Cdr(reason, round(now - self._created, 3), round(answered or 0.0, 3)),
                    quality=self.quality,
                )
            )
        self.ended.set()
        self._context.forget(self, reason, answered)

    # -- what is asked of it

    def hang_up(self, reason: str) -> None:
        """End the call; ``reason`` becomes the CDR's. A second call changes nothing."""
        if self.state is LegState.HUNG_UP or self._hangup_reason is not None:
            return
        self._hangup_reason = reason
        self._start_timer("hangup_grace", HANGUP_GRACE)
        self.call.hang_up(reason)

    async def set_mute(self, muted: bool) -> None:
        """Take the leg out of its room's mix, or put it back."""
        await self._set_port(mute=muted)
        self._is_muted(muted)

    async def set_deaf(self, deaf: bool) -> None:
        """Have the leg hear nothing, or hear again."""
        await self._set_port(deaf=deaf)
        self._is_deaf(deaf)

    async def set_gain(self, db: float) -> None:
        """Have everybody hear the leg so much louder."""
        self.gain_db = db
        await self._set_port(gain_db=db)

    async def set_role(self, role: str) -> None:
        """Give the leg another role in its room's routing; "" is none."""
        await self._set_port(role=role)
        self._has_role(role)

    def entered(self, settings: SetPort, accept_dtmf: bool | None) -> None:
        """The leg came into a room with these settings."""
        if settings.mute is not None:
            self._is_muted(settings.mute)
        if settings.deaf is not None:
            self._is_deaf(settings.deaf)
        if settings.role is not None:
            self._has_role(settings.role)
        if accept_dtmf is not None:
            self.accept_dtmf = accept_dtmf

    async def detect_speech(self, wanted: bool | None) -> None:
        """Turn speaking events on or off; None leaves them as they are."""
        if wanted is not None:
            self.options.speech_detection = wanted
            await self._set_port(speech=self._wants_speech)

    def emit(self, event: Event) -> None:
        """Publish an event of this leg, to its own webhook if it has one."""
        self._context.emit(self, event)

    async def reach(self, *states: LegState, within: float) -> None:
        """Wait for one of these states. Raises Conflict when the leg ends or time runs out."""
        try:
            async with asyncio.timeout(within):
                while self.state not in states:
                    if self.state is LegState.HUNG_UP:
                        raise Conflict("the leg hung up")
                    await self.changed.wait()
        except TimeoutError:
            raise Conflict(f"the leg is still {self.state} after {within:g} s") from None

    # -- within

    def _become(self, state: LegState) -> bool:
        if not may_become(self.state, state):
            return False
        self.state = state
        self.changed.set()
        self.changed = asyncio.Event()
        return True

    @property
    def _wants_speech(self) -> bool:
        wanted = self.options.speech_detection
        return self._context.speech_detection if wanted is None else wanted

    async def _set_port(
        self,
        mute: bool | None = None,
        deaf: bool | None = None,
        role: str | None = None,
        speech: bool | None = None,
        gain_db: float | None = None,
        apart: bool | None = None,
    ) -> None:
        if self.port is not None:
            command = SetPort(self.port, mute, deaf, role, speech, gain_db=gain_db, apart=apart)
            await self._context.media.apply_to(self.port, command)

    def _speech_changed(self, speaks: bool) -> None:
        """The mixer may listen on a prompt's behalf; events are for those who want them."""
        if speaks == self._speaks or (speaks and not self._wants_speech):
            return
        self._speaks = speaks
        event = SpeakingStarted if speaks else SpeakingStopped
        self.emit(event(leg_id=self.id, room_id=self.room_id))

    def _is_muted(self, muted: bool) -> None:
        if muted != self.muted:
            self.muted = muted
            self.emit((LegMuted if muted else LegUnmuted)(leg_id=self.id))

    def _is_deaf(self, deaf: bool) -> None:
        if deaf != self.deaf:
            self.deaf = deaf
            self.emit((LegDeafened if deaf else LegUndeafened)(leg_id=self.id))

    def _has_role(self, role: str) -> None:
        if role != self.role:
            self.role = role
            self.emit(LegRoleChanged(leg_id=self.id, role=role))

    def _start_timer(self, reason: str, seconds: float) -> None:
        if seconds > 0:
            loop = asyncio.get_running_loop()
            self._timers[reason] = loop.call_later(seconds, self._timed_out, reason)

    def _stop_timer(self, reason: str) -> None:
        if (timer := self._timers.pop(reason, None)) is not None:
            timer.cancel()

    def _timed_out(self, reason: str) -> None:
        if reason == "hangup_grace":
            self.log.warning("the transport did not end the call in time")
            self._context.spawn(self.disconnected(self._hangup_reason or "server_error"))
        else:
            self.hang_up(reason)
