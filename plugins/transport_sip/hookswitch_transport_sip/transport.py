"""The SIP transport: signalling, RTP ports, and the legs they make."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from hookswitch.codecs.base import CodecInfo
from hookswitch.plugin import (
    BadRequest,
    CallerIdentity,
    HookswitchError,
    Leg,
    Switch,
    Transport,
    Unavailable,
)

from .callee import Callee, Waves
from .callers import Callers
from .calls import SipCall
from .codec_choice import SETTING, CodecChoice
from .create import CreateSipLeg
from .demands import ChallengeCaller
from .doorkeeper import Doorkeeper
from .forked import Dial, ForkedSipCall
from .forking.forking import Forking
from .incoming import Incoming
from .ladder.view import View
from .ladder.witness import LadderWitness
from .media import CallMedia
from .outbound import OutboundSipCall
from .privacy import shown_caller
from .registrar.domains import Domains
from .registrations.service import Registrations
from .routing import Router
from .rtp_ports import RtpPorts
from .settings import SipSettings, Way
from .signalling.driver import Signalling
from .signalling.listening import listen
from .sip.address import NameAddr
from .sip.call import Call as Dialogue
from .sip.config import METHODS, Config
from .sip.endpoint import UserAgent
from .sip.errors import ParseError
from .sip.events import Event, InviteReceived, RegisterReceived, Released
from .sip.hop import Hop, Target
from .sip.locating import transports_for
from .sip.message import Request
from .sip.uac import OutboundCall
from .sip.uas import InboundCall
from .sip.uri import without_passwords
from .store import SipStore
from .trunking.service import Trunks

log = logging.getLogger(__name__)

SILENCE = 5.0
"""Seconds after which another address is tried if one does not answer at all."""


class SipTransport(Transport):
    """SIP legs over UDP, TCP and TLS."""

    name: ClassVar[str] = "sip"
    leg_types: ClassVar[tuple[str, ...]] = ("sip_inbound", "sip_outbound")
    request = CreateSipLeg

    def __init__(self, switch: Switch, settings: SipSettings) -> None:
        self.switch = switch
        self.settings = settings
        self.signalling: Signalling
        self.codecs = CodecChoice(switch.codecs)
        self.usual_codecs = self.codecs.listed(settings.sip_codecs, SETTING)
        self._ports = {
            way.is_ipv6: RtpPorts(way.listen, settings.rtp_port_min, settings.rtp_port_max)
            for way in settings.ways
        }
        self.witness = LadderWitness(settings.sip_ladder_memory_mb, settings.sip_debug)
        self._calls: dict[object, SipCall] = {}
        self.doorkeeper = Doorkeeper(switch, settings)
        self._store = SipStore(switch.settings.data_dir / "sip.sqlite3")
        self.registrations = Registrations(switch, settings, self.doorkeeper, self._store)
        self.trunks = Trunks(switch, settings, self._store)
        self._router = Router(settings, self.registrations, self.trunks)
        self.callers = Callers(self.registrations, self.trunks)
        self.doorkeeper.is_one_of_ours = self.callers.has_host
        self._incoming = Incoming(self)
        self._draining = False
        self._discarded = 0
        self._running = False

    @property
    def port(self) -> int:
        """The port SIP is on, over UDP and TCP."""
        return self.signalling.agent.config.port

    # -- life

    async def start(self) -> None:
        settings = self.settings
        listeners = listen(settings)
        addresses = tuple(listeners.addresses)
        config = Config(
            settings.announced_ip,
            addresses[0].port,
            addresses,
            user_agent=settings.sip_host,
            contact_user="hookswitch",
            allow=(*METHODS, "REGISTER"),
            supported=settings.extensions,
            required=("100rel",) if settings.sip_100rel == "required" else (),
            session_expires=settings.sip_session_expires,
            min_se=settings.sip_min_se,
        )
        self.witness.config = config
        try:
            agent = UserAgent(config, options_status=self._options_status, gate=self.doorkeeper)
            self.signalling = Signalling(agent, self._handle, settings, self.witness)
            self._store.open()
            await self.signalling.open(listeners)
        except BaseException:
            listeners.close()
            self._store.close()
            raise
        ports = {address.port for address in addresses}
        self.registrations.start(self.signalling, Domains(settings.registrar_domains, ports))
        self.trunks.start(self.signalling)
        self._running = True
        for address in addresses:
            log.info("SIP on %s", address)

    async def stop(self) -> None:
        if self._running:
            self._running = False
            await self.trunks.stop()
            self.registrations.stop()
            await self.signalling.close()
            self._store.close()

    def drain(self) -> None:
        self._draining = True

    def metrics(self) -> Mapping[str, float]:
        if not self._running:
            return {}
        counters = self.signalling.counters
        metrics: dict[str, float] = {f"sip_{name}_total": n for name, n in counters.items()}
        return {
            **metrics,
            **({"sip_rtp_discarded_total": self._discarded} if self._discarded else {}),
            "sip_registrations": len(self.registrations.location),
            "sip_suspects": self.doorkeeper.suspects,
        }

    # -- calls

    async def originate(self, request: CreateSipLeg) -> Leg:
        if request.rtt and not self.switch.settings.rtt_enabled:
            raise BadRequest("rtt: real-time text is disabled on this server (RTT_ENABLED)")
        dialling = self._router.dialling(request)
        codecs = self.usual_codecs
        if request.codecs is not None:
            codecs = self.codecs.listed(request.codecs, "codecs")
        field = request.routed_by(dialling.trunk_id, self.settings)
        way = await self._way_to(dialling.waves[0][0], field)
        take_ports = self._ports[way.is_ipv6].take
        ports = take_ports()
        try:
            options = request.options()
            options.identity = CallerIdentity(trunk_id=dialling.trunk_id)
            leg = self.switch.create_leg("sip_outbound", options)
        except Unavailable:
            ports.close()
            raise
        media = CallMedia(
            self.switch,
            self.settings,
            leg,
            ports,
            codecs,
            take_ports,
            host=way.announced,
            srtp=request.srtp,
            rtt=request.rtt,
            inband_dtmf=request.inband_dtmf,
        )
        offer = None if request.late_offer else media.negotiation.offer()
        try:
            call = self._dial(leg, dialling.waves, partial(self._invite, request, offer))
        except (ParseError, HookswitchError) as error:
            media.close()
            await leg.disconnected("invite_failed")
            if isinstance(error, ParseError):
                raise BadRequest(f"headers: {error}") from None
            raise
        call.media = media
        call.is_absent_user = dialling.is_absent_user
        leg.call = call
        for dialogue in call.dialogues:
            self.watch(dialogue, call)
        caller = str(dialling.waves[0][0].caller.uri)
        leg.ringing(uri=without_passwords(dialling.to), caller=without_passwords(caller))
        self.signalling.settle()
        return leg

    def _dial(self, leg: Leg, waves: Waves, dial: Dial) -> OutboundSipCall:
        """Send the first INVITEs. Raises ParseError."""
        if len(waves) == 1 and len(waves[0]) == 1:
            return OutboundSipCall(self, leg, dial(waves[0][0]))
        return ForkedSipCall(self, leg, Forking(waves, SILENCE), dial)

    def _invite(self, request: CreateSipLeg, offer: bytes | None, callee: Callee) -> OutboundCall:
        return self.signalling.agent.invite(
            callee.uri,
            _shown(request, callee),
            offer,
            self.signalling.now(),
            to=callee.to,
            headers=request.sip_headers(callee.caller),
            routes=callee.routes,
            username=callee.username,
            password=callee.password,
            hop=callee.hop,
        )

    def watch(self, dialogue: Dialogue, call: SipCall) -> None:
        """Have a call hear what happens to a dialogue of its, and its leg show the messages."""
        self._calls[dialogue] = call
        self.witness.open(call.leg.id, View.of(dialogue))

    def call_of(self, dialogue: Dialogue | None) -> SipCall | None:
        """Whose dialogue it is."""
        return self._calls.get(dialogue)

    def open_media(
        self, leg: Leg, signalling_ip: str, way: Way, codec: CodecInfo | None
    ) -> CallMedia:
        """Media for an inbound call, in this codec if one is asked for.

        Raises Unavailable when no port is left.
        """
        codecs = self.usual_codecs
        if codec is not None:
            codecs = (codec, *(each for each in codecs if each is not codec))
        take = self._ports[way.is_ipv6].take
        return CallMedia(
            self.switch,
            self.settings,
            leg,
            take(),
            codecs,
            take,
            signalling_ip,
            way.announced,
        )

    def challenge(self, leg: Leg, dialogue: InboundCall, request: ChallengeCaller) -> None:
        """Have the caller of a ringing call prove a password."""
        demand = request.demand(self.settings.realm)
        self.doorkeeper.challenge(leg.id, dialogue, demand, self.signalling.now())

    def forget(self, call: SipCall) -> None:
        """A leg is over; its dialogues may go on for a while, and tell how a transfer ended."""
        self._discarded += call.media.discarded if call.media else 0
        if not call.dialogue.referring.is_waiting:
            self._drop(call)

    def _released(self, dialogue: Dialogue, call: SipCall) -> None:
        """A dialogue is over; of a call to several targets others may go on."""
        if self._calls.pop(dialogue, None) and not any(d in self._calls for d in call.dialogues):
            self.witness.close(call.leg.id)

    def _drop(self, call: SipCall) -> None:
        known = [self._calls.pop(dialogue, None) for dialogue in call.dialogues]
        if any(known):
            self.witness.close(call.leg.id)

    # -- what the SIP core tells

    def _handle(self, event: Event) -> None:
        if isinstance(event, InviteReceived):
            self._incoming.take(event)
        elif isinstance(event, RegisterReceived):
            self.registrations.receive(event)
        elif (call := self._calls.get(event.call)) is not None:
            call.handle(event)
            if isinstance(event, Released):
                self._released(event.call, call)

    async def _way_to(self, callee: Callee, field: str) -> Way:
        """The family a call will go by.

        Raises BadRequest, naming the field that says where it goes, if its transport is not ours.
        """
        agent = self.signalling.agent
        first = callee.hop or agent.destination(
            callee.routes[0].uri if callee.routes else callee.uri
        )
        if isinstance(first, Target):
            ours = {hop.transport for hop in agent.config.local}
            # a registered phone and a trunk may be called by another way than they say
            asked = None if callee.hop else first.transport
            if not transports_for(first, agent.config.local) or (asked and asked not in ours):
                raise BadRequest(f"{field}: {_missing('TLS' if first.secure else asked)}")
        if len(self.settings.ways) == 1:
            return self.settings.ways[0]
        if isinstance(first, Target):
            hops = await self.signalling.locate(first)
        else:
            hops = [first if isinstance(first, Hop) else first.hop]
        return self.settings.way_to(hops[0].host) if hops else self.settings.ways[0]

    def _options_status(self, request: Request) -> int:
        return 503 if self._draining else 200


def _missing(transport: str | None) -> str:
    """Why a transport cannot be had."""
    if transport in (None, "TLS"):
        return "TLS is not configured (SIP_TLS_CERT)"
    if transport == "TCP":
        return "TCP is not switched on (SIP_TCP_ENABLED)"
    return f"transport {str(transport).lower()!r} is none of udp, tcp and tls"


def _shown(request: CreateSipLeg, callee: Callee) -> NameAddr:
    """The caller as the callee sees it."""
    return shown_caller(callee.caller, request.privacy_levels)
