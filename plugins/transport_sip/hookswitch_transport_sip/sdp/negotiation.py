"""Offer and answer (RFC 3264) for one audio stream; whatever else is offered is refused.

An `AudioNegotiation` lives as long as the call: it remembers the payload types, the other media
and the version that later descriptions must continue. It does no I/O and knows no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hookswitch.codecs.base import CodecInfo

from .audio import Alternative, LocalAudio, NegotiatedAudio
from .description import MediaDescription, SessionDescription
from .direction import Direction
from .errors import NotAcceptable, SdpError, StateError
from .protection import Protection, suits
from .streams import (
    PROTOS,
    TELEPHONE_EVENT,
    addresses,
    codec_of,
    events,
    find,
    is_reachable,
    packet_time,
    refused,
    voice,
)
from .values import Connection, Format, Media, Origin

EVENTS = "0-15"
"""The telephone events we take: the sixteen keys (RFC 4733 section 3.2)."""

_FIRST_EVENT_TYPE = 101
_DYNAMIC = (*range(96, 128),)


class AudioNegotiation:
    """Our half of a call's offers and answers. ``current`` is the last agreement, or None."""

    def __init__(self, local: LocalAudio) -> None:
        self.local = local
        self.current: NegotiatedAudio | None = None
        self._version = local.session_id
        self._written: bytes | None = None
        self._others: list[MediaDescription] = []
        self._index = 0
        self._types: dict[tuple[str, int, int], int] = {}
        self._offered: list[Format] | None = None
        self._waiting = False
        self._before = local
        self._protection = Protection()

    def offer(self, **changes: Any) -> bytes:
        """An offer with all our codecs; ``changes`` are fields of `LocalAudio` to change first.

        It is pending until `receive_answer` or `abandon_offer`.
        """
        if self._waiting:
            raise StateError("an offer is already waiting for its answer")
        self._before, self.local = self.local, replace(self.local, **changes)
        self._offered = self._our_formats()
        self._waiting = True
        proto = self._protection.proto(self.local.srtp)
        audio = self._audio(self._offered, self.local.direction, proto)
        agreed = self.current.srtp if self.current else None
        self._protection.offer(audio, self.local.srtp, self.local.keys, agreed)
        return self._write(audio)

    def abandon_offer(self) -> None:
        """The offer failed: what was agreed before stays (RFC 3261 section 14.1)."""
        if self._waiting:
            self._waiting, self.local = False, self._before

    def receive_answer(self, data: bytes) -> NegotiatedAudio:
        """Take the answer to our offer; another one may follow from another branch of the call.

        One that does not suit leaves what was agreed before.
        """
        if self._offered is None:
            raise StateError("an answer without an offer")
        waiting, self._waiting = self._waiting, False
        try:
            self.current = self._agreed(SessionDescription.parse(data), self._offered)
        except SdpError:
            self.local = self._before if waiting else self.local
            raise
        return self.current

    def _agreed(self, answer: SessionDescription, offered: list[Format]) -> NegotiatedAudio:
        if len(answer.media) <= self._index:
            raise NotAcceptable("the answer leaves out the audio stream")
        media = answer.media[self._index]
        if media.media.kind != "audio" or not media.media.port:
            raise NotAcceptable("the answer refuses the audio stream")
        if not is_reachable(answer, media, self.local.host):
            raise NotAcceptable("the answer has an address of the other family")
        keys = self._protection.accepted(media, self.local.srtp)
        common = _in_common(self.local.codecs, offered, media)
        if not common:
            raise NotAcceptable("the answer has no codec of the offer")
        codec, theirs = common[0]
        agreed = _agree(self.local, answer, media, codec, theirs, offered)
        others = tuple(
            Alternative(
                other,
                format_.payload_type,
                (find(offered, format_) or format_).payload_type,
                media.fmtp(format_.payload_type) or "",
            )
            for other, format_ in common[1:]
        )
        # We offer no multiplexing, so an answer cannot accept it.
        return replace(agreed, rtcp_mux=False, srtp=keys, alternatives=others)

    def answer(
        self, data: bytes, *, codec: str | None = None, **changes: Any
    ) -> tuple[bytes, NegotiatedAudio]:
        """The answer to an offer, and what is agreed by it.

        ``codec`` names the one to use; otherwise our order of preference decides. Raises
        NotAcceptable when nothing suits.
        """
        if self._waiting:
            raise StateError("an offer of ours is waiting for its answer")
        offer = SessionDescription.parse(data)
        local = replace(self.local, **changes)
        index, media, ours, theirs = _choose(offer, local, codec)
        agreed = _agree(local, offer, media, ours, theirs, media.formats)
        keys, crypto = self._protection.answer(media, local.srtp, local.keys)
        agreed = replace(agreed, srtp=keys)
        self.local, self.current, self._index = local, agreed, index
        self._others = offer.media[:index] + offer.media[index + 1 :]
        self._offered = None
        self._remember(media.formats)
        formats = [theirs]
        if agreed.telephone_event_pt is not None:
            rate = agreed.telephone_event[agreed.telephone_event_pt]
            formats.append(Format(agreed.telephone_event_pt, TELEPHONE_EVENT, rate))
        audio = self._audio(formats, agreed.direction, media.media.proto, mux=agreed.rtcp_mux)
        if crypto is not None:
            audio.add("a", f"crypto:{crypto}")
        return self._write(audio), agreed

    # Writing

    def _our_formats(self) -> list[Format]:
        """Our codecs and their events, under payload types that stay the same for the call."""
        formats = [
            Format(
                self._type_for(each.name, each.clock_rate, each.channels, each.payload_type),
                each.name,
                each.clock_rate,
                each.channels,
            )
            for each in self.local.codecs
        ]
        rates = dict.fromkeys(each.clock_rate for each in self.local.codecs)
        if self.local.telephone_event:
            for rate in rates:
                payload_type = self._type_for(TELEPHONE_EVENT, rate, 1, None)
                formats.append(Format(payload_type, TELEPHONE_EVENT, rate))
        return formats

    def _type_for(self, name: str, clock_rate: int, channels: int, static: int | None) -> int:
        key = (name.casefold(), clock_rate, channels)
        if key not in self._types:
            used = set(self._types.values())
            first = (_FIRST_EVENT_TYPE,) if name == TELEPHONE_EVENT else ()
            choices = (*first, *_DYNAMIC) if static is None else (static, *_DYNAMIC)
            free = [each for each in choices if each not in used]
            if not free:
                raise NotAcceptable("no payload type is left")
            self._types[key] = free[0]
        return self._types[key]

    def _remember(self, formats: Sequence[Format]) -> None:
        """A later offer of ours uses the peer's payload types (RFC 3264 section 8.3.2)."""
        theirs = {(e.name.casefold(), e.clock_rate, e.channels): e.payload_type for e in formats}
        taken = set(theirs.values())
        kept = {key: value for key, value in self._types.items() if value not in taken}
        self._types = kept | theirs

    def _audio(
        self,
        formats: Sequence[Format],
        direction: Direction,
        proto: str,
        *,
        mux: bool = False,
    ) -> MediaDescription:
        local = self.local
        types = tuple(str(each.payload_type) for each in formats)
        media = MediaDescription.of(Media("audio", local.port, proto, types))
        for each in formats:
            media.add("a", f"rtpmap:{each}")
            if each.name.casefold() == TELEPHONE_EVENT:
                media.add("a", f"fmtp:{each.payload_type} {EVENTS}")
            elif (codec := codec_of(local.codecs, each)) is not None and codec.fmtp:
                media.add("a", f"fmtp:{each.payload_type} {codec.fmtp}")
        media.add("a", f"ptime:{local.ptime_ms}")
        if mux:
            media.add("a", "rtcp-mux")
        elif local.rtcp_port not in (None, local.port + 1):
            media.add("a", f"rtcp:{local.rtcp_port}")
        media.add("a", direction.value)
        return media

    def _write(self, audio: MediaDescription) -> bytes:
        """The description; its version grows only when something changed (section 8)."""
        local = self.local
        media = [refused(each) for each in self._others]
        media.insert(self._index, audio)
        description = SessionDescription(media=media)
        description.add("s", local.name)
        description.add("c", str(Connection(local.host)))
        description.add("t", "0 0")
        body = bytes(description)
        if self._written is not None and body != self._written:
            self._version += 1
        self._written = body
        origin = Origin("-", local.session_id, self._version, local.host)
        return f"v=0\r\no={origin}\r\n".encode() + body


def check(offer: SessionDescription, local: LocalAudio) -> NegotiatedAudio:
    """What would be agreed. Raises SdpError when `AudioNegotiation.answer` would find nothing."""
    _, media, ours, theirs = _choose(offer, local, None)
    return _agree(local, offer, media, ours, theirs, media.formats)


def _choose(
    offer: SessionDescription, local: LocalAudio, codec: str | None
) -> tuple[int, MediaDescription, CodecInfo, Format]:
    """The first audio stream that has one of our codecs, and the one of them we like best."""
    wanted = [each for each in local.codecs if codec in (None, each.name)]
    for index, media in enumerate(offer.media):
        what = media.media
        if what.kind != "audio" or not what.port or what.proto not in PROTOS:
            continue
        if not suits(media, local.srtp, local.keys):
            continue
        if not is_reachable(offer, media, local.host):
            continue
        for each in wanted:
            for theirs in media.formats:
                if theirs.matches(each.name, each.clock_rate, each.channels):
                    return index, media, each, theirs
    raise NotAcceptable("no audio stream and codec in common")


def _in_common(
    codecs: Sequence[CodecInfo], ours: Sequence[Format], media: MediaDescription
) -> list[tuple[CodecInfo, Format]]:
    """Codecs of an answer that we offered, in its order."""
    both = [(codec_of(codecs, theirs), theirs) for theirs in voice(media.formats)]
    return [(codec, theirs) for codec, theirs in both if codec and find(ours, theirs)]


def _agree(
    local: LocalAudio,
    description: SessionDescription,
    media: MediaDescription,
    codec: CodecInfo,
    theirs: Format,
    ours: Sequence[Format],
) -> NegotiatedAudio:
    """What their description of the stream means together with the formats of ours."""
    remote, rtcp, mux = addresses(description, media)
    direction = description.direction_of(media)
    if remote is None:
        direction &= Direction.SENDONLY
    sent = events(media.formats, codec.clock_rate) if local.telephone_event else {}
    same = find(ours, theirs) or theirs
    return NegotiatedAudio(
        codec=codec,
        payload_type=theirs.payload_type,
        receive_payload_type=same.payload_type,
        direction=local.direction & direction.reversed(),
        remote=remote,
        remote_rtcp=rtcp,
        rtcp_mux=mux,
        ptime_ms=packet_time(media, local.ptime_ms, codec.packet_times),
        telephone_event=sent | events(ours, codec.clock_rate) if sent else {},
        telephone_event_pt=next(iter(sent), None),
        fmtp=media.fmtp(theirs.payload_type) or "",
    )
