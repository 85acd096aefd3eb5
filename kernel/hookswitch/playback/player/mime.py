"""MIME types of audio, and what they say about how to read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import DecodeError, short

MAX_CHANNELS = 8

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE = re.compile(rf"\s*({_TOKEN})/({_TOKEN})\s*", re.ASCII)
_PARAMETER = re.compile(
    rf';\s*(?:({_TOKEN})\s*=\s*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)")\s*)?', re.ASCII | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class MimeType:
    """``name``: type and subtype in lower case. Parameters: names in lower case, values as sent."""

    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Raw:
    """Samples without a header: the demuxer that knows their encoding, Hz, and channels."""

    demuxer: str
    rate: int
    channels: int


CONTAINERS: Mapping[str, str] = {
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/x-mp3": "mp3",
    "audio/mpeg3": "mp3",
    "audio/ogg": "ogg",
    "application/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/vorbis": "ogg",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/aac": "aac",
    "audio/aacp": "aac",
    "audio/x-aac": "aac",
    "audio/mp4": "mov",
    "audio/m4a": "mov",
    "audio/x-m4a": "mov",
    "video/mp4": "mov",
    "audio/mp4a-latm": "mov",
}
"""The demuxer of each type of file."""

_UNTOLD = frozenset({"", "application/octet-stream", "binary/octet-stream", "audio/*", "*/*"})
"""Types that say nothing: the file itself is asked."""

_RAW: Mapping[str, tuple[str, int]] = {
    "audio/basic": ("mulaw", 8000),
    "audio/pcmu": ("mulaw", 8000),
    "audio/x-mulaw": ("mulaw", 8000),
    "audio/mulaw": ("mulaw", 8000),
    "audio/pcma": ("alaw", 8000),
    "audio/x-alaw": ("alaw", 8000),
    "audio/alaw": ("alaw", 8000),
    "audio/l8": ("u8", 0),
    "audio/l16": ("s16be", 0),
    "audio/l24": ("s24be", 0),
    "audio/pcm": ("s16le", 0),
    "audio/x-pcm": ("s16le", 0),
    "audio/raw": ("s16le", 0),
    "audio/x-raw": ("s16le", 0),
}
"""Demuxer, and rate if the type implies one. RFC 3551 and 3190 samples are big-endian; those of the
``pcm`` types, which no RFC defines, are little-endian, as everybody sends them."""

_RATES = range(1000, 384_001)


def parse(text: str) -> MimeType:
    """Parse ``type/subtype; name=value; name="value"`` (RFC 2045); "" is a type that says nothing.

    Raises DecodeError.
    """
    if not text.strip():
        return MimeType("", {})
    match = _TYPE.match(text)
    if not match:
        raise DecodeError(f"{short(text)!r} is no MIME type")
    parameters: dict[str, str] = {}
    at = match.end()
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if not found:
            raise DecodeError(f"{text[:100]!r} is no MIME type: see {text[at : at + 100]!r}")
        name, token, quoted = found.groups()
        if name:
            parameters[name.lower()] = token or re.sub(r"\\(.)", r"\1", quoted or "")
        at = found.end()
    return MimeType(f"{match[1]}/{match[2]}".lower(), parameters)


def is_untold(mime: MimeType) -> bool:
    """Whether it says nothing about the file."""
    return mime.name in _UNTOLD


def raw_format(mime: MimeType) -> Raw | None:
    """How to read samples without a header; None if this is a file. Raises DecodeError."""
    found = _RAW.get(mime.name)
    if found is None:
        return None
    demuxer, rate = found
    if "rate" in mime.parameters or not rate:
        rate = _number(mime, "rate", _RATES)
    channels = 1
    if "channels" in mime.parameters:
        channels = _number(mime, "channels", range(1, MAX_CHANNELS + 1))
    return Raw(demuxer, rate, channels)


def _number(mime: MimeType, name: str, allowed: range) -> int:
    text = mime.parameters.get(name)
    if text is None:
        raise DecodeError(f"{mime.name} needs a {name}, such as {mime.name};{name}=16000")
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) not in allowed:
        span = f"{allowed.start} to {allowed.stop - 1}"
        raise DecodeError(f"{mime.name}: {name} must be {span}, not {short(text)!r}")
    return int(text)
