"""The transport ``websocket``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hookswitch.plugin import BadRequest, Leg, Switch, Transport
from hookswitch.websocket.session import Counters, Patience

from .call import WebSocketCall
from .dialling import ClientSocket, DialFailed, dial
from .requests import AudioFields, CreateWebSocketLeg
from .settings import WebSocketSettings


class WebSocketTransport(Transport):
    """WebSocket legs, in and out."""

    name = "websocket"
    leg_types = ("websocket_in", "websocket_out")
    request = CreateWebSocketLeg

    def __init__(self, switch: Switch, settings: WebSocketSettings) -> None:
        self._switch = switch
        self._patience = Patience(
            settings.ws_ping_interval, settings.ws_ping_timeout, settings.ws_backlog
        )
        self._counters = Counters()

    def call(self, leg: Leg, fields: AudioFields) -> WebSocketCall:
        """The call of a new leg."""
        call = WebSocketCall(leg, fields, self._switch, self._patience, self._counters)
        leg.call = call
        return call

    def check(self, fields: AudioFields) -> None:
        """Raise BadRequest if the server does not do what is asked."""
        if fields.rtt and not self._switch.settings.rtt_enabled:
            raise BadRequest("rtt: real-time text is disabled on this server (RTT_ENABLED)")

    async def originate(self, request: CreateWebSocketLeg) -> Leg:
        self.check(request)
        leg = self._switch.create_leg("websocket_out", request.options())
        call = self.call(leg, request)
        leg.ringing(uri=request.public_url)
        self._switch.spawn(self._run(leg, call, request))
        return leg

    def metrics(self) -> Mapping[str, float]:
        counters = self._counters
        return {
            "ws_bad_messages_total": counters.bad_messages,
            "ws_dropped_samples_total": counters.dropped_samples,
            "ws_dropped_replies_total": counters.dropped_replies,
        }

    async def _run(self, leg: Leg, call: WebSocketCall, request: CreateWebSocketLeg) -> None:
        socket: ClientSocket | None = None
        try:
            socket = await _dial_until_ended(call, request)
            if socket is not None:
                await call.open()
                await call.talk(socket)
        except DialFailed as failure:
            leg.log.info("> dialling failed: %s", failure)
            call.ending.end(failure.reason)
        except Exception as problem:
            call.failed(problem)
        finally:
            await call.close(socket)


async def _dial_until_ended(
    call: WebSocketCall, request: CreateWebSocketLeg
) -> ClientSocket | None:
    """Dial; None when the call ended first. Raises DialFailed."""
    dialling = asyncio.create_task(dial(request))
    ended = asyncio.create_task(call.ending.wait())
    try:
        await asyncio.wait([dialling, ended], return_when=asyncio.FIRST_COMPLETED)
        return dialling.result() if dialling.done() else None
    finally:
        ended.cancel()
        dialling.cancel()
        await asyncio.gather(dialling, ended, return_exceptions=True)
