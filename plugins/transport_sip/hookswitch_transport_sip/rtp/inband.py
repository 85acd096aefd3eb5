"""Which ports are listened to for in-band digits."""

from __future__ import annotations

import numpy as np

from hookswitch.mixer.bank import Frames

from .tones import Slots, ToneDetector


class Inband:
    """One detector per rate; slots are the bank's, rows the engine's."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._detectors: dict[int, ToneDetector] = {}
        self._rows: dict[int, dict[int, int]] = {}
        self._arranged: dict[int, tuple[Slots, Slots]] = {}

    def watch(self, slot: int, row: int, rate: int, *, wanted: bool) -> None:
        """Listen to a port, or do not."""
        rows = self._rows.setdefault(rate, {})
        if wanted == (slot in rows):
            return
        if wanted:
            if rate not in self._detectors:
                self._detectors[rate] = ToneDetector(self._capacity, rate)
            self._detectors[rate].open(slot)
            rows[slot] = row
        else:
            del rows[slot]
        self._arranged[rate] = np.array(list(rows), np.intp), np.array([*rows.values()], np.intp)

    def detect(self, inputs: Frames) -> list[tuple[int, str]]:
        """Listen to the 20 ms just pulled; answers (slot, key) of keys that were pressed."""
        found: list[tuple[int, str]] = []
        for rate, (slots, rows) in self._arranged.items():
            if len(slots) and rate in inputs:
                found += self._detectors[rate].detect(slots, inputs[rate][rows])
        return found
