"""The real-time text of one call: there or not, as offers and answers have it."""

from __future__ import annotations

from collections.abc import Callable

from hookswitch.plugin import Leg, Unavailable

from .numeric import numeric
from .rtp_ports import PortPair
from .sdp.text import NegotiatedText
from .text.receiver import ReceiveFormat
from .text.sender import SendFormat
from .text.stream import TextParams
from .text_media import TextMedia


class CallText:
    """Takes ports when text is first wanted, and gives them back when it is not any more.

    ``take_ports`` raises Unavailable when none is left: the call goes on without text.
    """

    def __init__(
        self,
        leg: Leg,
        take_ports: Callable[[], PortPair],
        signalling_ip: str | None,
        cname: str,
        *,
        enabled: bool,
    ) -> None:
        self._leg, self._take_ports = leg, take_ports
        self._signalling_ip, self._cname = signalling_ip, cname
        self._enabled = enabled
        self._media: TextMedia | None = None
        self._agreed: NegotiatedText | None = None

    @property
    def can_send(self) -> bool:
        """Whether the peer takes text now."""
        is_open = self._media is not None and self._media.is_open
        return is_open and self._agreed is not None and self._agreed.direction.sends

    def send(self, text: str) -> None:
        """Send text where `can_send`. Raises OperationFailed."""
        assert self._media is not None
        self._media.write(text)

    def heard_within(self, seconds: float) -> bool:
        """Whether a packet has come this lately."""
        return self._media is not None and self._media.heard_within(seconds)

    def port(self) -> int | None:
        """Our port for an offer or answer; None when there shall be no text."""
        if self._media is None and self._enabled:
            try:
                self._media = TextMedia(self._take_ports(), self._leg.text_received)
            except Unavailable as error:
                self._leg.log.warning("no text in this call: %s", error)
        return None if self._media is None else self._media.port

    async def apply(self, agreed: NegotiatedText | None) -> None:
        """Have the text be as agreed. Raises OSError (a name that is none)."""
        self._agreed = agreed
        if agreed is None:
            self._drop()
            return
        params = TextParams(
            SendFormat(agreed.payload_type, agreed.red_type, agreed.generations, agreed.cps),
            ReceiveFormat(agreed.receive_types, agreed.receive_red_types),
            await numeric(agreed.remote),
            await numeric(agreed.remote_rtcp),
            sends=agreed.direction.sends,
            receives=agreed.direction.receives,
            signalling_ip=self._signalling_ip,
            cname=self._cname,
            srtp=agreed.srtp,
        )
        if self._media is not None:  # the call may have ended meanwhile
            self._media.apply(params)

    def close(self) -> None:
        """The call is over."""
        self._enabled = False
        self._drop()

    def _drop(self) -> None:
        if self._media is not None:
            self._media.close()
            self._media = None
