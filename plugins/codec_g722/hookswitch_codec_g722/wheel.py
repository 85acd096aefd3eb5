"""G.722 by the wheel of that name. It keeps the interpreter lock, some 10 us per packet."""

from __future__ import annotations

from collections.abc import Sequence

import G722
import numpy as np

from hookswitch.codecs.base import Ints, Payloads, Pcm

RATE = 16000
BITS_PER_SECOND = 64000


class Wheel:
    """A `Library`."""

    def stream(self) -> G722.G722:
        return G722.G722(RATE, BITS_PER_SECOND)

    def decode(self, streams: Sequence[G722.G722], payloads: Payloads, sizes: Ints) -> Pcm:
        pcm = np.zeros((len(streams), 2 * int(sizes.max(initial=0))), np.int16)
        for stream, payload, size, row in zip(streams, payloads, sizes.tolist(), pcm, strict=True):
            row[: 2 * size] = stream.decode(payload[:size].tobytes())
        return pcm

    def encode(self, streams: Sequence[G722.G722], pcm: Pcm) -> tuple[Payloads, Ints]:
        made = b"".join(s.encode(row) for s, row in zip(streams, pcm, strict=True))
        count, width = len(streams), pcm.shape[1] // 2
        payloads = np.frombuffer(made, np.uint8).reshape(count, width)
        return payloads, np.full(count, width, np.int64)
