"""The text stream of a session description (RFC 4103 section 7, RFC 9071)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hookswitch_transport_sip.rtp.keys import Secret, SrtpKeys

from .audio import Address, Srtp
from .description import MediaDescription, SessionDescription
from .direction import Direction
from .errors import NotAcceptable
from .protection import Protection, suits
from .streams import PROTOS, addresses, refused
from .values import Format, Media

T140, RED = "t140", "red"
CLOCK_RATE = 1000

DEFAULT_CPS = 30
"""Characters a second of a peer that does not say (RFC 4103 section 6)."""

GENERATIONS = 2
"""How often text is repeated unless the peer wants it otherwise (RFC 4103 section 4)."""

_MOST_GENERATIONS = 4
_OURS = (Format(99, RED, CLOCK_RATE), Format(98, T140, CLOCK_RATE))


@dataclass(frozen=True, slots=True)
class NegotiatedText:
    """What both sides agreed on.

    ``payload_type`` and ``red_type`` are what we send, the latter None without redundancy;
    ``receive_types`` and ``receive_red_types`` what we get. ``direction`` is ours. ``srtp`` is None
    when the text goes in the clear.
    """

    payload_type: int
    red_type: int | None
    receive_types: tuple[int, ...]
    receive_red_types: tuple[int, ...]
    generations: int
    cps: int
    direction: Direction
    remote: Address | None
    remote_rtcp: Address | None
    srtp: SrtpKeys | None = None


class TextNegotiation:
    """Our half of the offers and answers about one text stream. ``current`` is what was agreed
    last, or None; ``medium`` is the stream as it was described last, by whichever side.

    ``keys`` are ours by suite. The policy of each step says whether they are wanted.
    """

    def __init__(self, keys: Mapping[str, Secret]) -> None:
        self.current: NegotiatedText | None = None
        self.medium: MediaDescription | None = None
        self._keys = keys
        self._formats: Sequence[Format] = _OURS
        self._protection = Protection()

    def offer(self, port: int, direction: Direction, policy: Srtp) -> MediaDescription:
        """The stream as we want it."""
        proto = self._protection.proto(policy)
        self.medium = _describe(port, proto, self._formats, direction)
        agreed = self.current.srtp if self.current else None
        self._protection.offer(self.medium, policy, self._keys, agreed)
        return self.medium

    def receive_answer(
        self, answer: SessionDescription, media: MediaDescription, policy: Srtp
    ) -> None:
        """Take the answer to our offer. Raises SdpError; there is no text then."""
        self.current = None
        assert self.medium is not None
        ours = self.medium.direction or Direction.SENDRECV
        agreed = _agree(answer, media, self._formats, ours)
        self.current = replace(agreed, srtp=self._protection.accepted(media, policy))

    def answer(
        self,
        offer: SessionDescription,
        media: MediaDescription,
        port: int,
        direction: Direction,
        policy: Srtp,
    ) -> MediaDescription:
        """Our answer to a text stream that `suits`. Raises SdpError when it does not agree."""
        self.current = None
        formats = text_formats(media)
        agreed = _agree(offer, media, formats, direction)
        keys, crypto = self._protection.answer(media, policy, self._keys)
        self.current, self._formats = replace(agreed, srtp=keys), formats
        self.medium = _describe(port, media.media.proto, formats, agreed.direction)
        if crypto is not None:
            self.medium.add("a", f"crypto:{crypto}")
        return self.medium

    def suits(self, media: MediaDescription, policy: Srtp) -> bool:
        """Whether an offered text stream can be had. Raises SdpError for one we cannot read."""
        text_formats(media)
        return suits(media, policy, self._keys)

    def refuse(self) -> None:
        """There is no text any more."""
        self.current = None

    def refused(self) -> MediaDescription:
        """The stream with port 0; a line once described stays (RFC 3264 section 8)."""
        assert self.medium is not None
        return refused(self.medium)


def is_text(media: MediaDescription) -> bool:
    """Whether a stream is text that is not refused."""
    return media.media.kind == "text" and media.media.port != 0


def text_formats(media: MediaDescription) -> list[Format]:
    """The peer's formats that are ours too; NotAcceptable without plain t140."""
    if media.media.proto not in PROTOS:
        raise NotAcceptable(f"text over {media.media.proto}")
    known = [f for f in media.formats if f.matches(T140, CLOCK_RATE) or f.matches(RED, CLOCK_RATE)]
    if not any(each.matches(T140, CLOCK_RATE) for each in known):
        raise NotAcceptable("the text stream has no t140")
    return known


def _describe(
    port: int, proto: str, formats: Sequence[Format], direction: Direction
) -> MediaDescription:
    types = tuple(str(each.payload_type) for each in formats)
    media = MediaDescription.of(Media("text", port, proto, types))
    (plain, *_) = _types(formats, T140)
    for each in formats:
        media.add("a", f"rtpmap:{each}")
        if each.matches(RED, CLOCK_RATE):
            generations = "/".join([str(plain)] * (GENERATIONS + 1))
            media.add("a", f"fmtp:{each.payload_type} {generations}")
    media.add("a", direction.value)
    return media


def _agree(
    description: SessionDescription,
    media: MediaDescription,
    ours: Sequence[Format],
    direction: Direction,
) -> NegotiatedText:
    if not media.media.port or media.media.kind != "text":
        raise NotAcceptable("the text stream is refused")
    theirs = text_formats(media)
    (plain, *_), red = _types(theirs, T140), _types(theirs, RED)
    remote, rtcp, _mux = addresses(description, media)
    wanted = description.direction_of(media).reversed()
    if remote is None:
        wanted &= Direction.RECVONLY
    return NegotiatedText(
        payload_type=plain,
        red_type=red[0] if red else None,
        receive_types=_types(ours, T140),
        receive_red_types=_types(ours, RED),
        generations=_generations(media, red),
        cps=_cps(media, plain),
        direction=direction & wanted,
        remote=remote,
        remote_rtcp=rtcp,
    )


def _types(formats: Sequence[Format], name: str) -> tuple[int, ...]:
    return tuple(each.payload_type for each in formats if each.matches(name, CLOCK_RATE))


def _generations(media: MediaDescription, red: Sequence[int]) -> int:
    """How many earlier texts the peer wants in a packet: ``98/98/98`` asks for two."""
    listed = media.fmtp(red[0]) if red else None
    if not listed:
        return GENERATIONS
    return min(max(listed.count("/"), 1), _MOST_GENERATIONS)


def _cps(media: MediaDescription, payload_type: int) -> int:
    """Characters a second the peer can take."""
    for parameter in (media.fmtp(payload_type) or "").split(";"):
        name, _, value = parameter.strip().partition("=")
        value = value.strip()
        if name.strip().lower() == "cps" and value.isascii() and value.isdigit():
            return min(max(int(value[:6]), 1), 10_000)
    return DEFAULT_CPS
