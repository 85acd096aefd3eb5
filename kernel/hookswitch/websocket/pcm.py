"""PCM inside JSON: base64 of int16 little-endian samples."""

from __future__ import annotations

import base64
import binascii


class PcmError(ValueError):
    """Not audio; the message says why."""


def pack_pcm(pcm: bytes) -> str:
    """Base64 of samples."""
    return base64.b64encode(pcm).decode("ascii")


def unpack_pcm(text: object) -> bytes:
    """Samples from base64. Raises PcmError."""
    if not isinstance(text, str):
        raise PcmError("must be a base64 string")
    try:
        pcm = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise PcmError(f"not base64: {error}") from None
    return whole_samples(pcm)


def whole_samples(pcm: bytes) -> bytes:
    """The same bytes. Raises PcmError when half a sample is among them."""
    if len(pcm) % 2:
        raise PcmError(f"{len(pcm)} bytes are no whole number of 16-bit samples")
    return pcm
