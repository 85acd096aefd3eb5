"""When to play, wait, skip or drop: the jitter decision of many ports at once.

A producer (a phone, a browser) and the tick run on different clocks, and a network lies between
them. `Playout` sees only numbers: how much is buffered ahead of each port's play position, and
whether the front of it is there. It keeps no audio, so RTP's ring of chunks and the kernel's
shared-memory rings use the same rules:

- *Start* once the target (at least one frame) is buffered.
- *Wait* when less than a frame is left: silence is played, the position stays, and what was
  waited is remembered as a debt. If the awaited audio arrives late it is played, and the wait has
  bought a cushion. If it never arrives, the hole it left is skipped as far as the debt goes, for
  the listener has already sat through it.
- *Drop* a frame while it is quiet when the smallest level of a whole window shows that the
  cushion is not needed; drop all surplus at once, cross-faded, beyond the maximum, or when several
  windows went by without a quiet moment, or when it was our own clock that stood still.
- *Repeat* a quiet frame when even the largest level of a window is below what is needed.

What is needed is the target, or more for a while after audio came late twice within minutes: the
floor learns. Once is an accident, and the wait it cost has bought a cushion for the next moments.
When the cushion turns out not to be needed, the accident is soon forgotten.
Amounts are in the bank's own units (samples, or chunks of some milliseconds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]

WINDOW_TICKS = 32
"""Length in ticks (0.64 s) of the window over which a level is judged."""

LOUD_WINDOWS = 4
"""A surplus is cut off in the middle of sound after so many windows in which nothing was quiet."""

REBUFFER_TICKS = 10
"""After waiting this many ticks (200 ms) a port starts anew, with its target buffered."""

FORGET_TICKS = 15000
"""After this many ticks (5 minutes) without lateness the last one counts no more, and the learned
floor sinks by a frame."""

ACCIDENT_TICKS = 250
"""So long (5 s) an accident is remembered after the cushion it bought was given up."""

_FAR = 1 << 40


class Buffer(Protocol):
    """What `Playout` asks about the few ports that are not simply playing."""

    def hole(self, rows: Rows) -> Ints:
        """Units missing at the front of each row until something is there again."""

    def quiet(self, rows: Rows) -> Flags:
        """Whether nobody would miss the frame at the front of each row."""


@dataclass(slots=True)
class Decision:
    """What to do this tick, for n ports.

    First move the position on by ``skip`` (int64). Where ``take``, play the frame found there
    (missing parts concealed) and move on by a frame, unless ``hold``. Where ``blend``, cross-fade
    from the frame before the skip to the one after it. Where not ``take``, play silence.
    """

    skip: Ints
    take: Flags
    hold: Flags
    blend: Flags


class Playout:
    """The playout state of up to ``capacity`` ports; ``frame`` is the units of one tick.

    The counters are int64 arrays by row: ``underruns`` (times audio ran out), ``concealed``,
    ``dropped`` and ``repeated`` (frames).
    """

    def __init__(self, capacity: int, frame: int) -> None:
        self.frame = frame
        self.running = np.zeros(capacity, np.bool_)
        self.underruns = np.zeros(capacity, np.int64)
        self.concealed = np.zeros(capacity, np.int64)
        self.dropped = np.zeros(capacity, np.int64)
        self.repeated = np.zeros(capacity, np.int64)
        self._live = np.zeros(capacity, np.bool_)
        self._start = np.full(capacity, _FAR, np.int64)
        self._lowest_floor = np.zeros(capacity, np.int64)
        self._floor = np.zeros(capacity, np.int64)
        self._maximum = np.full(capacity, _FAR, np.int64)
        self._debt = np.zeros(capacity, np.int64)
        self._waited = np.zeros(capacity, np.int64)
        self._calm = np.zeros(capacity, np.int64)
        self._least = np.full(capacity, _FAR, np.int64)
        self._most = np.full(capacity, -1, np.int64)
        self._surplus = np.zeros(capacity, np.int64)
        self._undropped = np.zeros(capacity, np.int64)
        """Windows that offered no quiet frame to drop the surplus in."""
        self._stalled = False
        self._window = 0

    def open(self, row: int, target: int, maximum: int, *, live: bool = True) -> None:
        """Start a port: ``target`` units wanted before it plays, never more than ``maximum``.

        A producer that is not live (a file, a synthesiser) may run ahead as far as it likes.
        """
        for counter in (self.underruns, self.concealed, self.dropped, self.repeated):
            counter[row] = 0
        self.configure(row, target, maximum, live=live)
        self.restart(row)

    def configure(self, row: int, target: int, maximum: int, *, live: bool = True) -> None:
        """Change the target and maximum of a port while it plays."""
        start = max(target, self.frame)
        self._start[row] = start
        self._lowest_floor[row] = self._floor[row] = start - self.frame
        self._maximum[row] = max(maximum, start + 2 * self.frame)
        self._live[row] = live

    def restart(self, row: int) -> None:
        """Forget the levels of a port: its buffer was emptied."""
        self.running[row] = False
        self._debt[row] = self._waited[row] = self._surplus[row] = 0
        self._calm[row] = FORGET_TICKS
        self._undropped[row] = 0
        self._least[row], self._most[row] = _FAR, -1

    def close(self, row: int) -> None:
        """A closed row never starts."""
        self.restart(row)
        self._start[row] = _FAR

    def catch_up(self) -> None:
        """Our clock stood still: skip what piled up meanwhile, at the next decision."""
        self._stalled = True

    def decide(self, level: Ints, front: Flags, buffer: Buffer) -> Decision:
        """Decide one tick for the first n rows.

        ``level``: int64 (n,), units from the play position to the newest, holes included.
        ``front``: bool (n,), the whole next frame is there.
        """
        n = len(level)
        running = self.running[:n]
        running |= level >= self._start[:n]
        take = running & (level >= self.frame)
        plan = Decision(np.zeros(n, np.int64), take, np.zeros(n, np.bool_), np.zeros(n, np.bool_))
        broken = take & ~front
        if np.count_nonzero(broken):
            self._cross_holes(np.flatnonzero(broken), level, plan, buffer)
        self._wait(plan.take)
        self._correct(level, plan, buffer)
        self._watch(level, plan)
        return plan

    def _cross_holes(self, rows: Rows, level: Ints, plan: Decision, buffer: Buffer) -> None:
        """Skip what the debt has paid for; a frame that then still has holes is concealed."""
        hole = buffer.hole(rows)
        skip = np.minimum(hole, self._debt[rows])
        plan.skip[rows] = skip
        plan.take[rows] = level[rows] - skip >= self.frame
        # A wait that ended in a hole was a loss, not lateness: there is nothing to learn.
        self._waited[rows[skip > 0]] = 0
        self.concealed[rows[hole > skip]] += 1

    def _wait(self, take: Flags) -> None:
        n = len(take)
        waited, debt, running = self._waited[:n], self._debt[:n], self.running[:n]
        late = take & (waited > 0)
        if np.count_nonzero(late):
            self._learn(np.flatnonzero(late))
            waited[late] = 0
        idle = ~take
        debt += self.frame
        debt *= idle
        if not np.count_nonzero(idle):
            return
        starved = idle & running
        waited += starved
        self.underruns[:n] += starved & (waited == 1)
        gone = waited >= REBUFFER_TICKS
        if np.count_nonzero(gone):
            running &= ~gone
            waited[gone] = 0

    def _learn(self, rows: Rows) -> None:
        """Audio came late: if it is not the first time, keep one frame more, within the maximum."""
        again = rows[self._calm[rows] < FORGET_TICKS]
        highest = np.maximum(self._maximum[again] - 2 * self.frame, self._lowest_floor[again])
        self._floor[again] = np.minimum(self._floor[again] + self.frame, highest)
        self._calm[rows] = 0
        self._surplus[rows] = 0
        self._least[rows], self._most[rows] = _FAR, -1

    def _correct(self, level: Ints, plan: Decision, buffer: Buffer) -> None:
        n = len(level)
        surplus = self._surplus[:n]
        take = plan.take & self._live[:n]
        ahead = level - plan.skip
        overdue = (self._undropped[:n] >= LOUD_WINDOWS) & (surplus > 0)
        excess = take & ((ahead > self._maximum[:n]) | overdue)
        if self._stalled:
            self._stalled = False
            excess |= take & (ahead >= self._floor[:n] + 2 * self.frame)
        if np.count_nonzero(excess):
            self._cut(np.flatnonzero(excess), level, plan)
        if not np.count_nonzero(surplus):
            return
        wanted = take & (np.abs(surplus) >= self.frame) & (level - plan.skip >= self.frame)
        rows = np.flatnonzero(wanted & ((surplus < 0) | (level - plan.skip >= 2 * self.frame)))
        if len(rows):
            rows = rows[buffer.quiet(rows)]
            self._drop(rows[surplus[rows] > 0], plan)
            self._repeat(rows[surplus[rows] < 0], plan)

    def _cut(self, rows: Rows, level: Ints, plan: Decision) -> None:
        """Back to the floor in one step; once is less of a disturbance than many times."""
        extra = level[rows] - plan.skip[rows] - self._floor[rows] - self.frame
        frames = np.maximum(extra // self.frame, 0)
        self._pardon(rows)
        plan.skip[rows] += frames * self.frame
        plan.blend[rows] = frames > 0
        self.dropped[rows] += frames
        self._surplus[rows] = 0
        self._undropped[rows] = 0
        self._least[rows], self._most[rows] = _FAR, -1

    def _drop(self, rows: Rows, plan: Decision) -> None:
        self._pardon(rows)
        plan.skip[rows] += self.frame
        plan.blend[rows] = True
        self._surplus[rows] -= self.frame
        self.dropped[rows] += 1

    def _pardon(self, rows: Rows) -> None:
        """A cushion was not needed: what bought it was an accident, unless the floor learned."""
        rows = rows[self._floor[rows] == self._lowest_floor[rows]]
        self._calm[rows] = np.maximum(self._calm[rows], FORGET_TICKS - ACCIDENT_TICKS)

    def _repeat(self, rows: Rows, plan: Decision) -> None:
        plan.hold[rows] = True
        self._surplus[rows] += self.frame
        self._calm[rows] = 0
        self.repeated[rows] += 1

    def _watch(self, level: Ints, plan: Decision) -> None:
        """Note what is left after this tick; judge it at the end of each window."""
        n = len(level)
        left = level - plan.skip
        left -= self.frame
        least, most = self._least[:n], self._most[:n]
        np.minimum(least, left, out=least, where=plan.take)
        np.maximum(most, left, out=most, where=plan.take)
        self._window += 1
        if self._window >= WINDOW_TICKS:
            self._window = 0
            self._judge()

    def _judge(self) -> None:
        self._calm += WINDOW_TICKS
        forget = (self._calm >= FORGET_TICKS) & (self._floor > self._lowest_floor)
        self._floor[forget] -= np.minimum(self.frame, (self._floor - self._lowest_floor)[forget])
        self._calm[forget] = 0
        seen = self._most >= 0
        above = np.maximum(self._least - self._floor, 0)
        below = np.minimum(self._most - self._floor, 0)
        undropped = self._surplus > 0
        self._surplus = np.where(seen, above + below, 0) // self.frame * self.frame
        self._undropped += 1
        self._undropped *= undropped & (self._surplus > 0)
        self._least.fill(_FAR)
        self._most.fill(-1)
