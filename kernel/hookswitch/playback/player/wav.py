"""How to read a WAV that is still coming: with its first chunks, and no more than it needs.

FFmpeg's demuxer first looks through 64 KB of PCM for another codec's bursts (IEC 61937), and
through as much of other codecs for what their headers say already. Of a file that comes slowly that
may be many seconds of sound.
"""

from __future__ import annotations

import struct

from .formats import MOST_CHANNELS, RATES, Format
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
_FORMAT_SIZES = range(16, 65)

_MOST_BEFORE = 1 << 16
"""Bytes before the samples, beyond which the other demuxer is as quick."""

_ENDLESS = 0x7FFFF000
"""Lengths from here on are of those who did not know them."""

_DS64_SIZES = range(24, 1025)
"""Of the chunk that tells the lengths of an RF64 (EBU Tech 3306)."""

_NO_LONGER = Format("wav", {"probesize": "1024", "max_size": "1024"})
"""One packet is enough for the demuxer, and a small one (or a block of the codec, if that is more).
"""


def find_format_of_coming(file: SpoolReader) -> Format:
    """How to read a WAV: if that suffices, its samples without the header."""
    return _find_samples(file) or _NO_LONGER


def _find_samples(file: SpoolReader) -> Format | None:
    """How to read a WAV's samples without its header; None if that does not suffice."""
    file.seek(12)
    layout: tuple[str, dict[str, str]] | None = None
    told_before: int | None = None
    while file.tell() < _MOST_BEFORE:
        header = _read(file, 8)
        if len(header) < 8:
            return None
        name, size = header[:4], int.from_bytes(header[4:], "little")
        if name == b"data":
            if layout is None:
                return None
            known = size if 0 < size < _ENDLESS else told_before
            return Format(*layout, start=file.tell(), length=known)
        after = file.tell() + size + size % 2
        if name == b"fmt ":
            layout = _layout(_read(file, size)) if size in _FORMAT_SIZES else None
            if layout is None:
                return None
        elif name == b"ds64" and size in _DS64_SIZES:
            told_before = int.from_bytes(_read(file, size)[8:16], "little") or None
        file.seek(after)
    return None


def _layout(chunk: bytes) -> tuple[str, dict[str, str]] | None:
    """The demuxer of bare samples, and what it is told, by the format chunk."""
    if len(chunk) < 16:
        return None
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    mask = 0
    if tag == _EXTENSIBLE and chunk[26:40] == _MEDIA_SUBTYPE:
        mask, tag = struct.unpack_from("<IH", chunk, 20)
    demuxer = _DEMUXERS.get((tag, bits))
    if demuxer is None or not 0 < channels <= MOST_CHANNELS or rate not in RATES:
        return None
    if block != channels * bits // 8:
        return None
    return demuxer, {"sample_rate": str(rate), "ch_layout": _channels(channels, mask)}


def _channels(count: int, mask: int) -> str:
    """Their layout in FFmpeg's words: where each one is, if the header says so."""
    if count not in _LAYOUTS and mask.bit_count() == count:
        return hex(mask)
    return _LAYOUTS.get(count, f"{count}C")


def _read(file: SpoolReader, count: int) -> bytes:
    data = b""
    while len(data) < count and (piece := file.read(count - len(data))):
        data += piece
    return data
