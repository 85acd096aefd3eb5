"""A WebSocket leg's call: from its port to its last message, in either direction."""

from __future__ import annotations

from hookswitch.mixer.topology import CommandError
from hookswitch.plugin import Call, Leg, Switch, Unavailable
from hookswitch.websocket.session import Counters, Ending, Patience, Session
from hookswitch.websocket.socket import Message, Socket

from .frames import Audio, FrameError, Hangup, LegMessage, Ping, Pong, Problem, Text, Wire
from .requests import AudioFields

_NO_TEXT = "text: the text channel is off; it is enabled with rtt=true"


class WebSocketCall(Call):
    """Ends once, with the first reason given, whoever gives it."""

    def __init__(
        self,
        leg: Leg,
        fields: AudioFields,
        switch: Switch,
        patience: Patience,
        counters: Counters,
    ) -> None:
        self.ending = Ending()
        self._leg, self._switch = leg, switch
        self._has_text = fields.rtt
        self._wire = Wire(fields.wire_format)
        self._session = Session(self._wire, fields.sample_rate, self.ending, patience, counters)

    # -- what the kernel asks

    def hang_up(self, reason: str) -> None:
        self.ending.end(reason)

    def send_text(self, text: str) -> None:
        if not self._has_text:
            super().send_text(text)
        self._session.send(self._wire.pack(Text(text)))

    @property
    def takes_text(self) -> bool:
        return self._has_text

    # -- its life

    async def open(self) -> None:
        """Open the leg's port. Raises Unavailable."""
        try:
            await self._session.open(self._switch.media, self._leg.id, self._leg.on_report)
        except (CommandError, OSError) as error:
            raise Unavailable(f"no media for this leg: {error}") from error

    async def talk(self, socket: Socket) -> None:
        """The leg is connected, until either side ends it."""
        await self._leg.media_ready(self._leg.id)
        if self.ending.reason is None:
            await self._leg.connected()
        await self._session.run(socket, self._receive)

    def failed(self, problem: Exception) -> None:
        """End because of something that went wrong before or while talking."""
        self._leg.log.warning("the call failed: %s", problem)
        self.ending.end("server_error")

    async def close(self, socket: Socket | None) -> None:
        """Tell the kernel, and close what is open."""
        await self._leg.disconnected(self.ending.reason or "server_error")
        # the leg itself closes only a port it was given
        await self._switch.media.close_port(self._leg.id)
        if socket is not None:
            await self._session.close(socket)

    # -- what the peer says

    def _receive(self, message: Message) -> None:
        try:
            self._take(self._wire.unpack(message))
        except FrameError as error:
            self._session.complain(self._wire.pack(Problem(str(error))))

    def _take(self, message: LegMessage) -> None:
        match message:
            case Audio(pcm):
                self._session.say(pcm)
            case Text(text):
                if not self._has_text:
                    raise FrameError(_NO_TEXT)
                self._leg.text_received(text)
            case Ping(event_id):
                self._session.reply(self._wire.pack(Pong(event_id)))
            case Hangup():
                self.ending.end("hangup")
            case Problem(error):
                self._leg.log.debug("< the peer complains: %s", error)
            case Pong():
                pass  # a sign of life, which the socket has noticed
