"""The switch: the kernel's parts put together. What plugins are given to work with."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from hookswitch.codecs.base import CodecInfo
from hookswitch.decisions import Refusal, Route
from hookswitch.errors import BadRequest, HookswitchError, Unavailable
from hookswitch.events.bus import EventBus
from hookswitch.events.log import EventLog
from hookswitch.events.model import Event
from hookswitch.events.record import WebhookTarget, choose_target
from hookswitch.events.webhooks import Webhooks
from hookswitch.legs.leg import Leg, LegOptions
from hookswitch.legs.registry import Legs
from hookswitch.media.plane import MediaPlane
from hookswitch.mixer.options import SPEECH_DETECTOR, EngineOptions
from hookswitch.mixer.topology import CommandError
from hookswitch.operations.absent import absent_leg_types, install_hint
from hookswitch.operations.call_control import call_control_operations
from hookswitch.operations.legs import leg_operations
from hookswitch.operations.model import ApiModel, OneOf, parse
from hookswitch.operations.operation import Operation
from hookswitch.operations.play import play_operations
from hookswitch.operations.record import record_operations
from hookswitch.operations.rooms import room_operations
from hookswitch.playback.config import player_config
from hookswitch.playback.registry import Playbacks
from hookswitch.plugins.manager import Plugins
from hookswitch.recording.registry import Recordings
from hookswitch.recording.storage import Storage, Storages
from hookswitch.recording.storing import Storing
from hookswitch.registration import RegistrationAttempt, RegistrationDecision
from hookswitch.rooms.place import LegPlace, RoomPlace
from hookswitch.rooms.registry import Entrance, Rooms
from hookswitch.rooms.room import Room
from hookswitch.settings import KernelSettings
from hookswitch.transports import CreateLeg, Transport

log = logging.getLogger(__name__)


class CallTotals:
    """What is counted over all calls since the start."""

    def __init__(self) -> None:
        self.created: Counter[str] = Counter()
        """By leg type."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """By leg type and CDR reason."""
        self.answered_seconds: list[tuple[str, float]] = []
        """Of answered legs that ended since metrics were last read, by leg type."""
        self.rtp_received = self.rtp_lost = 0
        """RTP packets, of legs that ended."""
        self.refused = 0
        """Calls refused while draining or overloaded."""


class Switch:
    """One server. Create it inside a running event loop, then `start`."""

    def __init__(self, settings: KernelSettings, plugins: Plugins, instance_id: str) -> None:
        self.settings = settings
        self.plugins = plugins
        self.instance_id = instance_id
        self.speech_detection = settings.speech_detection_enabled
        banks = tuple(plugins.collect("register_banks", str))
        self.media = MediaPlane(settings.media_workers, self._engine_options(), banks)
        self.media.on_pulse = lambda worker, pulse: plugins.notify(
            "mixer_pulsed", worker=worker, pulse=pulse
        )
        self.events = self._event_bus()
        self.legs = Legs()
        self.rooms = Rooms(self.media, settings.default_sample_rate, self._emit_of_room)
        self.playbacks = Playbacks(self.media, player_config(settings))
        self.storages = Storages(plugins.collect("register_storages", Storage))
        self.recordings = self._make_recordings()
        self.rooms.watchers += [self.playbacks, self.recordings]
        self.totals = CallTotals()
        self.draining = self._stopped = False
        self.started_at = time.monotonic()
        self._default_target = (
            WebhookTarget(settings.webhook_url, settings.webhook_secret.get_secret_value() or None)
            if settings.webhook_url
            else None
        )
        self._started: list[Transport] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.codecs = self._collect_codecs()
        self.transports: dict[str, Transport] = self._collect_transports()
        self.operations: list[Operation] = self._collect_operations()

    # -- life

    async def start(self) -> None:
        """Start media, events and transports. Raises OSError, SettingsError, EventStoreError."""
        await self.events.start()
        self.events.observe(lambda record: self.plugins.notify("event_emitted", record=record))
        self.media.start()
        await self.recordings.begin()
        for transport in self.transports.values():
            await transport.start()
            self._started.append(transport)
        self.plugins.notify("server_started", switch=self)

    def drain(self) -> None:
        """Take no new calls."""
        self.draining = True
        for transport in self.transports.values():
            transport.drain()

    async def stop(self) -> None:
        """Hang up what is left, deliver what can be delivered, end."""
        if self._stopped:
            return
        self._stopped = True
        self.drain()
        self.plugins.notify("server_stopping", switch=self)
        legs = list(self.legs)
        for leg in legs:
            leg.hang_up("api_hangup")
        waiting = [asyncio.create_task(leg.ended.wait()) for leg in legs]
        if waiting:
            await asyncio.wait(waiting, timeout=5.0)
        for task in waiting:
            task.cancel()
        for transport in self._started:
            await transport.stop()
        for room in self.rooms:
            await self.rooms.delete(room.id)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5.0)
        for background in self._tasks:
            background.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.playbacks.stop()
        await self.recordings.stop()
        await self.media.stop()
        await self.events.close()

    async def drained(self, within: float) -> None:
        """Wait until no leg is left, or time runs out."""
        try:
            async with asyncio.timeout(within):
                while len(self.legs):
                    await next(iter(self.legs)).ended.wait()
        except TimeoutError:
            log.info("%d legs are left after %g s", len(self.legs), within)

    # -- legs

    def create_leg(self, leg_type: str, options: LegOptions) -> Leg:
        """Register a leg; the transport then sets `Leg.call` and reports `Leg.ringing`.

        Raises Unavailable while the server drains or is overloaded.
        """
        if why := self.overload():
            self.totals.refused += 1
            raise Unavailable(why)
        leg = Leg(leg_type, options, self)
        self.legs.add(leg)
        self.totals.created[leg_type] += 1
        self.plugins.notify("leg_created", leg=leg)
        return leg

    def overload(self) -> str | None:
        """Why no new call is taken now, if that is so."""
        if self.draining:
            return "the server is draining: no new calls are taken"
        return self.media.overload()

    async def originate(self, request: CreateLeg) -> Leg:
        """Begin an outbound call."""
        if request.amd is not None:
            self._check_amd(request.amd)
        return await self.transports[request.type].originate(request)

    def admit(self, leg: Leg) -> str | None:
        """Ask the plugins about an inbound leg; answers why it is refused, if it is."""
        refusal = self.plugins.first("refusal_from_leg", Refusal, leg=leg)
        return None if refusal is None else refusal.reason

    def route(self, leg: Leg) -> bool:
        """Ask the plugins where an inbound leg goes; answers whether it is to be answered now."""
        route = self.plugins.first("route_from_leg", Route, leg=leg)
        if route is None:
            return False
        leg.pending_room = route.room_id or leg.pending_room
        return True

    def decide(self, attempt: RegistrationAttempt) -> RegistrationDecision | None:
        """Ask the plugins about a user agent that wants to be registered."""
        decision: RegistrationDecision | None = self.plugins.first(
            "decision_from_registration", RegistrationDecision, attempt=attempt
        )
        return decision

    # -- places

    def leg_place(self, leg_id: str) -> LegPlace:
        """A leg, to play to or to record. Raises NotFound."""
        return LegPlace(self.legs.get(leg_id), self.media)

    def room_place(self, room_id: str) -> RoomPlace:
        """A room, to play to or to record. Raises NotFound."""
        return RoomPlace(self.rooms.get(room_id), self.media, self._emit_of_room)

    # -- what legs ask of their surroundings

    def emit(self, leg: Leg, event: Event) -> None:
        """Publish an event of a leg, to the most specific webhook."""
        target = choose_target(leg.options.webhook, leg.room_webhook, self._default_target)
        self.events.emit(event, app_id=leg.app_id, webhook=target)

    def publish(self, event: Event, *, app_id: str | None = None) -> None:
        """Publish an event that is of no leg and no room, to the server's own webhook."""
        self.events.emit(event, app_id=app_id, webhook=self._default_target)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background; what it raises is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def enter_pending_room(self, leg: Leg) -> None:
        """Put the leg into the room it was created for, if it waits for one."""
        if leg.pending_room is None or leg.port is None:
            return
        room_id, leg.pending_room = leg.pending_room, None
        try:
            await self.rooms.add(room_id, leg, Entrance())
        except (HookswitchError, CommandError) as error:
            leg.command_failed("add_leg_to_room", str(error))

    def connected(self, leg: Leg) -> None:
        """Tell the plugins that a leg was answered and is where it belongs."""
        self.plugins.notify("leg_connected", leg=leg)

    def processor(self, leg: Leg) -> str | None:
        """Ask the plugins what changes the leg's sound."""
        reference: str | None = self.plugins.first("processor_from_leg", str, leg=leg)
        return reference

    async def leave(self, leg: Leg) -> None:
        """Take an ended leg out of its room and close its port."""
        await self.playbacks.gone(leg.id)
        await self.recordings.gone(leg.id)
        async with leg.moving:
            if leg.port is not None:
                await self.media.close_port(leg.port)
            await self.rooms.ended(leg)

    def forget(self, leg: Leg, reason: str, answered: float | None) -> None:
        """The leg is over, having been answered for some seconds, or never (None)."""
        self.legs.remove(leg)
        self.totals.ended[leg.type, reason] += 1
        if answered is not None:
            self.totals.answered_seconds.append((leg.type, answered))
        del self.totals.answered_seconds[:-10_000]
        if leg.quality is not None:
            self.totals.rtp_received += leg.quality.rtp_packets_received or 0
            self.totals.rtp_lost += leg.quality.rtp_packets_lost or 0
        self.plugins.notify("leg_ended", leg=leg, reason=reason)

    def pass_on_digit(self, leg: Leg, digit: str) -> None:
        """Give a digit to the others of the leg's room that accept it.

        It also stops what is to stop for it: of a digit that came by signalling, the mixer has not
        heard.
        """
        for playback in self.playbacks.interrupt(leg, "digit"):
            self.spawn(playback.stop())
        for other in self._others(leg):
            if other.accept_dtmf and other.call.takes_dtmf:
                self._pass_on(other, other.call.send_dtmf, digit)

    def pass_on_text(self, leg: Leg, text: str) -> None:
        """Give text to the others of the leg's room that accept it."""
        for other in self._others(leg):
            if other.accept_text and other.call.takes_text:
                self._pass_on(other, other.call.send_text, text)

    # -- within

    @staticmethod
    def _pass_on(leg: Leg, send: Callable[[str], None], what: str) -> None:
        """Give one leg what another sent; the rest of the room does not suffer if it cannot."""
        try:
            send(what)
        except HookswitchError as error:
            leg.log.info("what the room sent was not passed on: %s", error)

    def _check_amd(self, amd: dict[str, Any]) -> None:
        """See that the operation would take it. Raises BadRequest."""
        operations = (o for o in self.operations if o.command == "leg_amd_start")
        if (operation := next(operations, None)) is None:
            raise BadRequest(f"amd: {install_hint('answering machine detection', 'amd')}")
        if operation.request is not None:
            try:
                parse(operation.request, amd)
            except BadRequest as error:
                raise BadRequest(f"amd.{error}") from None

    def _others(self, leg: Leg) -> list[Leg]:
        room = self.rooms.find(leg.room_id)
        return [other for other in room.legs.values() if other is not leg] if room else []

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", exc_info=error)

    def _emit_of_room(self, room: Room, event: Event) -> None:
        if event.type == "room.created":
            self.plugins.notify("room_created", room=room)
        elif event.type == "room.deleted":
            self.plugins.notify("room_deleted", room=room)
        target = choose_target(None, room.webhook, self._default_target)
        self.events.emit(event, app_id=room.app_id, webhook=target)

    def _make_recordings(self) -> Recordings:
        settings = self.settings

        def emit(event: Event, app_id: str | None, webhook: WebhookTarget | None) -> None:
            target = choose_target(webhook, None, self._default_target)
            self.events.emit(event, app_id=app_id, webhook=target)

        storing = Storing(
            settings.data_dir / "uploads.sqlite3",
            self.storages,
            settings.recording_keep_local,
            emit,
        )
        return Recordings(self.media, settings.recording_dir, storing, emit, self.spawn)

    def _engine_options(self) -> EngineOptions:
        settings = self.settings
        detector = self.plugins.first("speech_detector_from_settings", str, settings=settings)
        return EngineOptions(
            comfort_noise=settings.comfort_noise_enabled,
            speech_detector=SPEECH_DETECTOR if detector is None else detector,
            speech_hangover_ms=settings.speech_hangover_ms,
        )

    def _event_bus(self) -> EventBus:
        settings = self.settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        events = EventLog(
            settings.data_dir / "events.sqlite3", replay_events=settings.vsi_replay_events
        )
        webhooks = Webhooks(events, max_age=settings.webhook_max_age)
        return EventBus(events, instance_id=self.instance_id, webhooks=webhooks)

    def _collect_codecs(self) -> dict[str, CodecInfo]:
        offered = self.plugins.collect("register_codecs", CodecInfo)
        return {codec.name: codec for codec in reversed(offered)}

    def _collect_transports(self) -> dict[str, Transport]:
        transports: dict[str, Transport] = {}
        for transport in self.plugins.collect("register_transports", Transport, switch=self):
            if transport.name in transports:
                log.error("a second transport for %s is left out", transport.name)
                continue
            transports[transport.name] = transport
        return transports

    def _collect_operations(self) -> list[Operation]:
        models: dict[str, type[ApiModel]] = {
            name: transport.request for name, transport in self.transports.items()
        }
        create = OneOf("type", models, absent_leg_types(models))
        offered = self.plugins.collect("register_operations", Operation, switch=self)
        operations: dict[str, Operation] = {}
        for operation in [
            *leg_operations(create),
            *call_control_operations(),
            *room_operations(),
            *play_operations(),
            *record_operations(self.storages),
            *offered,
        ]:
            if operation.command in operations:
                log.error("a second operation %s is left out", operation.command)
                continue
            operations[operation.command] = operation
        return list(operations.values())
