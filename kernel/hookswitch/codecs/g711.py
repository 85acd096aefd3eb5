"""G.711 µ-law and A-law (ITU-T G.711; RFC 3551 section 4.5.14) as table look-ups."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import CodecInfo, Payloads, Pcm, Rows

PCMU = CodecInfo("PCMU", 8000, 8000, "hookswitch.codecs.g711:MuLaw", payload_type=0)
PCMA = CodecInfo("PCMA", 8000, 8000, "hookswitch.codecs.g711:ALaw", payload_type=8)


def _mu_law_decode_table() -> Pcm:
    code = ~np.arange(256, dtype=np.uint8)
    exponent = (code >> 4) & 7
    mantissa = (code & 15).astype(np.int32)
    magnitude = (((mantissa << 3) + 132) << exponent) - 132
    return np.where(code & 128, -magnitude, magnitude).astype(np.int16)


def _a_law_decode_table() -> Pcm:
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent = ((code >> 4) & 7).astype(np.int32)
    mantissa = (code & 15).astype(np.int32)
    linear = (mantissa << 4) + 8
    magnitude = np.where(exponent == 0, linear, (linear + 256) << np.maximum(exponent - 1, 0))
    return np.where(code & 128, magnitude, -magnitude).astype(np.int16)


def _nearest_code_table(decode: Pcm) -> NDArray[np.uint8]:
    """For each 16-bit sample, indexed by its two's complement bits, the code nearest to it."""
    order = np.argsort(decode, kind="stable")
    levels = decode[order].astype(np.int32)
    upper_bounds = (levels[:-1] + levels[1:] + 1) >> 1
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    return order[np.searchsorted(upper_bounds, samples, side="right")].astype(np.uint8)


class _Table:
    """A stateless codec of one byte per sample, given as its decoding table."""

    _decode: Pcm
    _encode: NDArray[np.uint8]

    def open(self, row: int, fmtp: str = "") -> None:
        """Nothing is kept per stream."""

    def close(self, row: int) -> None:
        """Nothing is kept per stream."""

    def decode(self, rows: Rows, payloads: Payloads) -> Pcm:
        return self._decode.take(payloads)

    def encode(self, rows: Rows, pcm: Pcm) -> Payloads:
        return self._encode.take(pcm.view(np.uint16))


class MuLaw(_Table):
    """PCMU."""

    _decode = _mu_law_decode_table()
    _encode = _nearest_code_table(_decode)


class ALaw(_Table):
    """PCMA."""

    _decode = _a_law_decode_table()
    _encode = _nearest_code_table(_decode)
