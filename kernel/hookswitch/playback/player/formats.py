"""Which demuxer reads a file: what the file says of itself goes before what was said about it.

Demuxers are named, never guessed by FFmpeg: among those it would try are playlists, which open
other files and addresses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import DecodeError, short
from .mime import CONTAINERS, MimeType, is_untold, raw_format
from .spool import SpoolReader

CODECS = (
    *(f"pcm_{name}" for name in ("u8", "s8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be")),
    *(f"pcm_{name}" for name in ("f32le", "f32be", "f64le", "f64be", "mulaw", "alaw")),
    *("mp3float", "mp3", "mp2float", "mp2", "aac", "alac", "flac", "opus", "vorbis"),
    *("adpcm_ms", "adpcm_ima_wav", "gsm_ms"),
)
"""Decoders that may run: a container can name any other."""

RATES = range(1000, 768_001)
"""In Hz: 1 Hz would blow up 48000-fold."""

MOST_CHANNELS = 64

RIFX = "rifx"
"""In the place of a demuxer: a big-endian WAV, whose header `wav.py` reads."""

_HEAD = 16
_ID3_HEADER = 10
_WAVES = {b"RIFF": "wav", b"RF64": "wav", b"RIFX": RIFX}


@dataclass(frozen=True, slots=True)
class Format:
    """A demuxer and its options, and which bytes of the file it is shown."""

    demuxer: str
    options: Mapping[str, str] = field(default_factory=dict)
    start: int = 0
    length: int | None = None


def find_format(mime: MimeType, file: SpoolReader) -> Format:
    """What to read a file with; leaves it at its start. Raises DecodeError."""
    head = _at_start(file, 0)
    if not head:
        raise DecodeError("the file is empty")
    raw = raw_format(mime)
    found = _signature(head) or (None if raw else _frames(head, file))
    if found:
        return Format(found)
    if raw:
        layout = {"sample_rate": str(raw.rate), "ch_layout": f"{raw.channels}c"}
        return Format(raw.demuxer, layout)
    if mime.name in CONTAINERS:
        return Format(CONTAINERS[mime.name])
    if is_untold(mime):
        raise DecodeError("the file is of no kind that is played, or needs its MIME type")
    raise DecodeError(f"{short(mime.name)} is not played")


def _at_start(file: SpoolReader, position: int) -> bytes:
    """The bytes of a file's head from a position on."""
    file.seek(position)
    head = b""
    while len(head) < _HEAD and (piece := file.read(_HEAD - len(head))):
        head += piece
    file.check()
    file.seek(0)
    return head


def _signature(head: bytes) -> str | None:
    """The demuxer of a file whose first bytes nothing else begins with."""
    if head[8:12] == b"WAVE" and head[:4] in _WAVES:
        return _WAVES[head[:4]]
    if head[4:8] == b"ftyp":
        return "mov"
    return {b"OggS": "ogg", b"fLaC": "flac"}.get(head[:4])


def _frames(head: bytes, file: SpoolReader) -> str | None:
    """The demuxer of a file that begins with a frame, or with a tag before it."""
    if head[:3] == b"ID3" and len(head) >= _ID3_HEADER:
        size = 0
        for byte in head[6:_ID3_HEADER]:
            size = size << 7 | byte & 0x7F
        head = _at_start(file, _ID3_HEADER + size)
        return _signature(head) or _sync(head) or "mp3"
    return _sync(head)


def _sync(head: bytes) -> str | None:
    """MPEG audio by its first header (ISO 11172-3, 13818-7): layer 0 is AAC in ADTS."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] >> 1 & 3
    if layer == 0:
        return "aac" if head[1] & 0xF0 == 0xF0 else None
    reserved = head[1] >> 3 & 3 == 1 or head[2] >> 4 == 15 or head[2] >> 2 & 3 == 3
    return None if reserved else "mp3"
