"""One RTP packet of text (RFC 3550 section 5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True)
class TextPacket:
    """Header and payload; contributing sources, extension and padding are read over."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def pack(self) -> bytes:
        second = self.payload_type | (0x80 if self.marker else 0)
        stamp, ssrc = self.timestamp & 0xFFFFFFFF, self.ssrc
        return _HEADER.pack(0x80, second, self.sequence & 0xFFFF, stamp, ssrc) + self.payload

    @classmethod
    def unpack(cls, data: bytes) -> TextPacket | None:
        """None when it is no RTP packet."""
        if len(data) < _HEADER.size or data[0] >> 6 != 2:
            return None
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        start, end = _HEADER.size + 4 * (first & 15), len(data)
        if first & 0x10:
            if start + 4 > end:
                return None
            start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
        if first & 0x20:
            end -= data[-1] or len(data)
        if start > end:
            return None
        payload = data[start:end]
        return cls(second & 0x7F, sequence, timestamp, ssrc, payload, second >= 0x80)
