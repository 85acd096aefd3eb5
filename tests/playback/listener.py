"""The mixer's end of *said* rings without a mixer: takes whole frames as they come."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np

from hookswitch.media.rings import FRAMES, Arena, ArenaShape, allocate
from hookswitch.mixer.bank import frame_samples


class Listener:
    """An arena, and what was taken from its rows."""

    def __init__(self, rate: int = 8000, capacity: int = 4, name: str = "arena") -> None:
        self.shape = ArenaShape(name, rate, capacity)
        self.fd = allocate(self.shape)
        self._arena = Arena(self.shape, self.fd)
        self._frame = frame_samples(rate)
        self._taken: dict[int, list[np.ndarray]] = {}

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def waiting(self, row: int) -> int:
        """Samples that were not taken yet."""
        return int(self._arena.said_in[row] - self._arena.said_out[row])

    def take(self, row: int = 0) -> bool:
        """Take a frame; answers whether there was one."""
        if self.waiting(row) < self._frame:
            return False
        slot = int(self._arena.said_out[row]) // self._frame % FRAMES
        self._taken.setdefault(row, []).append(self._arena.said[row, slot].copy())
        self._arena.said_out[row] += self._frame
        return True

    def hear(self, seconds: float, row: int = 0) -> np.ndarray:
        """Take until so much has been heard in all; at most a few times as long as it lasts."""
        wanted = round(seconds * self.shape.rate) // self._frame
        self.listen(lambda: len(self._taken.get(row, ())) >= wanted, row, 10 + 2 * seconds)
        return self.heard(row)

    def listen(self, until: Callable[[], bool], row: int = 0, patience: float = 10) -> None:
        """Take whatever comes until a condition holds."""
        give_up = time.monotonic() + patience
        while not until():
            if not self.take(row):
                assert time.monotonic() < give_up, "it is not said"
                time.sleep(0.001)

    def heard(self, row: int = 0) -> np.ndarray:
        """All that was taken."""
        return np.concatenate([np.zeros(0, np.int16), *self._taken.get(row, ())])
