"""Opus in batches: libopus called once per stream, on several threads, without the lock."""

from __future__ import annotations

import ctypes

import numpy as np

from hookswitch.codecs.base import Flags, Ints, Payloads, Pcm, Rows
from hookswitch.codecs.crew import Crew, addresses
from hookswitch.settings import load

from . import packets
from .libopus import LARGEST, LONGEST_MS, RATE, LibOpus, find_libopus
from .parameters import encoder_options
from .settings import OpusSettings

State = ctypes.Array[ctypes.c_char]

_LONGEST = RATE * LONGEST_MS // 1000
_STEP = RATE // 50
_SILENT = 2
"""Packets of at most so many bytes need not be sent (DTX)."""


class Opus:
    """A `hookswitch.codecs.base.StreamCodecBatch`."""

    def __init__(self, settings: OpusSettings | None = None, crew: Crew | None = None) -> None:
        self._settings = settings or load(OpusSettings)
        self._opus = LibOpus(find_libopus())
        self._crew = crew or Crew()
        self._states: dict[int, tuple[State, State]] = {}
        self._encoder: dict[int, int] = {}
        self._decoder: dict[int, int] = {}

    def open(self, row: int, fmtp: str = "") -> None:
        """Start a fresh stream; ``fmtp`` is what the peer said (RFC 7587 section 6.1)."""
        settings = self._settings
        options = encoder_options(fmtp, settings.opus_bitrate, settings.opus_complexity)
        encoder, decoder = self._opus.encoder(options), self._opus.decoder()
        self._states[row] = encoder, decoder
        self._encoder[row] = ctypes.addressof(encoder)
        self._decoder[row] = ctypes.addressof(decoder)

    def close(self, row: int) -> None:
        del self._states[row], self._encoder[row], self._decoder[row]

    def samples(self, payloads: Payloads, sizes: Ints) -> Ints:
        return packets.samples(payloads, sizes)

    def decode(self, rows: Rows, payloads: Payloads, sizes: Ints) -> tuple[Pcm, Ints]:
        width = int(packets.samples(payloads, sizes).max(initial=_STEP))
        pcm = np.empty((len(rows), width), np.int16)
        counts = self._decode(rows, addresses(payloads), sizes.tolist(), pcm, fec=0)
        return pcm, np.maximum(counts, 0)

    def repairs(self, payloads: Payloads, sizes: Ints) -> Flags:
        return packets.with_previous(payloads, sizes)

    def recover(self, row: int, payload: Payloads, samples: int) -> Pcm:
        pcm = np.zeros((1, min(samples, _LONGEST)), np.int16)
        self._decode(np.array([row]), [payload.ctypes.data], [len(payload)], pcm, fec=1)
        return np.asarray(pcm[0])

    def conceal(self, rows: Rows, samples: int) -> Pcm:
        pcm = np.zeros((len(rows), samples), np.int16)
        for start in range(0, samples, _STEP):
            part = pcm[:, start : start + _STEP]
            self._decode(rows, [None] * len(rows), [0] * len(rows), part, fec=0)
        return pcm

    def encode(self, rows: Rows, pcm: Pcm) -> tuple[Payloads, Ints]:
        count, samples = pcm.shape
        payloads = np.empty((count, LARGEST), np.uint8)
        encoders = [self._encoder[row] for row in rows.tolist()]
        sizes = self._crew.map(
            self._opus.encode,
            encoders,
            addresses(pcm),
            [samples] * count,
            addresses(payloads),
            [LARGEST] * count,
        )
        made = np.array(sizes, np.int64)
        made[made <= _SILENT] = 0
        return payloads, made

    def _decode(
        self, rows: Rows, packet: list[int] | list[None], sizes: list[int], pcm: Pcm, fec: int
    ) -> Ints:
        count = len(rows)
        decoders = [self._decoder[row] for row in rows.tolist()]
        room = [pcm.shape[1]] * count
        columns = (decoders, packet, sizes, addresses(pcm), room, [fec] * count)
        return np.array(self._crew.map(self._opus.decode, *columns), np.int64)
