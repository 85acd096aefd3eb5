"""What the audio stream of somebody's description says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hookswitch.codecs.base import CodecInfo

from .audio import Address
from .description import MediaDescription, SessionDescription
from .errors import ParseError
from .values import Format

TELEPHONE_EVENT = "telephone-event"

PROTOS = ("RTP/AVP", "RTP/SAVP", "RTP/AVPF", "RTP/SAVPF")
"""Transports of audio we know; of the feedback profiles we send no feedback, which is allowed."""


def offered_codecs(offer: SessionDescription) -> list[dict[str, Any]]:
    """The codecs of an offer's first audio stream, as events and legs show them."""
    for media in offer.media:
        if media.media.kind == "audio" and media.media.port:
            return [
                {
                    "name": each.name,
                    "payload_type": each.payload_type,
                    "clock_rate": each.clock_rate,
                    "priority": priority,
                }
                for priority, each in enumerate(voice(media.formats))
            ]
    return []


def voice(formats: Sequence[Format]) -> list[Format]:
    """Without telephone events and comfort noise, which are no codecs by themselves."""
    return [each for each in formats if each.name.casefold() not in (TELEPHONE_EVENT, "cn")]


def find(formats: Sequence[Format], like: Format) -> Format | None:
    """The format of the same name, clock rate and channels."""
    same = (each for each in formats if each.matches(like.name, like.clock_rate, like.channels))
    return next(same, None)


def codec_of(codecs: Sequence[CodecInfo], like: Format) -> CodecInfo | None:
    """The codec that a format means."""
    same = (each for each in codecs if like.matches(each.name, each.clock_rate, each.channels))
    return next(same, None)


def events(formats: Sequence[Format], clock_rate: int) -> dict[int, int]:
    """Payload types of telephone events, and their clock rates.

    They should be at the codec's clock rate (RFC 4733 section 2.1); many a peer has them at 8 kHz
    alone, whatever its codec, and they serve as well.
    """
    named = [each for each in formats if each.name.casefold() == TELEPHONE_EVENT]
    found = [each for each in named if each.clock_rate == clock_rate] or named
    return {each.payload_type: each.clock_rate for each in found if each.clock_rate >= 1000}


def addresses(
    description: SessionDescription, media: MediaDescription
) -> tuple[Address | None, Address | None, bool]:
    """Where RTP and RTCP go, and whether on one port; None for the all-zeros address."""
    connection = description.connection_of(media)
    if connection is None:
        raise ParseError("c=", "missing for the audio stream")
    mux = media.rtcp_mux
    if connection.is_unspecified:
        return None, None, mux
    host, port = connection.host, media.media.port
    rtcp_port, rtcp_host = media.rtcp or (min(port + 1, 65535), None)
    rtcp = (rtcp_host or host, rtcp_port) if rtcp_port else None
    return (host, port), (host, port) if mux else rtcp, mux


def is_reachable(description: SessionDescription, media: MediaDescription, local_host: str) -> bool:
    """Whether its address is of the family our socket is of; a name may be of any."""
    connection = description.connection_of(media)
    if connection is None or connection.is_unspecified or not connection.is_numeric:
        return True
    return (":" in connection.host) == (":" in local_host)


def packet_time(media: MediaDescription, ours: int, choice: Sequence[int]) -> int:
    """The longest packet time of the codec that the peer's ptime and maxptime allow."""
    wanted = min(media.ptime or ours, media.maxptime or max(choice))
    return max((each for each in choice if each <= wanted), default=min(choice))


def is_secure(media: MediaDescription) -> bool:
    """Whether the stream must be protected (RFC 3711 section 12, RFC 5124)."""
    return media.media.proto in ("RTP/SAVP", "RTP/SAVPF")


def refused(media: MediaDescription) -> MediaDescription:
    """The medium with port 0 (RFC 3264 section 6)."""
    return MediaDescription.of(replace(media.media, port=0, port_count=1))
