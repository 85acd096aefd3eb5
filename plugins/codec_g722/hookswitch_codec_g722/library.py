"""What is wanted of whatever implements G.722."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from hookswitch.codecs.base import Ints, Payloads, Pcm

Stream = Any
"""An encoder and a decoder of the library."""


class Library(Protocol):
    """Streams, and work on many of them; arrays as in `StreamCodecBatch`."""

    def stream(self) -> Stream:
        """A fresh encoder and decoder, freed with the object."""

    def decode(self, streams: Sequence[Stream], payloads: Payloads, sizes: Ints) -> Pcm:
        """Two samples for each byte, int16 (n, 2 * width)."""

    def encode(self, streams: Sequence[Stream], pcm: Pcm) -> tuple[Payloads, Ints]:
        """One byte for two samples."""
