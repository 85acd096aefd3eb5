"""The ring bank: all ports whose audio travels through shared memory, arena by arena."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np

from hookswitch.mixer.bank import BankError, Frames, PortReport, PortSpec, Samples, frame_samples
from hookswitch.mixer.fade import CHUNKS, Fader, cross_fade
from hookswitch.mixer.playout import Decision, Flags, Ints, Playout, Rows

from .rings import Arena, ArenaShape

RING_BANK = "hookswitch.media.ring_bank:RingBank"

QUIET = 100.0
"""A frame whose peak (16-bit scale) is below this may be dropped or repeated: -50 dBFS."""


class RingParams(TypedDict):
    """A ring port's parameters. Its descriptor is the arena's.

    ``live``: the producer keeps real time (a microphone), so its drift is corrected; otherwise it
    may run ahead. ``listens``: the port has a consumer; ``wakes``: who is told after every tick.
    Jitter in milliseconds.
    """

    arena: ArenaShape
    row: int
    live: bool
    listens: bool
    wakes: bool
    jitter_ms: int
    jitter_max_ms: int


class _ArenaPorts:
    """The ports of one arena."""

    def __init__(self, arena: Arena) -> None:
        shape = arena.shape
        self.arena = arena
        self.names: dict[int, str] = {}
        self._frame = frame_samples(shape.rate)
        self._rate = shape.rate
        self.playout = Playout(shape.capacity, self._frame)
        self._fader = Fader(shape.capacity, shape.rate)
        self._engine_row = np.zeros(shape.capacity, np.intp)
        self._rows = np.zeros(0, np.intp)
        self._listeners = np.zeros(0, np.intp)
        self._speaks: set[int] = set()
        self._listens: set[int] = set()
        self.wakes: set[int] = set()

    def open(self, spec: PortSpec, params: RingParams, engine_row: int) -> None:
        row = params["row"]
        if row in self.names:
            raise BankError(f"ring {row} of arena {self.arena.shape.id} is in use")
        self.names[row] = spec.id
        self._engine_row[row] = engine_row
        per_ms = self._rate // 1000
        self.playout.open(
            row, params["jitter_ms"] * per_ms, params["jitter_max_ms"] * per_ms, live=params["live"]
        )
        self._fader.reset(row)
        if spec.speaks:
            self._speaks.add(row)
        if params["listens"]:
            self._listens.add(row)
            if params["wakes"]:
                self.wakes.add(row)
        self._index()

    def stop(self, row: int) -> int:
        """Play no more of this ring; answers how many samples were played."""
        self.playout.close(row)
        return int(self.arena.said_out[row])

    def close(self, row: int) -> None:
        del self.names[row]
        self.playout.close(row)
        for rows in (self._speaks, self._listens, self.wakes):
            rows.discard(row)
        self._index()

    def pull(self, matrix: Samples) -> None:
        arena, rows = self.arena, self._rows
        if not len(rows):
            return
        n = int(rows[-1]) + 1
        level = arena.said_in[:n] - arena.said_out[:n]
        decision = self.playout.decide(level, level >= self._frame, self)
        audio = self._play(decision, n)
        matrix[self._engine_row[rows]] = audio[rows]

    def _play(self, decision: Decision, n: int) -> Samples:
        arena, frame = self.arena, self._frame
        position = arena.said_out[:n]
        blended = np.flatnonzero(decision.blend)
        before = self._at(blended, position[blended]) if len(blended) else None
        position = position + decision.skip
        everyone = np.arange(n)
        audio = self._at(everyone, position)
        if before is not None:
            audio[blended] = cross_fade(before, audio[blended])
        self._fader.apply(audio, np.repeat(decision.take[:, None], CHUNKS, axis=1))
        arena.said_out[:n] = position + frame * (decision.take & ~decision.hold)
        return audio

    def _at(self, rows: Rows, position: Ints) -> Samples:
        """The frames at these positions, float32; positions are whole frames."""
        slots = position // self._frame % self.arena.shape.frames
        return self.arena.said[rows, slots].astype(np.float32)

    def hole(self, rows: Rows) -> Ints:
        """A ring is written without holes."""
        return np.zeros(len(rows), np.int64)

    def quiet(self, rows: Rows) -> Flags:
        """Whether the next frame of each row is too quiet to be missed."""
        frames = self._at(rows, self.arena.said_out[rows])
        return np.asarray(np.abs(frames).max(axis=1) < QUIET)

    def push(self, matrix: Samples) -> None:
        rows = self._listeners
        if not len(rows):
            return
        slots = self.arena.heard_in[rows] // self._frame % self.arena.shape.frames
        self.arena.heard[rows, slots] = np.rint(matrix[self._engine_row[rows]]).astype(np.int16)
        self.arena.heard_in[rows] += self._frame

    def stats(self, row: int) -> dict[str, int]:
        counters = ("underruns", "concealed", "dropped", "repeated")
        return {name: int(getattr(self.playout, name)[row]) for name in counters}

    def _index(self) -> None:
        self._rows = np.array(sorted(self._speaks), np.intp)
        self._listeners = np.array(sorted(self._listens), np.intp)


class RingBank:
    """Implements `hookswitch.mixer.bank.Bank` over any number of arenas."""

    def __init__(self) -> None:
        self._arenas: dict[str, _ArenaPorts] = {}
        self._where: dict[str, tuple[_ArenaPorts, int]] = {}
        self._reports: list[PortReport] = []

    @property
    def wakes(self) -> bool:
        """Whether a consumer wants to be told after a tick."""
        return any(ports.wakes for ports in self._arenas.values())

    def open(self, spec: PortSpec, row: int) -> None:
        shape: ArenaShape = spec.params["arena"]
        try:
            if shape.id not in self._arenas:
                self._arenas[shape.id] = _ArenaPorts(Arena(shape, spec.fds[0]))
        except (OSError, ValueError, IndexError) as error:
            raise BankError(f"cannot map the ring of {spec.id}: {error}") from error
        finally:
            for fd in spec.fds:
                os.close(fd)
        ports = self._arenas[shape.id]
        params = spec.params
        ports.open(
            spec,
            RingParams(
                arena=shape,
                row=params["row"],
                live=params.get("live", True),
                listens=params.get("listens", True),
                wakes=params.get("wakes", True),
                jitter_ms=params.get("jitter_ms", 0),
                jitter_max_ms=params.get("jitter_max_ms", 300),
            ),
            row,
        )
        self._where[spec.id] = (ports, params["row"])

    def update(self, port: str, params: Mapping[str, Any]) -> None:
        """A ring port has no parameters that change."""

    def signal(self, port: str, message: Mapping[str, Any]) -> None:
        """``{"stop": why}``: play no more; the sound fades out within the next tick.

        ``{"handover": True}``: another bank goes on with the port; the ring knows where it is.
        """
        if "handover" in message:
            return
        if "stop" not in message:
            raise BankError(f"unknown signal: {', '.join(sorted(message))}")
        ports, row = self._where[port]
        played = ports.stop(row)
        self._reports.append(PortReport(port, "stopped", {"by": message["stop"], "played": played}))

    def close(self, port: str) -> None:
        ports, row = self._where.pop(port)
        self._reports.append(PortReport(port, "stats", ports.stats(row)))
        ports.close(row)
        if not ports.names:
            del self._arenas[ports.arena.shape.id]

    def catch_up(self) -> None:
        for ports in self._arenas.values():
            ports.playout.catch_up()

    def gather(self, now: float) -> None:
        """Shared memory need not be fetched."""

    def pull(self, inputs: Frames, now: float) -> None:
        for ports in self._arenas.values():
            ports.pull(inputs[ports.arena.shape.rate])

    def push(self, outputs: Frames, now: float) -> None:
        for ports in self._arenas.values():
            ports.push(outputs[ports.arena.shape.rate])

    def reports(self) -> Sequence[PortReport]:
        reports, self._reports = self._reports, []
        return reports

    def shutdown(self) -> None:
        self._where.clear()
        self._arenas.clear()
