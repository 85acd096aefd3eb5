"""INVITEs that are no leg yet: let in or turned away, their offer looked at, made a leg."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from hookswitch.plugin import LegOptions, LegState, OfferedCodec, Unavailable, WebhookTarget

from .doorkeeper import Admitted, TurnedAway
from .inbound import InboundSipCall
from .ladder.view import View
from .offered import Offered
from .replacement import replacement_options
from .rtp.keys import SrtpKeys
from .sdp.audio import LocalAudio, NegotiatedAudio
from .sdp.description import SessionDescription
from .sdp.errors import NotAcceptable, SdpError
from .sdp.negotiation import check
from .sdp.streams import offered_codecs
from .settings import Way
from .sip.call import CallState
from .sip.events import InviteReceived
from .sip.message import Request
from .sip.uri import format_host, without_passwords

if TYPE_CHECKING:
    from .transport import SipTransport

log = logging.getLogger(__name__)

LOOK_UP_S = 4.0
"""Seconds that looking up the hosts of an offer may take; the caller has got 100 meanwhile."""

RETRY_AFTER = ("Retry-After", "5")
"""Seconds a caller we have no room for is asked to wait."""


class Incoming:
    """Makes legs of INVITEs."""

    def __init__(self, transport: SipTransport) -> None:
        self._transport = transport
        settings = transport.settings
        self._likely = LocalAudio(
            transport.usual_codecs,
            settings.announced_ip,
            port=9,
            session_id=0,
            srtp=settings.sip_srtp,
            keys=SrtpKeys.generate(),
        )
        """What an offer has to suit for its call to be taken; an answer has values of its own."""

    def take(self, event: InviteReceived) -> None:
        """Answer an INVITE at once, or have it ring."""
        transport, request = self._transport, event.request
        now = transport.signalling.now()
        admitted = transport.doorkeeper.admit(event, transport.callers.identity(event), now)
        if isinstance(admitted, TurnedAway):
            transport.witness.tie(admitted.leg_id, View.of(event.call))
            return
        try:
            offer = None if request.sdp is None else self._offered(request.sdp, event.source.host)
        except SdpError as error:
            self._refuse(event, error)
            return
        if offer is None or offer.is_numeric:
            self._make_leg(event, admitted, offer)
        else:
            transport.switch.spawn(self._look_up(event, admitted, offer))

    def _refuse(self, event: InviteReceived, error: SdpError) -> None:
        log.info("INVITE from %s refused: %s", event.source.host, error)
        event.call.reject(error.status, self._transport.signalling.now())

    async def _look_up(self, event: InviteReceived, admitted: Admitted, offer: Offered) -> None:
        """An offer that names its hosts: nothing rings before it is known that they exist."""
        error = None
        try:
            async with asyncio.timeout(LOOK_UP_S):
                await offer.look_up()
        except OSError as failure:
            error = NotAcceptable(f"no such host: {failure}")
        if event.call.state is not CallState.EARLY:
            return  # the caller gave up meanwhile
        if error is not None:
            self._refuse(event, error)
        else:
            self._make_leg(event, admitted, offer)
        self._transport.signalling.settle()

    def _make_leg(self, event: InviteReceived, admitted: Admitted, offer: Offered | None) -> None:
        """Have a call ring that can be answered."""
        transport, dialogue, request = self._transport, event.call, event.request
        now = transport.signalling.now()
        offered = None if offer is None else offer.codecs
        options = _options(request, admitted)
        replaced = transport.call_of(event.replaces)
        if event.replaces is not None:
            if replaced is None or replaced.leg.state is LegState.HUNG_UP:
                dialogue.reject(481, now)
                return
            options = replacement_options(options, replaced.leg)
        try:
            leg = transport.switch.create_leg("sip_inbound", options)
        except Unavailable:
            dialogue.reject(503, now, headers=[RETRY_AFTER])
            return
        names = None if offered is None else tuple(codec.name for codec in offered)
        way = transport.settings.way_to(event.source.host) if offer is None else offer.way
        call = InboundSipCall(transport, leg, dialogue, names, way)
        call.replaces = replaced
        leg.call = call
        transport.watch(dialogue, call)
        self._ring(event, call, offered)

    def _ring(
        self, event: InviteReceived, call: InboundSipCall, offered: tuple[OfferedCodec, ...] | None
    ) -> None:
        """Tell of the leg, unless it is refused after all; answer it if that is decided."""
        leg, switch, request = call.leg, self._transport.switch, event.request
        if (refusal := switch.admit(leg)) is not None:
            leg.hang_up(refusal)
            return
        leg.ringing(
            caller=without_passwords(str(request.from_.uri)),
            to=without_passwords(str(request.to.uri)),
            offered_codecs=offered,
            source_address=f"{format_host(event.source.host)}:{event.source.port}",
        )
        if self._transport.settings.sip_auto_ringing:
            call.ring()
        if call.replaces is not None or switch.route(leg):
            call.answer(None)

    def _offered(self, sdp: bytes, source: str) -> Offered:
        """What an offer from a host holds. Raises SdpError when we could not answer it."""
        offer = SessionDescription.parse(sdp)
        way, agreed = self._agreed(offer, source)
        usual = self._transport.codecs.usual
        codecs = tuple(
            OfferedCodec(**each | {"name": usual(each["name"])}) for each in offered_codecs(offer)
        )
        return Offered(codecs, way, (agreed.remote, agreed.remote_rtcp))

    def _agreed(self, offer: SessionDescription, source: str) -> tuple[Way, NegotiatedAudio]:
        """By which family the audio goes: the signalling's, or the other one if that suits alone.

        Raises SdpError.
        """
        settings = self._transport.settings
        usual = settings.way_to(source)
        others = [way for way in settings.ways if way is not usual]
        try:
            return usual, check(offer, replace(self._likely, host=usual.announced))
        except NotAcceptable:
            for way in others:
                with contextlib.suppress(NotAcceptable):
                    return way, check(offer, replace(self._likely, host=way.announced))
            raise


def _options(request: Request, admitted: Admitted) -> LegOptions:
    """The leg an INVITE describes; only a trusted caller may choose where events go."""
    headers = {name: without_passwords(value) for name, value in request.headers if _is_shown(name)}
    options = LegOptions(headers=headers, identity=admitted.identity)
    if admitted.trusted:
        get = request.headers.get
        if url := get("X-Webhook-URL"):
            options.webhook = WebhookTarget(url, get("X-Webhook-Secret"))
        options.app_id = get("X-App-ID")
    return options


def _is_shown(name: str) -> bool:
    """Whether an application gets to see a header; a secret is for us alone."""
    name = name.lower()
    return name.startswith(("x-", "p-")) and name != "x-webhook-secret"
