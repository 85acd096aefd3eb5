"""From datagrams to the rings: what happens to a round of received packets, all at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hookswitch.codecs.base import CodecBatch, Payloads, Pcm

from .lane import Lane
from .packets import HEADER, Headers, parse
from .receiver import Round
from .ring import CHUNKS, Timeline
from .sequences import Sequences
from .stats import Jitter

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]

NO_AUDIO = -1
"""Payload type or codec of a slot that receives no audio."""

Special = Callable[[int, Headers, int, bytes], None]
"""Takes (slot, headers, index, payload) of an accepted packet that is not the port's audio."""


class Decoder:
    """A codec in use: its batch, and the lane its audio goes to."""

    def __init__(self, codec: CodecBatch, lane: Lane) -> None:
        self.codec = codec
        self.lane = lane

    def decode(self, slots: Rows, payloads: Payloads) -> Pcm | None:
        """int16 (n, whole chunks); None when the codec cannot make audio of such payloads."""
        try:
            pcm = self.codec.decode(slots, payloads)
        except Exception:
            # A codec may refuse what a peer sends in any way it likes; the tick must go on.
            return None
        odd = pcm.shape[1] % self.lane.ring.samples
        if odd:
            missing = self.lane.ring.samples - odd
            pcm = np.pad(pcm, ((0, 0), (0, missing)), mode="edge")
        fits = 0 < pcm.shape[1] <= CHUNKS // 2 * self.lane.ring.samples
        return pcm if fits else None


class Intake:
    """The receiving state of all slots.

    ``heard`` is when a slot last got a valid packet; ``payload_type`` and ``decoder`` (an index
    into ``decoders``) are how its audio is known; ``malformed`` and ``undecodable`` are counts.
    """

    def __init__(self, capacity: int, special: Special) -> None:
        self.sequences = Sequences(capacity)
        self.timeline = Timeline(capacity)
        self.jitter = Jitter(capacity)
        self.heard = np.zeros(capacity, np.float64)
        self.octets = np.zeros(capacity, np.int64)
        self.payload_type = np.full(capacity, NO_AUDIO, np.int64)
        self.decoder = np.full(capacity, NO_AUDIO, np.int64)
        self.decoders: list[Decoder] = []
        self.malformed = 0
        self.undecodable = 0
        self._special = special

    def open(self, slot: int, clock_rate: int, now: float) -> None:
        """A fresh stream at ``slot``."""
        self.sequences.reset(slot)
        self.timeline.open(slot, clock_rate)
        self.jitter.open(slot, clock_rate)
        self.heard[slot], self.octets[slot] = now, 0

    def take(self, batch: Round, headers: Headers, now: float) -> Rows:
        """Take a round; returns the slots that got a valid packet."""
        slots = batch.slots
        self.malformed += len(slots) - int(np.count_nonzero(headers.valid | headers.rtcp))
        if headers.valid.all():
            index = np.arange(len(slots))
        else:
            index = np.flatnonzero(headers.valid)
            slots = slots[index]
        if not len(slots):
            return slots
        verdict = self.sequences.accept(slots, headers.ssrc[index], headers.sequence[index])
        self.heard[slots] = now
        if not verdict.accepted.all():
            index, slots = index[verdict.accepted], slots[verdict.accepted]
        self.octets[slots] += headers.size[index]
        started = verdict.started[verdict.accepted]
        self.jitter.restart(slots[started])
        audio = headers.payload_type[index] == self.payload_type[slots]
        if not audio.all():
            self._take_special(slots, index, ~audio, batch, headers)
            index, slots, started = index[audio], slots[audio], started[audio]
        if len(slots):
            self._take_audio(slots, index, started, batch, headers, now)
        return slots

    def _take_special(
        self, slots: Rows, index: Rows, which: Flags, batch: Round, headers: Headers
    ) -> None:
        for slot, i in zip(slots[which].tolist(), index[which].tolist(), strict=True):
            start = int(headers.offset[i])
            payload = batch.datagrams[i, start : start + int(headers.size[i])].tobytes()
            self._special(slot, headers, i, payload)

    def _take_audio(
        self, slots: Rows, index: Rows, started: Flags, batch: Round, headers: Headers, now: float
    ) -> None:
        stamps, size = headers.timestamp[index], headers.size[index]
        self.jitter.update(slots, stamps, now)
        kind = self.decoder[slots] << 16 | size
        plain = headers.offset[index] == HEADER
        if plain.all() and (kind == kind[0]).all():
            self._decode(int(kind[0]), slots, index, started, stamps, batch, None)
            return
        for each in np.unique(kind).tolist():
            for offsets in (None, headers.offset):
                some = (kind == each) & (plain if offsets is None else ~plain)
                if some.any():
                    chosen = (slots[some], index[some], started[some], stamps[some])
                    self._decode(each, *chosen, batch, offsets)

    def _decode(
        self,
        kind: int,
        slots: Rows,
        index: Rows,
        started: Flags,
        stamps: Ints,
        batch: Round,
        offsets: Ints | None,
    ) -> None:
        """Decode packets of one codec and size, and put them into their ring."""
        which, size = kind >> 16, kind & 0xFFFF
        if which < 0 or size == 0:
            return
        decoder = self.decoders[which]
        pcm = decoder.decode(slots, _payloads(batch.datagrams, index, size, offsets))
        if pcm is None:
            self.undecodable += len(slots)
            return
        ring = decoder.lane.ring
        chunks = self.timeline.locate(slots, stamps)
        count = pcm.shape[1] // ring.samples
        chunks, moved = ring.place(slots, chunks, count, started)
        if moved.any():
            self.timeline.rebase(slots[moved], stamps[moved], chunks[moved])
        ring.write(slots, chunks, pcm)


def _payloads(
    datagrams: NDArray[np.uint8], index: Rows, size: int, offsets: Ints | None
) -> Payloads:
    if offsets is not None:
        columns = offsets[index][:, None] + np.arange(size)
        return np.asarray(datagrams[index[:, None], columns])
    if len(index) == len(datagrams):
        return datagrams[:, HEADER : HEADER + size]
    return np.asarray(datagrams[index, HEADER : HEADER + size])


def read_headers(batch: Round) -> Headers:
    """Parse the headers of a round."""
    return parse(batch.datagrams, batch.lengths)
