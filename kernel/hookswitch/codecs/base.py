"""The shape of a codec: one object per codec, one batch object per bank that uses it.

Two kinds of batch exist. A `CodecBatch` keeps no state between packets and makes payloads of one
size: whatever arrives is decoded at once, in any order. A `StreamCodecBatch` has streams with a
past: the bank gives it packets in their order, tells it of those that are missing, and sends
payloads of any size, or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Payloads = NDArray[np.uint8]
Rows = NDArray[np.intp]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a codec costs in the E-model (ITU-T G.113 appendix I).

    ``ie`` is the impairment without loss, ``bpl`` the robustness against it; the defaults are those
    of G.711 with concealment.
    """

    ie: float = 0.0
    bpl: float = 25.1


@dataclass(frozen=True, slots=True)
class CodecInfo:
    """A codec as SDP names it (RFC 3551, RFC 8866 section 6.6).

    ``clock_rate`` counts RTP timestamps, ``sample_rate`` is the audio's (they differ for G.722).
    ``batch`` is the ``module:Class`` whose instances decode and encode in the media worker.
    ``channels`` is what the SDP says; audio is mono. ``fmtp`` is what we say of what we can
    receive, ``packet_times`` the milliseconds of audio a packet of ours may hold.
    """

    name: str
    clock_rate: int
    sample_rate: int
    batch: str
    payload_type: int | None = None
    channels: int = 1
    fmtp: str = ""
    packet_times: tuple[int, ...] = (10, 20, 30, 40, 60)
    impairment: Impairment = Impairment()


class CodecBatch(Protocol):
    """Encoders and decoders of many streams, each payload standing for itself.

    ``row`` is the stream's; ``fmtp`` is what the peer said of what it can receive.
    """

    def open(self, row: int, fmtp: str = "") -> None:
        """Start a fresh stream at ``row``."""

    def close(self, row: int) -> None:
        """Forget the stream at ``row``."""

    def decode(self, rows: Rows, payloads: Payloads) -> Pcm:
        """Decode one payload per row: uint8 (n, bytes) to int16 (n, samples)."""

    def encode(self, rows: Rows, pcm: Pcm) -> Payloads:
        """Encode int16 (n, samples) to uint8 (n, bytes)."""


@runtime_checkable
class StreamCodecBatch(Protocol):
    """Encoders and decoders of many streams that depend on what came before.

    Payloads are uint8 (n, width), the first ``sizes`` (int64, n) bytes of each row; the bytes of a
    row lie side by side, the rows may be apart. Rows of one call are distinct. What takes time
    should leave the interpreter lock (`hookswitch.codecs.crew.Crew` shares it between threads).
    """

    def open(self, row: int, fmtp: str = "") -> None:
        """Start a fresh stream at ``row``."""

    def close(self, row: int) -> None:
        """Forget the stream at ``row``."""

    def samples(self, payloads: Payloads, sizes: Ints) -> Ints:
        """Samples that each payload holds, int64 (n,); 0 for what is no payload of this codec."""

    def decode(self, rows: Rows, payloads: Payloads, sizes: Ints) -> tuple[Pcm, Ints]:
        """Decode the next payload of each row: int16 (n, width), and the samples of each.

        0 samples say that a payload was none.
        """

    def repairs(self, payloads: Payloads, sizes: Ints) -> Flags:
        """Whether each payload also holds the one before it (forward error correction)."""

    def recover(self, row: int, payload: Payloads, samples: int) -> Pcm:
        """The ``samples`` before ``payload``, a uint8 (bytes,) that `repairs`: int16 (samples,).

        ``payload`` itself is decoded next.
        """

    def conceal(self, rows: Rows, samples: int) -> Pcm | None:
        """What may have been said while nothing arrived: int16 (n, samples).

        Of a speaker who is silent (discontinuous transmission) that is the background noise. None
        leaves it to the bank, which continues the waveform.
        """

    def encode(self, rows: Rows, pcm: Pcm) -> tuple[Payloads, Ints]:
        """Encode int16 (n, samples) to payloads and their sizes; of size 0 nothing is sent."""


AnyCodecBatch = CodecBatch | StreamCodecBatch
