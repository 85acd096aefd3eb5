"""Where the samples of a WAV begin, told from its first chunks alone.

FFmpeg's demuxer first looks through 64 KB of PCM for another codec's bursts (IEC 61937). Of a file
that is still coming that may be many seconds of sound.
"""

from __future__ import annotations

import struct

from .formats import Format
from .spool import SpoolReader

_DEMUXERS = {
    (1, 8): "u8",
    (1, 16): "s16le",
    (1, 24): "s24le",
    (1, 32): "s32le",
    (3, 32): "f32le",
    (3, 64): "f64le",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
"""By format tag and bits per sample (RFC 2361)."""

_EXTENSIBLE = 0xFFFE
_MEDIA_SUBTYPE = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format tag in a GUID that stands for one."""

_LAYOUTS = {1: "mono", 2: "stereo"}
_RATES = range(1000, 768_001)
_FORMAT_SIZES = range(16, 65)

_MOST_BEFORE = 1 << 16
"""Bytes before the samples, beyond which the other demuxer is as quick."""

_ENDLESS = 0x7FFFF000
"""Lengths from here on are of those who did not know them."""


def find_samples(file: SpoolReader) -> Format | None:
    """How to read a WAV's samples without its header; None if that does not suffice."""
    file.seek(12)
    layout: tuple[str, dict[str, str]] | None = None
    while file.tell() < _MOST_BEFORE:
        header = _read(file, 8)
        if len(header) < 8:
            return None
        name, size = header[:4], int.from_bytes(header[4:], "little")
        if name == b"data":
            if layout is None:
                return None
            known = size if 0 < size < _ENDLESS else None
            return Format(*layout, start=file.tell(), length=known)
        after = file.tell() + size + size % 2
        if name == b"fmt ":
            layout = _layout(_read(file, size)) if size in _FORMAT_SIZES else None
            if layout is None:
                return None
        file.seek(after)
    return None


def _layout(chunk: bytes) -> tuple[str, dict[str, str]] | None:
    """The demuxer of bare samples, and what it is told, by the format chunk."""
    if len(chunk) < 16:
        return None
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and chunk[26:40] == _MEDIA_SUBTYPE:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    demuxer = _DEMUXERS.get((tag, bits))
    if demuxer is None or channels not in _LAYOUTS or rate not in _RATES:
        return None
    if block != channels * bits // 8:
        return None
    return demuxer, {"sample_rate": str(rate), "ch_layout": _LAYOUTS[channels]}


def _read(file: SpoolReader, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := file.read(count - len(data))):
        data += piece
    return data
