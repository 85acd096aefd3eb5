"""The SIP transport: signalling, RTP ports, and the legs they make."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Mapping
from typing import Any, ClassVar

from hookswitch.codecs.base import CodecInfo
from hookswitch.plugin import (
    BadRequest,
    Leg,
    LegOptions,
    OfferedCodec,
    Switch,
    Transport,
    Unavailable,
    WebhookTarget,
)
from hookswitch.settings import SettingsError

from .calls import SipCall
from .create import CreateSipLeg
from .inbound import InboundSipCall
from .media import CallMedia
from .outbound import OutboundSipCall
from .rtp_ports import RtpPorts
from .sdp.audio import LocalAudio
from .sdp.description import SessionDescription
from .sdp.errors import SdpError
from .sdp.negotiation import AudioNegotiation
from .sdp.streams import offered_codecs
from .settings import SipSettings
from .signalling import Signalling
from .sip.config import Config
from .sip.endpoint import UserAgent
from .sip.errors import ParseError
from .sip.events import Event, InviteReceived
from .sip.message import Request

log = logging.getLogger(__name__)

RETRY_AFTER = ("Retry-After", "5")
"""Seconds a caller we have no room for is asked to wait."""


class SipTransport(Transport):
    """SIP legs over UDP."""

    name: ClassVar[str] = "sip"
    leg_types: ClassVar[tuple[str, ...]] = ("sip_inbound", "sip_outbound")
    request = CreateSipLeg

    def __init__(self, switch: Switch, settings: SipSettings) -> None:
        self.switch = switch
        self.settings = settings
        self.signalling: Signalling
        self._codecs = self._choose_codecs(settings.sip_codecs, "SIP_CODECS")
        self._ports = RtpPorts(settings.listen_ip, settings.rtp_port_min, settings.rtp_port_max)
        self._calls: dict[object, SipCall] = {}
        self._draining = False
        self._running = False

    @property
    def port(self) -> int:
        """The UDP port SIP is on."""
        return self.signalling.agent.config.port

    # -- life

    async def start(self) -> None:
        settings = self.settings
        bound = _bind(settings.listen_ip, settings.sip_port)
        config = Config(
            settings.announced_ip,
            bound.getsockname()[1],
            user_agent=settings.sip_host,
            contact_user="hookswitch",
        )
        agent = UserAgent(config, options_status=self._options_status)
        self.signalling = Signalling(agent, self._handle)
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self.signalling, sock=bound)
        self._running = True
        log.info("SIP on udp:%s:%s", config.host, config.port)

    async def stop(self) -> None:
        if self._running:
            self._running = False
            self.signalling.close()

    def drain(self) -> None:
        self._draining = True

    def metrics(self) -> Mapping[str, float]:
        if not self._running:
            return {}
        counters = self.signalling.agent.counters
        return {f"sip_{name}_total": value for name, value in counters.items()}

    # -- calls

    async def originate(self, request: CreateSipLeg) -> Leg:
        if request.rtt:
            raise BadRequest("rtt: real-time text over SIP is not available in this version")
        target, caller = request.target(), request.caller(self.settings)
        codecs = self._codecs
        if request.codecs is not None:
            codecs = self._choose_codecs(request.codecs, "codecs")
        ports = self._ports.take()
        try:
            leg = self.switch.create_leg("sip_outbound", request.options())
        except Unavailable:
            ports.close()
            raise
        media = CallMedia(self.switch, self.settings, leg, ports, codecs)
        auth = request.auth
        try:
            dialogue = self.signalling.agent.invite(
                target,
                caller,
                media.negotiation.offer(),
                self.signalling.now(),
                headers=request.sip_headers(),
                username=(auth.username or caller.uri.username) if auth else None,
                password=auth.password if auth else "",
            )
        except ParseError as error:
            ports.close()
            await leg.disconnected("invite_failed")
            raise BadRequest(f"headers: {error}") from None
        call = OutboundSipCall(self, leg, dialogue)
        call.media = media
        leg.call = self._calls[dialogue] = call
        leg.ringing(uri=str(target), caller=str(caller.uri))
        self.signalling.settle()
        return leg

    def open_media(self, leg: Leg, signalling_ip: str) -> CallMedia:
        """Media for an inbound call. Raises Unavailable when no port is left."""
        return CallMedia(
            self.switch, self.settings, leg, self._ports.take(), self._codecs, signalling_ip
        )

    def codec_named(self, name: str) -> CodecInfo | None:
        """One of the codecs in use, whatever the case of its name."""
        return next((c for c in self._codecs if c.name.lower() == name.lower()), None)

    def forget(self, call: SipCall) -> None:
        """A leg is over; its dialogue may go on for a while."""
        self._calls.pop(call.dialogue, None)

    # -- what the SIP core tells

    def _handle(self, event: Event) -> None:
        if isinstance(event, InviteReceived):
            self._invited(event)
        elif (call := self._calls.get(event.call)) is not None:
            call.handle(event)

    def _invited(self, event: InviteReceived) -> None:
        dialogue, request = event.call, event.request
        try:
            offered = None if request.sdp is None else self._offered(request.sdp)
        except SdpError as error:
            log.info("INVITE from %s refused: %s", event.source.host, error)
            dialogue.reject(error.status, self.signalling.now())
            return
        try:
            leg = self.switch.create_leg("sip_inbound", self._options(request, event.source.host))
        except Unavailable:
            dialogue.reject(503, self.signalling.now(), headers=[RETRY_AFTER])
            return
        names = None if offered is None else tuple(codec.name for codec in offered)
        call = InboundSipCall(self, leg, dialogue, names)
        leg.call = self._calls[dialogue] = call
        if (refusal := self.switch.admit(leg)) is not None:
            leg.hang_up(refusal)
            return
        leg.ringing(
            caller=str(request.from_.uri),
            to=str(request.to.uri),
            offered_codecs=offered,
            source_address=f"{event.source.host}:{event.source.port}",
        )
        if self.settings.sip_auto_ringing:
            call.ring()
        if self.switch.route(leg):
            call.answer(None)

    def _options(self, request: Request, source: str) -> LegOptions:
        """The leg an INVITE describes; only a trusted source may choose where events go."""
        headers = {name: value for name, value in request.headers if _is_shown(name)}
        options = LegOptions(headers=headers)
        if self.settings.trusts(source):
            get = request.headers.get
            if url := get("X-Webhook-URL"):
                options.webhook = WebhookTarget(url, get("X-Webhook-Secret"))
            options.app_id = get("X-App-ID")
        return options

    def _offered(self, sdp: bytes) -> tuple[OfferedCodec, ...]:
        """The codecs of an offer. Raises SdpError when we could not answer it."""
        local = LocalAudio(self._codecs, self.settings.announced_ip, port=9, session_id=0)
        AudioNegotiation(local).answer(sdp)
        return tuple(
            OfferedCodec(**codec) for codec in offered_codecs(SessionDescription.parse(sdp))
        )

    def _options_status(self, request: Request) -> int:
        return 503 if self._draining else 200

    def _choose_codecs(self, names: Any, field: str) -> tuple[CodecInfo, ...]:
        installed = {name.lower(): codec for name, codec in self.switch.codecs.items()}
        unknown = [name for name in names if name.lower() not in installed]
        if unknown or not names:
            have = ", ".join(self.switch.codecs)
            problem = f"{field}: {', '.join(unknown) or 'empty'}; installed codecs: {have}"
            raise SettingsError(problem) if field == "SIP_CODECS" else BadRequest(problem)
        return tuple(installed[name.lower()] for name in names)


def _bind(host: str, port: int) -> socket.socket:
    """The SIP socket. Raises SettingsError saying what is in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    bound.setblocking(False)
    # a burst of calls must not overflow the socket while Python is busy elsewhere
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        problem = f"SIP_PORT: cannot listen on udp {host}:{port}: {error.strerror}"
        raise SettingsError(problem) from None
    return bound


def _is_shown(name: str) -> bool:
    """Whether an application gets to see a header; a secret is for us alone."""
    name = name.lower()
    return name.startswith(("x-", "p-")) and name != "x-webhook-secret"
