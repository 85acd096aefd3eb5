"""Offer and answer of a whole session: audio, and text beside it if it is wanted.

The audio negotiation writes the session and refuses every other stream; the text negotiation puts
its own into the place of one of these. So neither knows of the other. Beside audio that is
protected, text is too, under keys of its own, or there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hookswitch_transport_sip.rtp.keys import Secret

from .audio import LocalAudio, NegotiatedAudio, Srtp
from .description import MediaDescription, SessionDescription
from .errors import NotAcceptable, SdpError
from .negotiation import AudioNegotiation
from .streams import is_reachable
from .text import NegotiatedText, TextNegotiation, is_text

TextPort = Callable[[], int | None]
"""Answers our port for text, or None when there shall be no text."""


class SessionNegotiation:
    """An `AudioNegotiation` with text; ``current`` is what was agreed of the audio.

    ``text_keys`` are the text's own, by suite.
    """

    def __init__(
        self,
        audio: AudioNegotiation,
        text_port: TextPort,
        text_keys: Mapping[str, Secret],
        *,
        offer_text: bool,
    ) -> None:
        self.audio = audio
        self._text = TextNegotiation(text_keys)
        self._text_port = text_port
        self._offer_text = offer_text
        self._text_index: int | None = None
        self._version = audio.local.session_id
        self._written: bytes | None = None

    @property
    def local(self) -> LocalAudio:
        return self.audio.local

    @property
    def current(self) -> NegotiatedAudio | None:
        return self.audio.current

    @current.setter
    def current(self, agreed: NegotiatedAudio) -> None:
        """Something else is in use without a new offer."""
        self.audio.current = agreed

    @property
    def text(self) -> NegotiatedText | None:
        """What was agreed of the text."""
        return self._text.current

    def offer(self, **changes: Any) -> bytes:
        """An offer; see `AudioNegotiation.offer`. Text stays as it is, once agreed or refused."""
        body = self.audio.offer(**changes)
        if (medium := self._offered_text()) is not None:
            body = self._with_text(body, medium)
        return self._numbered(body)

    def abandon_offer(self) -> None:
        """The offer failed: what was agreed before stays."""
        self.audio.abandon_offer()

    def receive_answer(self, data: bytes) -> NegotiatedAudio:
        """Take the answer to our offer; it may leave out or refuse the text."""
        agreed = self.audio.receive_answer(data)
        if self._text_index is not None:
            answer = SessionDescription.parse(data)
            try:
                media = answer.media[self._text_index]
                if not is_reachable(answer, media, self.local.host):
                    raise NotAcceptable("the text has an address of the other family")
                self._text.receive_answer(answer, media, self._policy(agreed))
            except (SdpError, IndexError):
                self._text.refuse()
        self._offer_text = self.text is not None
        return agreed

    def answer(
        self, data: bytes, *, codec: str | None = None, **changes: Any
    ) -> tuple[bytes, NegotiatedAudio]:
        """The answer to an offer; see `AudioNegotiation.answer`."""
        body, agreed = self.audio.answer(data, codec=codec, **changes)
        self._text.refuse()
        # a text stream that we refuse now is one of those the audio negotiation remembers
        self._text_index, self._offer_text = None, False
        if b"m=text " in data:
            offer = SessionDescription.parse(data)
            if (medium := self._answered_text(offer, self._policy(agreed))) is not None:
                body = self._with_text(body, medium)
        return self._numbered(body), agreed

    def _policy(self, agreed: NegotiatedAudio) -> Srtp:
        """Of the text: no less than that of the audio beside it."""
        return self.local.srtp if agreed.srtp is None else "required"

    def _offered_text(self) -> MediaDescription | None:
        port = self._text_port() if self._offer_text else None
        if port is not None:
            return self._text.offer(port, self.local.direction, self.local.srtp)
        return None if self._text_index is None else self._text.refused()

    def _answered_text(self, offer: SessionDescription, policy: Srtp) -> MediaDescription | None:
        """Our answer to the first text stream of an offer that suits us."""
        for index, media in enumerate(offer.media):
            if not is_text(media) or not is_reachable(offer, media, self.local.host):
                continue
            try:
                if not self._text.suits(media, policy):  # asked before a port is taken
                    continue
                port = self._text_port()
                if port is None:
                    return None
                direction = self.audio.local.direction
                answered = self._text.answer(offer, media, port, direction, policy)
            except SdpError:
                continue
            self._text_index, self._offer_text = index, True
            return answered
        return None

    def _with_text(self, body: bytes, medium: MediaDescription) -> bytes:
        """The text stream in its place; behind all others the first time."""
        description = SessionDescription.parse(body)
        if self._text_index is None:
            self._text_index = len(description.media)
        description.media[self._text_index : self._text_index + 1] = [medium]
        return bytes(description)

    def _numbered(self, body: bytes) -> bytes:
        """With the session's version, which grows only when something changed (section 8)."""
        first, origin, rest = body.split(b"\r\n", 2)
        if self._written is not None and rest != self._written:
            self._version += 1
        self._written = rest
        fields = origin.split(b" ")
        fields[2] = b"%d" % self._version
        return b"\r\n".join((first, b" ".join(fields), rest))
