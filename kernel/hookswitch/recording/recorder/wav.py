"""WAV files: a header of one size, whether they are small or beyond 4 GiB (RF64, EBU Tech 3306).

The header keeps room for the 64-bit sizes in a JUNK chunk, so a file that grew too large for RIFF
becomes an RF64 file by writing its header anew; its samples stay where they are.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SAMPLE_BYTES = 2

_PCM, _EXTENSIBLE = 0x0001, 0xFFFE
_SUBFORMAT_PCM = struct.pack("<H", _PCM) + bytes.fromhex("000000001000800000aa00389b71")
_DS64_BYTES = 28
_UNKNOWN = 0xFFFFFFFF
"""A 32-bit size that says: look into ds64, or (while the file grows) read to its end."""


@dataclass(frozen=True, slots=True)
class WavFormat:
    """16-bit PCM with interleaved channels."""

    rate: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.channels * SAMPLE_BYTES

    @property
    def header_bytes(self) -> int:
        """Where the samples begin."""
        return 12 + 8 + _DS64_BYTES + 8 + (16 if self.channels <= 2 else 40) + 8

    def header(self, frames: int | None) -> bytes:
        """The header of a file of so many frames; None: of one that still grows."""
        fmt = _chunk(b"fmt ", self._fmt())
        if frames is None:
            reserved = _chunk(b"JUNK", bytes(_DS64_BYTES))
            return _header(b"RIFF", _UNKNOWN, reserved, fmt, _UNKNOWN)
        data = frames * self.frame_bytes
        riff = 4 + 8 + _DS64_BYTES + len(fmt) + 8 + data
        if riff < _UNKNOWN:
            reserved = _chunk(b"JUNK", bytes(_DS64_BYTES))
            return _header(b"RIFF", riff, reserved, fmt, data)
        ds64 = _chunk(b"ds64", struct.pack("<QQQI", riff, data, frames, 0))
        return _header(b"RF64", _UNKNOWN, ds64, fmt, _UNKNOWN)

    def _fmt(self) -> bytes:
        """More than two channels need the extensible form; ours stand at no loudspeaker's place."""
        tag = _PCM if self.channels <= 2 else _EXTENSIBLE
        fmt = struct.pack(
            "<HHIIHH", tag, self.channels, self.rate, self.rate * self.frame_bytes,
            self.frame_bytes, 8 * SAMPLE_BYTES,
        )  # fmt: skip
        if tag == _PCM:
            return fmt
        return fmt + struct.pack("<HHI", 22, 8 * SAMPLE_BYTES, 0) + _SUBFORMAT_PCM


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def _header(form: bytes, size: int, reserved: bytes, fmt: bytes, data: int) -> bytes:
    sizes = form + struct.pack("<I", size) + b"WAVE"
    return sizes + reserved + fmt + b"data" + struct.pack("<I", data)
