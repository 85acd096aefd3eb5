"""The bank of ears: every port listens to one leg until it knows who answered.

All ears are heard at once; only verdicts and beeps are told. Reports of a port:

- ``verdict``: ``result``, ``initial_silence_ms``, ``greeting_duration_ms``, ``total_analysis_ms``,
  and ``waits``, whether it goes on to wait for the beep;
- ``beep``: ``beep_ms``, from the verdict to the beginning of the beep (0 if it came before), or
  ``ago_ms``, how long ago it began, of an ear that does not know when the verdict was;
- ``no_beep``: it was waited for in vain;
- ``moves``: it is about to be opened elsewhere, and has heard nothing yet that could be missed.

After a verdict that waits for no beep, and after ``beep`` or ``no_beep``, an ear is deaf: its owner
closes it.

An ear may be opened again, in another media worker or when one died. What it had heard is lost; its
parameter ``resumes`` tells what it goes on with (`Resumes`). Before the verdict it has missed
something: it is ``machine`` or ``not_sure``, and ``initial_silence_ms``, ``greeting_duration_ms``
and ``total_analysis_ms`` count from the reopening. After it, it waits for the beep, for
``beep_timeout`` from the reopening.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hookswitch.mixer.bank import (
    TICK_MS,
    BankError,
    Frames,
    PortReport,
    PortSpec,
    Samples,
)

from .beeps import AFTER_TICKS, BEFORE_STEADY_TICKS, Beeps
from .columns import Columns, Flags, Ticks
from .limits import Limits, Resumes
from .tones import STEADY_TICKS, Tones
from .verdicts import Verdict, Verdicts, ticks
from .voice import EVEN_TICKS, RATE, Voice
from .words import NEVER, Words

NOISE_TICKS = EVEN_TICKS + 4
"""How long noise has lasted when it is known: its onset is not even."""


BEFORE = np.int32(0)
"""When an ear was judged that was opened again since: no ear is judged at this age."""


class _Waiting(Columns):
    """For the beep, by ear, in ticks of its age."""

    judged: Ticks
    until: Ticks

    def __init__(self) -> None:
        super().__init__(judged=NEVER, until=NEVER)


class AmdBank:
    """Implements `hookswitch.mixer.bank.Bank`."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._free: list[int] = []
        self._rows: NDArray[np.intp] = np.zeros(0, np.intp)
        self._voice, self._tones, self._words = Voice(), Tones(), Words()
        self._beeps, self._verdicts, self._waiting = Beeps(), Verdicts(), _Waiting()
        self._listens: Flags = np.zeros(0, np.bool_)
        self._reports: list[PortReport] = []

    # -- ports

    def open(self, spec: PortSpec, row: int) -> None:
        if spec.rate != RATE:
            raise BankError(f"an ear for answering machines has {RATE} Hz, not {spec.rate}")
        params = dict(spec.params)
        resumes = Resumes(params.pop("resumes", Resumes.NOTHING))
        limits = Limits(**params)
        line = self._take_line()
        self._ports[spec.id], self._names[line] = line, spec.id
        self._rows[line], self._listens[line] = row, True
        for columns in (self._voice, self._tones, self._words, self._beeps, self._verdicts,
                        self._waiting):  # fmt: skip
            columns.begin(line)
        self._words.shortest[line] = ticks(limits.minimum_word_length)
        self._verdicts.limit(line, limits)
        self._verdicts.resume(line, resumes)
        self._waiting.until[line] = ticks(limits.beep_timeout)
        if resumes is Resumes.WAITING:
            self._waiting.judged[line] = BEFORE

    def update(self, port: str, params: Mapping[str, Any]) -> None:
        """Only what the next ear resumes is changed. It is nothing to this one, unless it turns out
        that it resumes nothing."""
        if params.keys() != {"resumes"}:
            raise BankError("what an ear listens for is not changed")
        if params["resumes"] == Resumes.NOTHING:
            self._verdicts.resume(self._ports[port], Resumes.NOTHING)

    def signal(self, port: str, message: Mapping[str, Any]) -> None:
        """``{"handover": True}``: the port is opened elsewhere, within a tick or two."""
        line = self._ports[port]
        unheard = self._words.begun[line] == NEVER and not self._words.in_sound(line + 1)[line]
        if message.get("handover") and unheard:
            self._reports.append(PortReport(port, "moves"))

    def close(self, port: str) -> None:
        line = self._ports.pop(port)
        del self._names[line]
        self._listens[line] = False
        self._rows[line] = 0
        self._free.append(line)

    def shutdown(self) -> None:
        for port in list(self._ports):
            self.close(port)

    # -- ticks

    def gather(self, now: float) -> None:
        """There is nothing to fetch."""

    def catch_up(self) -> None:
        """What was not heard is not missed."""

    def pull(self, inputs: Frames, now: float) -> None:
        """Ears bring no sound."""

    def push(self, outputs: Frames, now: float) -> None:
        if self._listens.any():
            self._hear(outputs[RATE].take(self._rows, axis=0))

    def reports(self) -> Sequence[PortReport]:
        reports, self._reports = self._reports, []
        return reports

    # -- within

    def _take_line(self) -> int:
        if self._free:
            return self._free.pop()
        self._rows = np.append(self._rows, 0)
        self._listens = np.append(self._listens, False)
        return len(self._rows) - 1

    def _hear(self, frames: Samples) -> None:
        steady = self._tones.hear(frames)
        tone = steady >= STEADY_TICKS
        length = self._beeps.hear(self._tones, len(frames))
        beeps = length > 0
        voice = self._voice.hear(frames)
        none = tone | self._voice.was_noise
        self._words.hear(voice, none, np.where(tone, BEFORE_STEADY_TICKS, NOISE_TICKS))
        may_beep = self._beeps.may_come(self._tones, len(frames))
        judged = self._verdicts.judge(self._words, beeps, may_beep) & self._listens
        for line in np.flatnonzero(judged).tolist():
            self._tell_verdict(line)
        waits = self._listens & (self._waiting.judged[: len(frames)] != NEVER)
        for line in np.flatnonzero(waits & beeps).tolist():
            self._tell_beep(line, int(length[line]))
        late = self._words.age[: len(frames)] >= self._waiting.until[: len(frames)]
        for line in np.flatnonzero(waits & late & self._listens).tolist():
            self._tell(line, "no_beep", {})

    def _tell_verdict(self, line: int) -> None:
        words, verdict = self._words, Verdict(int(self._verdicts.verdict[line]))
        age, begun = int(words.age[line]), int(words.begun[line])
        spoken = int(words.spoken(line + 1)[line])
        wait = int(self._waiting.until[line]) if verdict is Verdict.MACHINE else 0
        self._reports.append(PortReport(self._names[line], "verdict", {
            "result": verdict.name.lower(),
            "initial_silence_ms": TICK_MS * (age if begun == NEVER else begun),
            "greeting_duration_ms": TICK_MS * spoken,
            "total_analysis_ms": TICK_MS * age,
            "waits": wait > 0,
        }))  # fmt: skip
        if wait:
            self._waiting.judged[line] = age
            self._waiting.until[line] = age + wait
        else:
            self._listens[line] = False

    def _tell_beep(self, line: int, length: int) -> None:
        age, judged = int(self._words.age[line]), int(self._waiting.judged[line])
        ago = length + AFTER_TICKS
        if judged == BEFORE:
            self._tell(line, "beep", {"ago_ms": TICK_MS * ago})
        else:
            self._tell(line, "beep", {"beep_ms": TICK_MS * max(0, age - ago - judged)})

    def _tell(self, line: int, kind: str, data: Mapping[str, Any]) -> None:
        self._reports.append(PortReport(self._names[line], kind, data))
        self._listens[line] = False
