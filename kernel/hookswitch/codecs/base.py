"""The shape of a codec: one object per codec, one batch object per bank that uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Payloads = NDArray[np.uint8]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class CodecInfo:
    """A codec as SDP names it (RFC 3551, RFC 8866 section 6.6).

    ``clock_rate`` counts RTP timestamps, ``sample_rate`` is the audio's (they differ for G.722).
    ``batch`` is the ``module:Class`` whose instances decode and encode in the media worker.
    """

    name: str
    clock_rate: int
    sample_rate: int
    batch: str
    payload_type: int | None = None
    channels: int = 1
    fmtp: str = ""


class CodecBatch(Protocol):
    """Encoders and decoders of many streams. A stateful codec keeps its state per ``row``."""

    def open(self, row: int) -> None:
        """Start a fresh stream at ``row``."""

    def close(self, row: int) -> None:
        """Forget the stream at ``row``."""

    def decode(self, rows: Rows, payloads: Payloads) -> Pcm:
        """Decode one payload per row: uint8 (n, bytes) to int16 (n, samples)."""

    def encode(self, rows: Rows, pcm: Pcm) -> Payloads:
        """Encode int16 (n, samples) to uint8 (n, bytes)."""
