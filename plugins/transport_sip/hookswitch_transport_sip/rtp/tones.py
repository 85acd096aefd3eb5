"""In-band digits: the two tones of a key in the audio of many ports at once (ITU-T Q.23, Q.24).

Every 10 ms a window of 20 ms is correlated with the eight frequencies, for all ports by one matrix
product. A key is there when in two windows in a row the same two tones hold nearly all the power,
neither is much louder than the other, and both are on their frequency: how far a tone is off shows
in how its phase turned between the windows. Two windows are 30 ms, so whatever lasts 40 ms is
found, and what is shorter than about 25 ms is not. A key is over when its tones are gone from three
windows in a row: a pause of 40 ms; a lost packet is not one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hookswitch.mixer.bank import Samples

Slots = NDArray[np.intp]
Floats = NDArray[np.float32]

KEYS = "123A456B789C*0#D"
"""By row and column."""

ROWS, COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)

WINDOW_S, HOP_S = 0.02, 0.01
WINDOWS_PER_TICK = 2

LEAST_DBFS = -36.0
"""Of each tone; telephones may be 25 dB below a full level (Q.24 Annex A)."""

OFF_FREQUENCY = 0.024
"""Q.24 wants 1.5 % taken; most systems refuse what is 3.5 % off."""

NORMAL_TWIST_DB, REVERSE_TWIST_DB = 9.0, 5.0
"""How much weaker the column's tone may be, and how much louder; Q.24 wants 8 and 4 at least."""

SHARE = 0.85
"""Of a window's power that the two tones must have."""

FADED = 0.1
"""Share of a tone's power below which it is gone."""

_NORMAL_TWIST, _REVERSE_TWIST = 10 ** (NORMAL_TWIST_DB / 10), 10 ** (REVERSE_TWIST_DB / 10)
_ABSENT_WINDOWS = 3
_NO_KEY = -1


class ToneDetector:
    """The ports at one rate; state in arrays by slot."""

    def __init__(self, capacity: int, rate: int) -> None:
        self._window, self._hop = int(rate * WINDOW_S), int(rate * HOP_S)
        self._frequencies = np.array(ROWS + COLUMNS, np.float32)
        angles = 2 * np.pi * np.outer(np.arange(self._window) / rate, self._frequencies)
        scale = 2 / self._window
        waves = np.concatenate([np.cos(angles), -np.sin(angles)], axis=1) * scale
        self._waves = waves.astype(np.float32)
        self._turn = np.exp(-2j * np.pi * self._frequencies * HOP_S).astype(np.complex64)
        self._least = np.float32((32768 * 10 ** (LEAST_DBFS / 20)) ** 2)
        self._tail = np.zeros((capacity, self._window - self._hop), np.float32)
        self._tones = np.zeros((capacity, len(self._frequencies)), np.complex64)
        self._power = np.zeros(capacity, np.float32)
        self._key = np.full(capacity, _NO_KEY, np.int64)
        self._level = np.zeros((capacity, 2), np.float32)
        self._absent = np.zeros(capacity, np.int64)

    def open(self, slot: int) -> None:
        """A port begins, in silence."""
        self._tail[slot] = 0
        self._tones[slot] = 0
        self._power[slot] = 0
        self._key[slot], self._absent[slot] = _NO_KEY, 0

    def detect(self, slots: Slots, frames: Samples) -> list[tuple[int, str]]:
        """Look at 20 ms of these ports, float32 (n, samples); answers (slot, key) of new keys."""
        audio = np.concatenate((self._tail[slots], frames), axis=1)
        self._tail[slots] = audio[:, -self._tail.shape[1] :]
        found: list[tuple[int, str]] = []
        for start in range(0, WINDOWS_PER_TICK * self._hop, self._hop):
            pressed, keys = self._look(slots, audio[:, start : start + self._window])
            found += [
                (slot, KEYS[key]) for slot, key in zip(pressed.tolist(), keys.tolist(), strict=True)
            ]
        return found

    def _look(self, slots: Slots, window: Floats) -> tuple[Slots, Slots]:
        """One window of each port: the slots where a key has just been found, and the keys."""
        parts = window @ self._waves
        half = len(self._frequencies)
        tones = parts[:, :half] + 1j * parts[:, half:]
        power = np.einsum("ij,ij->i", window, window) / self._window
        before, power_before = self._tones[slots], self._power[slots]
        self._tones[slots], self._power[slots] = tones, power
        squares = parts[:, :half] ** 2 + parts[:, half:] ** 2
        self._notice_ends(slots, squares)
        # most ports say nothing that could be a key
        maybe = np.flatnonzero((squares[:, :4].max(1) > self._least)
                               & (squares[:, 4:].max(1) > self._least))  # fmt: skip
        if not len(maybe):
            return slots[:0], slots[:0]
        keys, sure = self._judge(
            tones[maybe], before[maybe], np.stack((power[maybe], power_before[maybe]))
        )
        new = sure & (keys != self._key[slots[maybe]])
        which, keys = maybe[new], keys[new]
        self._begin(slots[which], keys, squares[which])
        return slots[which], keys

    def _judge(
        self, tones: NDArray[np.complex64], before: NDArray[np.complex64], power: Floats
    ) -> tuple[Slots, NDArray[np.bool_]]:
        """The likeliest key of two windows, and whether it is one; ``power`` is (2, n)."""
        every = np.arange(len(tones))
        squares = np.abs(tones) ** 2
        row, column = squares[:, :4].argmax(1), squares[:, 4:].argmax(1)
        both = np.stack((row, column + 4), axis=1)
        here, there = tones[every[:, None], both], before[every[:, None], both]
        frequency = self._frequencies[both]
        off = np.angle(here * there.conj() * self._turn[both]) / (2 * np.pi * HOP_S)
        # a tone beside its frequency is seen weaker than it is
        seen = np.sinc(off * WINDOW_S) ** 2
        level, level_before = np.abs(here) ** 2 / seen, np.abs(there) ** 2 / seen
        share = np.stack((level.sum(1), level_before.sum(1))) / 2
        sure = (np.abs(off) < OFF_FREQUENCY * frequency).all(1)
        sure &= (share > SHARE * power).all(0)
        sure &= (level_before > self._least).all(1) & (level > self._least).all(1)
        sure &= level[:, 0] < level[:, 1] * _NORMAL_TWIST
        sure &= level[:, 1] < level[:, 0] * _REVERSE_TWIST
        return row * 4 + column, sure

    def _begin(self, slots: Slots, keys: Slots, squares: Floats) -> None:
        self._key[slots], self._absent[slots] = keys, 0
        every = np.arange(len(slots))
        self._level[slots, 0] = squares[every, keys // 4]
        self._level[slots, 1] = squares[every, keys % 4 + 4]

    def _notice_ends(self, slots: Slots, squares: Floats) -> None:
        """Forget keys whose tones are gone."""
        held = np.flatnonzero(self._key[slots] != _NO_KEY)
        if not len(held):
            return
        which = slots[held]
        key, level = self._key[which], self._level[which] * FADED
        row, column = squares[held, key // 4], squares[held, key % 4 + 4]
        gone = (row < level[:, 0]) | (column < level[:, 1])
        self._absent[which] = np.where(gone, self._absent[which] + 1, 0)
        self._key[which[self._absent[which] >= _ABSENT_WINDOWS]] = _NO_KEY
