"""How to read a WAV by its header: one that is still coming, and any that is big-endian (RIFX).

FFmpeg's demuxer first looks through 64 KB of PCM for another codec's bursts (IEC 61937), and
through as much of other codecs for what their headers say already. Of a file that comes slowly that
may be many seconds of sound; here it is the first chunks, and no more than they need. The samples
of a RIFX that demuxer takes for little-endian: they would be heard as noise.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Literal

from .errors import DecodeError
from .formats import MOST_CHANNELS, RATES, Format
from .spool import SpoolReader

_Order = Literal["little", "big"]

_LITTLE = {
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

_DEMUXERS: Mapping[_Order, Mapping[tuple[int, int], str]] = {
    "little": _LITTLE,
    "big": {key: name.replace("le", "be") for key, name in _LITTLE.items()},
}

_PCM = 1
_EXTENSIBLE = 0xFFFE
_MEDIA_SUBTYPE = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the format tag in a GUID that stands for one."""

_BIG_MEDIA_SUBTYPE = bytes.fromhex("00000010800000aa00389b71")
"""The same where the GUID's own numbers are big-endian too, and its first one has four bytes."""

_LAYOUTS = {1: "mono", 2: "stereo"}
_FORMAT_SIZES = range(16, 65)

_MOST_BEFORE = 1 << 16
"""Bytes before the samples, beyond which the other demuxer is as quick."""

_MOST_CHUNKS = 1000
"""Chunks before the samples of a file that the other demuxer cannot read."""

_ENDLESS = 0x7FFFF000
"""Lengths from here on are of those who did not know them."""

_DS64_SIZES = range(24, 1025)
"""Of the chunk that tells the lengths of an RF64 (EBU Tech 3306)."""

_NO_LONGER = Format("wav", {"probesize": "1024", "max_size": "1024"})
"""One packet is enough for the demuxer, and a small one (or a block of the codec, if that is more).
"""


def find_format_of_coming(file: SpoolReader) -> Format:
    """How to read a WAV: if that suffices, its samples without the header."""
    return _find_samples(file, "little", _MOST_BEFORE) or _NO_LONGER


def find_format_of_rifx(file: SpoolReader) -> Format:
    """How to read the samples of a big-endian WAV; raises DecodeError, and what reading raised."""
    found = _find_samples(file, "big")
    file.check()
    if found is None:
        raise DecodeError(
            "the header of a RIFX (big-endian WAV) is damaged, or of a kind not played"
        )
    return found


def _find_samples(file: SpoolReader, order: _Order, most: int | None = None) -> Format | None:
    """How to read a WAV's samples without its header; None if that does not suffice.

    ``most``: bytes before the samples.
    """
    file.seek(12)
    layout: tuple[str, dict[str, str]] | None = None
    told_before: int | None = None
    for _ in range(_MOST_CHUNKS):
        if most is not None and file.tell() >= most:
            break
        header = _read(file, 8)
        if len(header) < 8:
            return None
        name, size = header[:4], int.from_bytes(header[4:], order)
        if name == b"data":
            if layout is None:
                return None
            known = size if 0 < size < _ENDLESS else told_before
            return Format(*layout, start=file.tell(), length=known)
        after = file.tell() + size + size % 2
        if name == b"fmt ":
            layout = _layout(_read(file, size), order) if size in _FORMAT_SIZES else None
            if layout is None:
                return None
        elif name == b"ds64" and size in _DS64_SIZES:
            told_before = int.from_bytes(_read(file, size)[8:16], order) or None
        file.seek(after)
    return None


def _layout(chunk: bytes, order: _Order) -> tuple[str, dict[str, str]] | None:
    """The demuxer of bare samples, and what it is told, by the format chunk."""
    if len(chunk) < 16:
        return None
    sign = {"little": "<", "big": ">"}[order]
    tag, channels, rate, _, block, bits = struct.unpack_from(f"{sign}HHIIHH", chunk)
    mask = 0
    if tag == _EXTENSIBLE and (subtype := _subtype(chunk[24:40], order)) is not None:
        mask, tag = int.from_bytes(chunk[20:24], order), subtype
    if tag == _PCM:  # fewer bits than their bytes hold are the upper ones
        bits += -bits % 8
    demuxer = _DEMUXERS[order].get((tag, bits))
    if demuxer is None or not 0 < channels <= MOST_CHANNELS or rate not in RATES:
        return None
    if block != channels * bits // 8:
        return None
    return demuxer, {"sample_rate": str(rate), "ch_layout": _channels(channels, mask)}


def _subtype(guid: bytes, order: _Order) -> int | None:
    """The format tag that a GUID stands for; None if it stands for none."""
    if guid[2:] == _MEDIA_SUBTYPE:
        return int.from_bytes(guid[:2], order)
    if order == "big" and guid[4:] == _BIG_MEDIA_SUBTYPE:
        return int.from_bytes(guid[:4], order)
    return None


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
