"""Processors: what plugins do to the sound of ports before anybody hears it, many ports at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import numpy as np

from .bank import Samples
from .resample import Index

log = logging.getLogger(__name__)


class Processor(Protocol):
    """Changes what ports say: a noise suppressor, a voice changer, a gain.

    One instance serves all ports of one rate that name it; a port is known by an integer key that
    is never used again. Runs in the media worker, within the tick: microseconds per port, no I/O.
    """

    def open(self, key: int) -> None:
        """A port begins."""

    def close(self, key: int) -> None:
        """A port has ended."""

    def process(self, keys: Index, frames: Samples) -> Samples:
        """20 ms of these ports: float32 (n, samples) in, the same shape out."""


ProcessorFactory = Callable[[str, int], Processor]
"""Makes a processor from its ``module:Class`` and a rate in Hz."""

Key = tuple[str, int]
"""Reference of a processor, rate in Hz."""


class Processors:
    """The processors of an engine. One that raises is left out from then on."""

    def __init__(self, make: ProcessorFactory) -> None:
        self._make = make
        self._running: dict[Key, Processor] = {}
        self._open: dict[Key, Index] = {}
        self._broken: set[Key] = set()

    def arrange(self, wanted: dict[Key, Index]) -> None:
        """Have exactly these ports (by key) served by each processor."""
        for key in [*self._running]:
            self._change(key, wanted.get(key, np.zeros(0, np.intp)))
            if key not in wanted:
                self._running.pop(key, None)
        for key in wanted:
            if key not in self._running and key not in self._broken:
                self._start(key, wanted[key])

    def process(self, key: Key, serials: Index, rows: Index, frames: Samples) -> None:
        """Replace ``frames[rows]`` by what the processor makes of them."""
        processor = self._running.get(key)
        if processor is None:
            return
        try:
            frames[rows] = processor.process(serials, frames[rows])
        except Exception:
            self._fail(key)

    def _start(self, key: Key, serials: Index) -> None:
        try:
            self._running[key] = self._make(*key)
        except Exception:
            self._fail(key)
            return
        self._open[key] = np.zeros(0, np.intp)
        self._change(key, serials)

    def _change(self, key: Key, serials: Index) -> None:
        before, self._open[key] = self._open[key], serials
        processor = self._running[key]
        try:
            for serial in np.setdiff1d(before, serials).tolist():
                processor.close(serial)
            for serial in np.setdiff1d(serials, before).tolist():
                processor.open(serial)
        except Exception:
            self._fail(key)

    def _fail(self, key: Key) -> None:
        log.exception("processor %s at %d Hz failed; ports go on without it", *key)
        self._running.pop(key, None)
        self._broken.add(key)
