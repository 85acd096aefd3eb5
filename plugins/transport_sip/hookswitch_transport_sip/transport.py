"""The SIP transport: signalling, RTP ports, and the legs they make."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from hookswitch.codecs.base import CodecInfo
from hookswitch.plugin import (
    BadRequest,
    CallerIdentity,
    HookswitchError,
    Leg,
    LegOptions,
    LegState,
    OfferedCodec,
    Switch,
    Transport,
    Unavailable,
    WebhookTarget,
)
from hookswitch.settings import SettingsError

from .callee import Callee, Waves
from .callers import Callers
from .calls import SipCall
from .create import CreateSipLeg
from .demands import ChallengeCaller
from .doorkeeper import Admitted, Doorkeeper
from .forked import Dial, ForkedSipCall
from .forking.forking import Forking
from .inbound import InboundSipCall
from .ladder.book import View
from .ladder.witness import LadderWitness
from .media import CallMedia
from .offered import Offered
from .outbound import OutboundSipCall
from .privacy import shown_caller
from .registrar.domains import Domains
from .registrations.service import Registrations
from .replacement import replacement_options
from .routing import Router
from .rtp.keys import SrtpKeys
from .rtp_ports import RtpPorts
from .sdp.audio import LocalAudio
from .sdp.description import SessionDescription
from .sdp.errors import NotAcceptable, SdpError
from .sdp.negotiation import AudioNegotiation
from .sdp.streams import offered_codecs
from .settings import SipSettings, Way
from .signalling.driver import Signalling
from .signalling.listening import listen
from .sip.address import NameAddr
from .sip.call import Call as Dialogue
from .sip.call import CallState
from .sip.config import METHODS, Config
from .sip.endpoint import UserAgent
from .sip.errors import ParseError
from .sip.events import Event, InviteReceived, RegisterReceived, Released
from .sip.hop import Hop, Target
from .sip.locating import transports_for
from .sip.message import Request
from .sip.uac import OutboundCall
from .sip.uas import InboundCall
from .sip.uri import format_host
from .store import SipStore
from .trunking.service import Trunks

log = logging.getLogger(__name__)

SILENCE = 5.0
"""Seconds after which another address is tried if one does not answer at all."""

LOOK_UP_S = 4.0
"""Seconds that looking up the hosts of an offer may take; the caller has got 100 meanwhile."""

RETRY_AFTER = ("Retry-After", "5")
"""Seconds a caller we have no room for is asked to wait."""


class SipTransport(Transport):
    """SIP legs over UDP, TCP and TLS."""

    name: ClassVar[str] = "sip"
    leg_types: ClassVar[tuple[str, ...]] = ("sip_inbound", "sip_outbound")
    request = CreateSipLeg

    def __init__(self, switch: Switch, settings: SipSettings) -> None:
        self.switch = switch
        self.settings = settings
        self.signalling: Signalling
        self._codecs = self._choose_codecs(settings.sip_codecs, "SIP_CODECS")
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
        self._callers = Callers(self.registrations, self.trunks)
        self.doorkeeper.is_one_of_ours = self._callers.has_host
        self._draining = False
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
            "sip_registrations": len(self.registrations.location),
            "sip_suspects": self.doorkeeper.suspects,
        }

    # -- calls

    async def originate(self, request: CreateSipLeg) -> Leg:
        if request.rtt and not self.switch.settings.rtt_enabled:
            raise BadRequest("rtt: real-time text is disabled on this server (RTT_ENABLED)")
        dialling = self._router.dialling(request)
        codecs = self._codecs
        if request.codecs is not None:
            codecs = self._choose_codecs(request.codecs, "codecs")
        way = await self._way_to(dialling.waves[0][0])
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
        leg.call = call
        for dialogue in call.dialogues:
            self.watch(dialogue, call)
        self.show(leg, call.dialogue)
        leg.ringing(uri=dialling.to, caller=str(dialling.waves[0][0].caller.uri))
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
        """Have a call hear what happens to a dialogue of its."""
        self._calls[dialogue] = call

    def show(self, leg: Leg, dialogue: OutboundCall) -> None:
        """Have the messages of this dialogue be the leg's."""
        self.witness.open(leg.id, View(dialogue.call_id, dialogue.local_tag, inbound=False))

    def open_media(self, leg: Leg, signalling_ip: str, codec: CodecInfo | None) -> CallMedia:
        """Media for an inbound call, in this codec if one is asked for.

        Raises Unavailable when no port is left.
        """
        codecs = self._codecs
        if codec is not None:
            codecs = (codec, *(each for each in codecs if each is not codec))
        way = self.settings.way_to(signalling_ip)
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

    def codec_named(self, name: str) -> CodecInfo | None:
        """An installed codec, whatever the case of its name."""
        installed = self.switch.codecs.values()
        return next((each for each in installed if each.name.lower() == name.lower()), None)

    def challenge(self, dialogue: InboundCall, request: ChallengeCaller) -> None:
        """Have the caller of a ringing call prove a password."""
        demand = request.demand(self.settings.realm)
        self.doorkeeper.challenge(dialogue, demand, self.signalling.now())

    def forget(self, call: SipCall) -> None:
        """A leg is over; its dialogues may go on for a while, and tell how a transfer ended."""
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
            self._invited(event)
        elif isinstance(event, RegisterReceived):
            self.registrations.receive(event)
        elif (call := self._calls.get(event.call)) is not None:
            call.handle(event)
            if isinstance(event, Released):
                self._released(event.call, call)

    def _invited(self, event: InviteReceived) -> None:
        request = event.request
        identity = self._callers.identity(event)
        admitted = self.doorkeeper.admit(event, identity, self.signalling.now())
        if admitted is None:
            return
        try:
            offer = None if request.sdp is None else self._offered(request.sdp)
        except SdpError as error:
            self._refuse_offer(event, error)
            return
        if offer is None or offer.is_numeric:
            self._take_call(event, admitted, offer)
        else:
            self.switch.spawn(self._look_up_media(event, admitted, offer))

    def _refuse_offer(self, event: InviteReceived, error: SdpError) -> None:
        log.info("INVITE from %s refused: %s", event.source.host, error)
        event.call.reject(error.status, self.signalling.now())

    async def _look_up_media(
        self, event: InviteReceived, admitted: Admitted, offer: Offered
    ) -> None:
        """An offer that names its hosts: nothing rings before it is known that they exist."""
        try:
            async with asyncio.timeout(LOOK_UP_S):
                await offer.look_up()
        except OSError as error:
            if event.call.state is CallState.EARLY:
                self._refuse_offer(event, NotAcceptable(f"no such host: {error}"))
        else:
            if event.call.state is CallState.EARLY:
                self._take_call(event, admitted, offer)
        self.signalling.settle()

    def _take_call(self, event: InviteReceived, admitted: Admitted, offer: Offered | None) -> None:
        """Make a leg of a call that can be answered."""
        dialogue, request = event.call, event.request
        offered = None if offer is None else offer.codecs
        options = self._options(request, admitted)
        replaced = self._calls.get(event.replaces)
        if event.replaces is not None:
            if replaced is None or replaced.leg.state is LegState.HUNG_UP:
                dialogue.reject(481, self.signalling.now())
                return
            options = replacement_options(options, replaced.leg)
        try:
            leg = self.switch.create_leg("sip_inbound", options)
        except Unavailable:
            dialogue.reject(503, self.signalling.now(), headers=[RETRY_AFTER])
            return
        names = None if offered is None else tuple(codec.name for codec in offered)
        call = InboundSipCall(self, leg, dialogue, names)
        call.replaces = replaced
        leg.call = self._calls[dialogue] = call
        self.witness.open(leg.id, View(dialogue.call_id, dialogue.local_tag, inbound=True))
        if (refusal := self.switch.admit(leg)) is not None:
            leg.hang_up(refusal)
            return
        leg.ringing(
            caller=str(request.from_.uri),
            to=str(request.to.uri),
            offered_codecs=offered,
            source_address=f"{format_host(event.source.host)}:{event.source.port}",
        )
        if self.settings.sip_auto_ringing:
            call.ring()
        if replaced is not None or self.switch.route(leg):
            call.answer(None)

    def _options(self, request: Request, admitted: Admitted) -> LegOptions:
        """The leg an INVITE describes; only a trusted caller may choose where events go."""
        headers = {name: value for name, value in request.headers if _is_shown(name)}
        options = LegOptions(headers=headers, identity=admitted.identity)
        if admitted.trusted:
            get = request.headers.get
            if url := get("X-Webhook-URL"):
                options.webhook = WebhookTarget(url, get("X-Webhook-Secret"))
            options.app_id = get("X-App-ID")
        return options

    def _offered(self, sdp: bytes) -> Offered:
        """What an offer holds. Raises SdpError when we could not answer it."""
        local = LocalAudio(
            self._codecs,
            self.settings.announced_ip,
            port=9,
            session_id=0,
            srtp=self.settings.sip_srtp,
            keys=SrtpKeys.generate(),
        )
        _, agreed = AudioNegotiation(local).answer(sdp)
        codecs = tuple(
            OfferedCodec(**each | {"name": self._usual(each["name"])})
            for each in offered_codecs(SessionDescription.parse(sdp))
        )
        return Offered(codecs, (agreed.remote, agreed.remote_rtcp))

    def _usual(self, name: str) -> str:
        """A codec's name as we write it, if we have it: offers may use any case."""
        known = self.codec_named(name)
        return known.name if known else name

    async def _way_to(self, callee: Callee) -> Way:
        """The family a call will go by. Raises BadRequest if its transport is not configured."""
        agent = self.signalling.agent
        first = callee.hop or agent.destination(
            callee.routes[0].uri if callee.routes else callee.uri
        )
        if isinstance(first, Target) and not transports_for(first, agent.config.local):
            raise BadRequest("to: TLS is not configured (SIP_TLS_CERT)")
        if len(self.settings.ways) == 1:
            return self.settings.ways[0]
        if isinstance(first, Target):
            hops = await self.signalling.locate(first)
        else:
            hops = [first if isinstance(first, Hop) else first.hop]
        return self.settings.way_to(hops[0].host) if hops else self.settings.ways[0]

    def _options_status(self, request: Request) -> int:
        return 503 if self._draining else 200

    def _choose_codecs(self, names: Any, field: str) -> tuple[CodecInfo, ...]:
        installed = {name.lower(): codec for name, codec in self.switch.codecs.items()}
        unknown = [name for name in names if name.lower() not in installed]
        if unknown or not names:
            have = ", ".join(self.switch.codecs)
            problem = f"{field}: {', '.join(unknown) or 'empty'}; installed codecs: {have}"
            for extra in {name.lower() for name in unknown} & {"g722", "opus"}:
                problem += f"; pip install 'hookswitch[{extra}]'"
            raise SettingsError(problem) if field == "SIP_CODECS" else BadRequest(problem)
        return tuple(installed[name.lower()] for name in names)


def _shown(request: CreateSipLeg, callee: Callee) -> NameAddr:
    """The caller as the callee sees it."""
    return shown_caller(callee.caller, request.privacy_levels)


def _is_shown(name: str) -> bool:
    """Whether an application gets to see a header; a secret is for us alone."""
    name = name.lower()
    return name.startswith(("x-", "p-")) and name != "x-webhook-secret"
