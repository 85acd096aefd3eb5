"""Streams whose packets must be decoded in their order: what has to wait, and what is missing.

A packet that continues its stream is decoded as it comes. One that comes after a gap waits, for
what is missing may only be late; when its turn to be played has come, the gap is closed: by the
redundancy the packet carries, by the decoder's concealment, or not at all where the listener has
waited already. A pause of the sender (DTX) is a gap in the timestamps but not in the sequence, and
is closed with the decoder's background noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hookswitch.codecs.base import Flags, Ints, Payloads, Rows, StreamCodecBatch

from .ring import CHUNKS, CHUNKS_PER_FRAME, Ring

LONGEST_LOSS = 24
"""Chunks of loss that are closed at most; a longer silence is heard as such."""

LONGEST_PAUSE = CHUNKS // 2
"""Chunks of background noise at most."""

_MOST_WAITING = 64
_UNKNOWN = -1


@dataclass(slots=True)
class Packet:
    """A packet that waits: where its audio goes, and whether it carries what precedes it."""

    chunk: int
    count: int
    payload: Payloads
    repairs: bool
    pause: bool


@dataclass(slots=True)
class Batch:
    """Packets of distinct slots, arrays of n; payloads and sizes as codecs take them.

    ``numbers`` are extended sequence numbers, ``chunks`` where the audio goes, ``anew`` whether it
    goes there whatever was before.
    """

    slots: Rows
    numbers: Ints
    chunks: Ints
    anew: Flags
    payloads: Payloads
    sizes: Ints
    counts: Ints

    def only(self, some: Flags) -> Batch:
        return Batch(
            self.slots[some],
            self.numbers[some],
            self.chunks[some],
            self.anew[some],
            self.payloads[some],
            self.sizes[some],
            self.counts[some],
        )


class InOrder:
    """The streams of one codec that play into one ring; arrays by slot.

    ``recovered`` counts losses that redundancy made good, ``waited`` chunks the listener has been
    kept waiting for (the lane counts them).
    """

    def __init__(self, codec: StreamCodecBatch, ring: Ring, capacity: int) -> None:
        self.codec = codec
        self.ring = ring
        self.recovered = np.zeros(capacity, np.int64)
        self.waited = np.zeros(capacity, np.int64)
        self._next = np.zeros(capacity, np.int64)
        self._edge = np.zeros(capacity, np.int64)
        self._shelf: dict[int, dict[int, Packet]] = {}

    def open(self, slot: int) -> None:
        """A fresh stream: the first packet is its beginning."""
        self.recovered[slot] = self.waited[slot] = 0
        self._next[slot] = _UNKNOWN
        self._shelf.pop(slot, None)

    def close(self, slot: int) -> None:
        """Forget what waits."""
        self._shelf.pop(slot, None)

    def take(self, batch: Batch) -> int:
        """Decode what is in order, keep what is not; answers how many payloads were none."""
        due = self._next[batch.slots]
        anew = batch.anew | (due == _UNKNOWN)
        if self._shelf:
            for slot in batch.slots[anew].tolist():
                self._shelf.pop(slot, None)
        behind = batch.numbers - due
        ready = anew | (behind == 0) & (batch.chunks <= self._edge[batch.slots])
        if np.count_nonzero(ready) == len(ready):
            bad = self._decode(batch)
        else:
            late = ~ready & (behind < 0)
            self.ring.late[batch.slots] += late
            bad = self._decode(batch.only(ready)) if ready.any() else 0
            self._keep(batch.only(~ready & ~late))
        if self._shelf:
            for slot in [s for s in batch.slots.tolist() if s in self._shelf]:
                self._catch_up(slot)
        return bad

    def skip(self, slot: int, number: int) -> None:
        """A packet of the stream that is no audio (a telephone event, say) has this number."""
        if number == self._next[slot]:
            self._next[slot] += 1
        elif number > self._next[slot] != _UNKNOWN:
            nothing = np.zeros(0, np.uint8)
            self._shelf.setdefault(slot, {})[number] = Packet(0, 0, nothing, False, False)
        if slot in self._shelf:
            self._catch_up(slot)

    def settle(self) -> None:
        """Close the gaps whose time has come, before the next frame is taken from the ring."""
        for slot in list(self._shelf):
            while slot in self._shelf and self._is_due(slot):
                self._close_gap(slot)
                self._catch_up(slot)

    def _is_due(self, slot: int) -> bool:
        return bool(self.ring.play[slot] + CHUNKS_PER_FRAME > self._edge[slot])

    def _decode(self, batch: Batch) -> int:
        """Decode and write to the ring; a group of one length at a time, nearly always one."""
        pcm, lengths = self.codec.decode(batch.slots, batch.payloads, batch.sizes)
        whole = batch.counts * self.ring.samples
        for count in np.unique(batch.counts).tolist():
            some = np.flatnonzero((batch.counts == count) & (lengths > 0))
            width = count * self.ring.samples
            audio = pcm[some, :width]
            if audio.shape[1] < width:
                audio = np.pad(audio, ((0, 0), (0, width - audio.shape[1])), mode="edge")
            self.ring.write(batch.slots[some], batch.chunks[some], audio)
        self._next[batch.slots] = batch.numbers + 1
        self._edge[batch.slots] = batch.chunks + batch.counts
        self.waited[batch.slots] = 0
        return int(np.count_nonzero((lengths <= 0) | (lengths > whole)))

    def _keep(self, batch: Batch) -> None:
        if not len(batch.slots):
            return
        repairs = self.codec.repairs(batch.payloads, batch.sizes)
        for i, slot in enumerate(batch.slots.tolist()):
            shelf = self._shelf.setdefault(slot, {})
            if len(shelf) >= _MOST_WAITING:
                continue
            number, chunk, count = (
                int(column[i]) for column in (batch.numbers, batch.chunks, batch.counts)
            )
            payload = batch.payloads[i, : int(batch.sizes[i])].copy()
            pause = number == self._next[slot]
            shelf[number] = Packet(chunk, count, payload, bool(repairs[i]), pause)
            self.ring.head[slot] = max(int(self.ring.head[slot]), chunk + count)

    def _catch_up(self, slot: int) -> None:
        """Decode what waited only for what has come now."""
        shelf = self._shelf[slot]
        while (packet := shelf.get(int(self._next[slot]))) is not None:
            if packet.chunk > self._edge[slot]:
                packet.pause = True
                break
            self._decode_one(slot, int(self._next[slot]), packet)
            del shelf[int(self._next[slot]) - 1]
        if not shelf:
            del self._shelf[slot]

    def _close_gap(self, slot: int) -> None:
        """Fill what precedes the first packet that waits, as far as it is not waited for."""
        shelf = self._shelf[slot]
        number = min(shelf)
        packet, missing = shelf.pop(number), 0
        if packet.chunk > self._edge[slot]:
            missing = packet.chunk - max(int(self._edge[slot]), int(self.ring.play[slot]))
        self._fill(slot, packet, missing)
        self._decode_one(slot, number, packet)

    def _fill(self, slot: int, packet: Packet, missing: int) -> None:
        longest = LONGEST_PAUSE if packet.pause else LONGEST_LOSS
        fill = min(missing - int(self.waited[slot]), longest)
        if packet.repairs and not packet.pause:
            # What was lost can still be heard, as if it had only been late.
            fill = min(max(fill, packet.count), missing)
        if fill <= 0:
            return
        samples = fill * self.ring.samples
        if packet.repairs and not packet.pause:
            pcm = self.codec.recover(slot, packet.payload, samples)[None, :]
            self.recovered[slot] += 1
        else:
            concealed = self.codec.conceal(np.array([slot]), samples)
            if concealed is None:
                return
            pcm = concealed
        self.ring.write(np.array([slot]), np.array([packet.chunk - fill]), pcm)

    def _decode_one(self, slot: int, number: int, packet: Packet) -> None:
        if not packet.count:
            self._next[slot] = number + 1
            return
        one = np.array([slot])
        self._decode(
            Batch(
                one,
                np.array([number]),
                np.array([packet.chunk]),
                np.zeros(1, np.bool_),
                packet.payload[None, :],
                np.array([len(packet.payload)]),
                np.array([packet.count]),
            )
        )
