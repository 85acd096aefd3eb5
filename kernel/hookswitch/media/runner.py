"""An engine with its clock: what runs in a media worker, or inline in the control process."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import permutations
from typing import cast

from hookswitch.mixer.bank import PORT_RATES, Bank, BankError
from hookswitch.mixer.commands import Command
from hookswitch.mixer.engine import DetectorFactory, Engine
from hookswitch.mixer.options import EngineOptions
from hookswitch.mixer.processors import Processor
from hookswitch.mixer.resample import converter
from hookswitch.mixer.speech import DetectorClass, SpeechDetector
from hookswitch.mixer.topology import CommandError

from .clock import PERIOD, TickClock
from .messages import Applied, Apply, Pulse, Reports
from .ring_bank import RING_BANK, RingBank

log = logging.getLogger(__name__)

PULSE_TICKS = 50
"""Ticks between two pulses: one second."""


def load(reference: str) -> Callable[..., object]:
    """The object a ``module:name`` reference stands for."""
    module, _, name = reference.partition(":")
    found: Callable[..., object] = getattr(import_module(module), name)
    return found


def _make_processor(reference: str, rate: int) -> Processor:
    return cast(Processor, load(reference)(rate))


def _detectors(options: EngineOptions) -> DetectorFactory:
    reference, hangover = options.speech_detector, options.speech_hangover_ms
    made: DetectorClass = SpeechDetector
    try:
        wanted = cast(DetectorClass, load(reference))
        wanted(PORT_RATES[0], hangover)
        made = wanted
    except Exception:  # a stranger's import and constructor may raise anything
        log.exception("speech detector %s failed: the built-in one is used", reference)
    return lambda rate: made(rate, hangover)


def _try_to_load(bank: str) -> None:
    try:
        load(bank)
    except Exception:
        log.exception("bank %s cannot be loaded; ports that name it will be refused", bank)


class EngineRunner:
    """Applies batches and ticks; ``notify`` is called after a tick that ring consumers await."""

    def __init__(
        self, notify: Callable[[], None], options: EngineOptions, banks: Sequence[str] = ()
    ) -> None:
        """``banks`` are imported, and all filters designed, before the clock starts."""
        self._rings = RingBank()
        self._engine = Engine(
            self._make_bank, options.comfort_noise, _make_processor, _detectors(options)
        )
        for bank in banks:
            _try_to_load(bank)
        for source, target in permutations(PORT_RATES, 2):
            converter(source, target)
        self._notify = notify
        self._busy = self._busy_before = 0.0
        self.clock = TickClock(time.monotonic())

    def apply(self, request: Apply) -> list[Reports | Applied]:
        """Apply a batch between two ticks; what its ports had left to report goes first."""
        applied = Applied(request.id, self.apply_batch(request.batch))
        return [*self.reports(), applied]

    def apply_batch(self, batch: Sequence[Command]) -> str | None:
        """Apply a batch; answers what is wrong with it, if anything is."""
        try:
            self._engine.apply(batch)
        except CommandError as error:
            return str(error)
        return None

    def reports(self) -> list[Reports]:
        """What was noticed since the last call."""
        reports = self._engine.reports()
        return [Reports(reports)] if reports else []

    def gather(self) -> None:
        """Fetch what has arrived; the next tick is near."""
        now = time.monotonic()
        self._engine.gather(now)
        taken = time.monotonic() - now
        self.clock.gathered(taken)
        self._busy += taken

    def tick(self) -> list[Reports | Pulse]:
        """One tick; answers what the control process should know."""
        now = time.monotonic()
        if self.clock.begin(now):
            self._engine.catch_up()
        self._engine.tick(now)
        if self._rings.wakes:
            self._notify()
        messages: list[Reports | Pulse] = list(self.reports())
        self._busy += time.monotonic() - now
        if self.clock.ticks % PULSE_TICKS == 0:
            messages.append(self._pulse())
        return messages

    def shutdown(self) -> None:
        """Close every port."""
        self._engine.shutdown()

    def _make_bank(self, reference: str) -> Bank:
        if reference == RING_BANK:
            return self._rings
        try:
            return cast(Bank, load(reference)())
        except Exception as error:  # a stranger's import and constructor may raise anything
            raise BankError(f"bank {reference}: {error}") from error

    def _pulse(self) -> Pulse:
        clock = self.clock
        load = (self._busy - self._busy_before) / (PULSE_TICKS * PERIOD)
        self._busy_before = self._busy
        return Pulse(
            ticks=clock.ticks,
            late=clock.late,
            skipped=clock.skipped,
            worst_ms=clock.take_worst() * 1000,
            busy_s=self._busy,
            load=load,
            cpu_s=time.process_time(),
            ports=len(self._engine.topology.ports),
        )
