"""Offer and answer of a whole session: audio, and text beside it if it is wanted.

The audio negotiation writes the session and refuses every other stream; the text negotiation puts
its own into the place of one of these. So neither knows of the other. Text is plain RTP: beside
audio that is protected there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .audio import LocalAudio, NegotiatedAudio
from .description import MediaDescription, SessionDescription
from .errors import SdpError
from .negotiation import AudioNegotiation
from .text import NegotiatedText, TextNegotiation, is_text, text_formats

TextPort = Callable[[], int | None]
"""Answers our port for text, or None when there shall be no text."""


class SessionNegotiation:
    """An `AudioNegotiation` with text; ``current`` is what was agreed of the audio."""

    def __init__(self, audio: AudioNegotiation, text_port: TextPort, *, offer_text: bool) -> None:
        self.audio = audio
        self._text = TextNegotiation()
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
        if (medium := self._offered_text(is_protected(body))) is not None:
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
                self._text.receive_answer(answer, answer.media[self._text_index])
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
        if b"m=text " in data and not is_protected(body):
            medium = self._answered_text(SessionDescription.parse(data))
            if medium is not None:
                body = self._with_text(body, medium)
        return self._numbered(body), agreed

    def _offered_text(self, protected: bool) -> MediaDescription | None:
        port = self._text_port() if self._offer_text and not protected else None
        if port is not None:
            return self._text.offer(port, self.audio.local.direction)
        return None if self._text_index is None else self._text.refused()

    def _answered_text(self, offer: SessionDescription) -> MediaDescription | None:
        """Our answer to the first text stream of an offer that suits us."""
        for index, media in enumerate(offer.media):
            if not is_text(media):
                continue
            try:
                text_formats(media)  # raises before a port is taken
                port = self._text_port()
                if port is None:
                    return None
                answered = self._text.answer(offer, media, port, self.audio.local.direction)
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


def is_protected(description: bytes) -> bool:
    """Whether the audio of a description that we wrote is, or may come to be, under SRTP."""
    return b"\r\na=crypto:" in description
