"""From datagrams to the rings: what happens to a round of received packets, all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hookswitch.codecs.base import AnyCodecBatch, Payloads, Pcm, StreamCodecBatch

from .arrivals import Arrivals, measured
from .in_order import Batch, InOrder
from .lane import Lane
from .packets import HEADER, PLAIN_MASK, Headers, Words
from .receiver import Round
from .ring import CHUNKS, Timeline
from .sequences import Sequences
from .stats import Discarded, Jitter

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]

NO_AUDIO = -1
"""Payload type or codec of a slot that receives no audio."""

Special = Callable[[int, Headers, int, bytes], None]
"""Takes (slot, headers, index, payload) of an accepted packet that is not the port's audio."""


class Decoder:
    """A codec in use: its batch, and the lane its audio goes to.

    ``stream`` is what keeps its packets in order, if they must be.
    """

    def __init__(self, codec: AnyCodecBatch, lane: Lane, capacity: int) -> None:
        self.codec = codec
        self.lane = lane
        self.stream: InOrder | None = None
        if isinstance(codec, StreamCodecBatch):
            self.stream = InOrder(codec, lane.ring, capacity)

    def decode(self, slots: Rows, payloads: Payloads) -> Pcm | None:
        """int16 (n, whole chunks); None when the codec cannot make audio of such payloads."""
        assert not isinstance(self.codec, StreamCodecBatch)
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


@dataclass(slots=True)
class _Audio:
    """Accepted audio packets: slots, rows in the round, and fields, arrays of one length."""

    slots: Rows
    index: Rows
    started: Flags
    sequence: Ints
    stamps: Ints
    size: Ints

    def only(self, some: Flags) -> _Audio:
        return _Audio(
            self.slots[some],
            self.index[some],
            self.started[some],
            self.sequence[some],
            self.stamps[some],
            self.size[some],
        )


class Intake:
    """The receiving state of all slots.

    ``heard`` is when a slot last got a valid packet, ``stamp`` its audio's last timestamp.
    ``payload_type`` and ``decoder`` (an index into ``decoders``) are how its audio is known;
    ``plain`` is the `plain_word` of slots that want no more attention than that, else -1.
    ``in_order`` marks those whose packets must be decoded in their order.
    ``malformed`` and ``undecodable`` are counts.
    """

    def __init__(self, capacity: int, arrivals: Arrivals, special: Special) -> None:
        self.sequences = Sequences(capacity)
        self.timeline = Timeline(capacity)
        self.jitter = Jitter(capacity)
        self.discarded = Discarded(capacity)
        self.heard = np.zeros(capacity, np.float64)
        self.stamp = np.zeros(capacity, np.int64)
        self.octets = np.zeros(capacity, np.int64)
        self.payload_type = np.full(capacity, NO_AUDIO, np.int64)
        self.decoder = np.full(capacity, NO_AUDIO, np.int64)
        self.plain = np.full(capacity, NO_AUDIO, np.int64)
        self.in_order = np.zeros(capacity, np.bool_)
        self.decoders: list[Decoder] = []
        self.malformed = 0
        self.undecodable = 0
        self._arrivals = arrivals
        self._special = special

    def open(self, slot: int, clock_rate: int, now: float) -> None:
        """A fresh stream at ``slot``."""
        self.sequences.reset(slot)
        self.timeline.open(slot, clock_rate)
        self.jitter.open(slot, clock_rate)
        self.discarded.reset(slot)
        self.heard[slot], self.octets[slot] = now, 0

    def is_plain(self, batch: Round, words: Words) -> bool:
        """Whether a round holds nothing but audio packets as each port expects them."""
        same = words.first & PLAIN_MASK == self.plain[batch.slots]
        same &= batch.lengths > HEADER
        return bool(np.count_nonzero(same) == len(same))

    def take_plain(self, batch: Round, words: Words, now: float) -> None:
        """Take a round for which `is_plain` holds: what nearly all rounds are."""
        slots, size = batch.slots, batch.lengths - HEADER
        verdict = self.sequences.accept(slots, words.ssrc, words.sequence)
        self.heard[slots] = now
        index = np.arange(len(slots))
        audio = _Audio(slots, index, verdict.started, words.sequence, words.timestamp, size)
        if not verdict.regular:
            audio = audio.only(verdict.accepted)
            self.jitter.restart(audio.slots[audio.started])
        self.octets[audio.slots] += audio.size
        if len(audio.slots):
            self._take_audio(audio, batch, None)

    def take(self, batch: Round, headers: Headers, now: float) -> None:
        """Take a round of any datagrams."""
        self.malformed += int(
            np.count_nonzero(~(headers.valid | headers.rtcp) & (batch.lengths >= 0))
        )
        index = np.flatnonzero(headers.valid)
        slots = batch.slots[index]
        verdict = self.sequences.accept(slots, headers.ssrc[index], headers.sequence[index])
        self.heard[slots] = now
        index, slots = index[verdict.accepted], slots[verdict.accepted]
        self.octets[slots] += headers.size[index]
        started = verdict.started[verdict.accepted]
        self.jitter.restart(slots[started])
        audio = headers.payload_type[index] == self.payload_type[slots]
        self._take_special(slots, index, ~audio, batch, headers)
        index, slots, started = index[audio], slots[audio], started[audio]
        if len(slots):
            sequence, stamps = headers.sequence[index], headers.timestamp[index]
            taken = _Audio(slots, index, started, sequence, stamps, headers.size[index])
            self._take_audio(taken, batch, headers.offset)

    def _take_special(
        self, slots: Rows, index: Rows, which: Flags, batch: Round, headers: Headers
    ) -> None:
        for slot, i in zip(slots[which].tolist(), index[which].tolist(), strict=True):
            start = int(headers.offset[i])
            payload = batch.datagrams[i, start : start + int(headers.size[i])].tobytes()
            self._special(slot, headers, i, payload)
            if self.in_order[slot]:
                self._skip(slot, int(headers.sequence[i]))

    def _take_audio(self, audio: _Audio, batch: Round, offset: Ints | None) -> None:
        """Decode by codec and size; ``offset`` of the payloads, None where all are plain."""
        self._measure(audio)
        ordered = self.in_order[audio.slots]
        if np.count_nonzero(ordered):
            self._take_in_order(audio.only(ordered), batch, offset)
            audio = audio.only(~ordered)
            if not len(audio.slots):
                return
        kind = self.decoder[audio.slots] << 16 | audio.size
        if offset is None and np.count_nonzero(kind != kind[0]) == 0:
            self._decode(int(kind[0]), audio, batch, None)
            return
        odd = np.zeros(len(kind), np.bool_) if offset is None else offset[audio.index] != HEADER
        for each in np.unique(kind).tolist():
            for some, where in (((kind == each) & ~odd, None), ((kind == each) & odd, offset)):
                if np.count_nonzero(some):
                    self._decode(each, audio.only(some), batch, where)

    def _take_in_order(self, audio: _Audio, batch: Round, offset: Ints | None) -> None:
        """Hand packets to the streams that decode them in their order."""
        which = self.decoder[audio.slots]
        for each in np.unique(which).tolist():
            if each >= 0:
                self._stream_in(self.decoders[each], audio.only(which == each), batch, offset)

    def _stream_in(
        self, decoder: Decoder, audio: _Audio, batch: Round, offset: Ints | None
    ) -> None:
        stream = decoder.stream
        assert stream is not None
        payloads = _payloads(batch.datagrams, audio.index, int(audio.size.max()), offset)
        counts = -(-stream.codec.samples(payloads, audio.size) // stream.ring.samples)
        good = (counts > 0) & (counts <= CHUNKS // 2)
        if not np.all(good):
            self._discard(audio.only(~good))
        audio, payloads, counts = audio.only(good), payloads[good], counts[good]
        if not len(audio.slots):
            return
        slots = audio.slots
        chunks = self.timeline.locate(slots, audio.stamps)
        chunks, moved = stream.ring.place(slots, chunks, counts, audio.started)
        if np.count_nonzero(moved):
            self.timeline.rebase(slots[moved], audio.stamps[moved], chunks[moved])
        numbers = self._numbers(slots, audio.sequence)
        taken = Batch(slots, numbers, chunks, moved, payloads, audio.size, counts)
        self.undecodable += stream.take(taken)

    def _numbers(self, slots: Rows, sequence: Ints) -> Ints:
        """Extended sequence numbers of packets just accepted."""
        highest = self.sequences.highest[slots]
        return np.asarray(highest + ((sequence - highest + 0x8000 & 0xFFFF) - 0x8000))

    def _skip(self, slot: int, sequence: int) -> None:
        """A number of the slot's stream is not that of an audio packet."""
        which = int(self.decoder[slot])
        if which >= 0 and (stream := self.decoders[which].stream) is not None:
            number = self._numbers(np.array([slot]), np.array([sequence]))
            stream.skip(slot, int(number[0]))

    def _measure(self, audio: _Audio) -> None:
        self.stamp[audio.slots] = audio.stamps
        some = measured(self._arrivals, audio.slots)
        if some is not None:
            slots = audio.slots[some]
            self.jitter.update(slots, audio.stamps[some], self._arrivals.at[slots])

    def _discard(self, audio: _Audio) -> None:
        """The codec cannot make sound of these."""
        self.undecodable += len(audio.slots)
        self.discarded.add(audio.slots, audio.sequence)

    def _decode(self, kind: int, audio: _Audio, batch: Round, offset: Ints | None) -> None:
        """Decode packets of one codec and size, and put them into their ring."""
        which, size = kind >> 16, kind & 0xFFFF
        if which < 0 or size == 0:
            return
        slots, decoder = audio.slots, self.decoders[which]
        pcm = decoder.decode(slots, _payloads(batch.datagrams, audio.index, size, offset))
        if pcm is None:
            self._discard(audio)
            return
        ring = decoder.lane.ring
        chunks = self.timeline.locate(slots, audio.stamps)
        chunks, moved = ring.place(slots, chunks, pcm.shape[1] // ring.samples, audio.started)
        if np.count_nonzero(moved):
            self.timeline.rebase(slots[moved], audio.stamps[moved], chunks[moved])
        ring.write(slots, chunks, pcm)


def _payloads(
    datagrams: NDArray[np.uint8], index: Rows, size: int, offsets: Ints | None
) -> Payloads:
    if offsets is not None:
        last = datagrams.shape[1] - 1
        columns = np.minimum(offsets[index][:, None] + np.arange(size), last)
        return np.asarray(datagrams[index[:, None], columns])
    if len(index) == len(datagrams):
        return datagrams[:, HEADER : HEADER + size]
    return np.asarray(datagrams[index, HEADER : HEADER + size])
