"""How well speech detectors of the engine find words, on greetings of `greetings`, and their cost.

Run: OPENBLAS_NUM_THREADS=1 python -m bench.speech [module:Class ...] [--half test|train]
(media workers have one thread for BLAS, too)
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hookswitch.mixer.bank import PortSpec
from hookswitch.mixer.commands import OpenPort, SetPort
from hookswitch.mixer.engine import Engine
from hookswitch.testing.memory_bank import MemoryBank

from .greetings import (
    RATE,
    Greeting,
    babble,
    greetings,
    hum,
    level_to,
    music,
    pink,
    through_g711,
    white,
)

FRAME, FRAME_MS = 160, 20
BUILT_IN = "hookswitch.mixer.speech:SpeechDetector"


@dataclass
class Found:
    """When a detector said that speech began and ended, in ms: at the end of the frame."""

    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


COLD_S, COLD_EACH = 1, 100
"""How long, and how often, it is listened to who spoke or hummed before; see `report_cold`."""

COST_PORTS, COST_S, COST_RATES = 200, 4, (8000, 16000, 48000)
"""How many ports at once the cost is measured with, for how long, and at which rates."""


def detect(detector: Any, calls: Sequence[Greeting]) -> list[Found]:
    """Have one detector hear all calls at once."""
    length = max(len(call.audio) for call in calls) // FRAME
    audio = np.zeros((len(calls), length * FRAME), np.float32)
    for row, call in enumerate(calls):
        audio[row, : len(call.audio)] = call.audio[: length * FRAME]
        detector.reset(row)
    rows, found = np.arange(len(calls)), [Found() for _ in calls]
    for tick in range(length):
        frames = audio[:, tick * FRAME : (tick + 1) * FRAME]
        for row in detector.detect(frames, rows).tolist():
            one = found[row]
            (one.begins if detector.speaking[row] else one.ends).append((tick + 1) * FRAME_MS)
    return found


def report(calls: Sequence[Greeting], found: Sequence[Found]) -> None:
    """Print what was found, by kind of noise."""
    kinds = sorted({_noise(call) for call in calls})
    print(f"{'noise':8}{'calls':>6}{'missed':>8}{'onset':>7}{'95 %':>7}{'late':>6}"
          f"{'release':>9}{'false/min':>11}{'never ended':>13}{'tones':>7}")  # fmt: skip
    for kind in [*kinds, "all"]:
        of_kind = [(c, f) for c, f in zip(calls, found, strict=True) if kind in ("all", _noise(c))]
        words = [(c, f) for c, f in of_kind if c.label != "no_speech"]
        delays = [d for c, f in words if (d := _delay(c, f)) is not None]
        false = sum(_false(c, f) for c, f in of_kind)
        minutes = sum(_quiet_ms(c) for c, _ in of_kind) / 60_000
        releases = [r for c, f in words if (r := _release(c, f)) is not None]
        endless = sum(bool(f.begins) and len(f.ends) < len(f.begins) for _, f in words)
        tones = sum(_tone(c, f) for c, f in words)
        late = np.mean(np.array(delays) > 60)
        print(f"{kind:8}{len(of_kind):6}{len(words) - len(delays):8}{np.median(delays):7.0f}"
              f"{np.percentile(delays, 95):7.0f}{late:6.0%}"
              f"{np.median(releases):9.0f}{false / minutes:11.2f}{endless:13}"
              f"{tones:7}")  # fmt: skip


def report_cold(detector: Any, calls: Sequence[Greeting]) -> None:
    """Print what a detector makes of what was there before it began to listen."""
    random = np.random.default_rng(3)
    for kind in (white, pink, hum, music, babble):
        for dbfs in (-15.0, -25.0, -35.0):
            heard = [level_to(kind(COLD_S * RATE, random), dbfs) for _ in range(COLD_EACH)]
            audio = np.stack([through_g711(_pcm(sound), alaw=True) for sound in heard])
            wrong = np.mean(_begun_ms(detector, audio) > 0)
            print(f"amid {kind.__name__:8}{dbfs:5.0f} dBFS: taken for speech {wrong:4.0%}")
    spoken = [c for c in calls if c.label != "no_speech" and c.ends - onset_ms(c) > COLD_S * 1000]
    starts = [int(random.integers(onset_ms(c), c.ends - COLD_S * 1000)) * 8 for c in spoken]
    words = [c.audio[at : at + COLD_S * RATE] for c, at in zip(spoken, starts, strict=True)]
    begun = _begun_ms(detector, np.stack(words))
    told = begun[begun > 0]
    median, most = np.percentile(told, [50, 95])
    never = np.mean(begun == 0)
    print(f"amid words: told after {median:.0f} ms, 95 % {most:.0f}; not within 1 s {never:.0%}")


def _begun_ms(detector: Any, audio: NDArray[Any]) -> NDArray[np.intp]:
    """When speech began in each row, 0 for never."""
    rows, begun = np.arange(len(audio)), np.zeros(len(audio), np.intp)
    for row in rows.tolist():
        detector.reset(row)
    for tick in range(audio.shape[1] // FRAME):
        frames = audio[:, tick * FRAME : (tick + 1) * FRAME].astype(np.float32)
        changed = detector.detect(frames, rows)
        first = changed[detector.speaking[changed] & (begun[changed] == 0)]
        begun[first] = (tick + 1) * FRAME_MS
    return begun


def _pcm(sound: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def _noise(call: Greeting) -> str:
    return call.noise.split()[0].strip(",")


def onset_ms(call: Greeting) -> int:
    """When a word begins to be loud: within 15 dB of the loudest 20 ms, for 40 ms."""
    clean = call.clean[: len(call.clean) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.mean(clean**2, axis=1)
    loud = power > power.max() / 30
    return int(np.flatnonzero(loud[:-1] & loud[1:])[0]) * FRAME_MS


def _delay(call: Greeting, found: Found) -> int | None:
    """From the word's onset until it was told, if it was by the end of the words."""
    onset = onset_ms(call)
    told = [begins for begins in found.begins if onset - 400 <= begins <= call.ends + 60]
    return max(0, told[0] - onset) if told else None


def _release(call: Greeting, found: Found) -> int | None:
    """From the end of the words until that was told, hang-over included."""
    told = [ends for ends in found.ends if ends >= call.ends]
    next_sound = call.beep[0] if call.beep else len(call.audio) // 8
    return told[0] - call.ends if told and told[0] <= next_sound else None


def _spans(call: Greeting) -> list[tuple[int, int]]:
    """When there is something to hear: words, beep, and the ringback before them."""
    spans = [(0, 900)] if call.label == "no_speech" else [(0, call.ends)]
    return [*spans, call.beep] if call.beep else spans


def _false(call: Greeting, found: Found) -> int:
    spans = _spans(call)
    return sum(not any(a - 60 <= b <= z + 100 for a, z in spans) for b in found.begins)


def _quiet_ms(call: Greeting) -> int:
    return len(call.audio) // 8 - sum(z - a for a, z in _spans(call))


def _tone(call: Greeting, found: Found) -> bool:
    """Whether a beep was taken for speech."""
    if call.beep is None:
        return False
    begins, ends = call.beep
    return any(begins <= b <= ends + 60 for b in found.begins)


def cost_us(made: Any, rate: int, calls: Sequence[Greeting]) -> float:
    """CPU time per port and second of sound, many ports at once, in microseconds."""
    detector, rows, frame = made(rate), np.arange(COST_PORTS), rate * FRAME_MS // 1000
    sound = _sound_of(calls, rate)
    for row in rows.tolist():
        detector.reset(row)
    begin = time.process_time()
    for tick in range(COST_S * 1000 // FRAME_MS):
        detector.detect(sound[:, tick * frame : (tick + 1) * frame], rows)
    return (time.process_time() - begin) * 1e6 / COST_PORTS / COST_S


def _sound_of(calls: Sequence[Greeting], rate: int) -> NDArray[np.float32]:
    sound = np.zeros((COST_PORTS, COST_S * RATE), np.float32)
    for row in range(COST_PORTS):
        heard = calls[row % len(calls)].audio[: sound.shape[1]]
        sound[row, : len(heard)] = heard
    return np.repeat(sound, rate // RATE, axis=1)


class _Callers(MemoryBank):
    """Says the same to both kinds of engine, all ports at once, and hears nothing."""

    def __init__(self, sound: NDArray[np.float32], rate: int) -> None:
        super().__init__()
        self._sound, self._rate, self._tick = sound, rate, 0

    def pull(self, inputs: Mapping[int, NDArray[np.float32]], now: float) -> None:
        frame = self._rate * FRAME_MS // 1000
        rows = [row for _, row, _ in self._open.values()]
        inputs[self._rate][rows] = self._sound[:, self._tick * frame : (self._tick + 1) * frame]
        self._tick += 1

    def push(self, outputs: Mapping[int, NDArray[np.float32]], now: float) -> None:
        pass


def tick_us(made: Any, rate: int, calls: Sequence[Greeting]) -> float:
    """What watching costs a whole engine, reports and all: CPU microseconds per port and second.

    The same ticks are done by an engine that watches nobody, and their time is taken off.
    """
    sound = _sound_of(calls, rate)
    used = {watched: _engine_s(made, rate, sound, watched=watched) for watched in (False, True)}
    return (used[True] - used[False]) * 1e6 / COST_PORTS / COST_S


def _engine_s(made: Any, rate: int, sound: NDArray[np.float32], *, watched: bool) -> float:
    bank = _Callers(sound, rate)
    engine = Engine(lambda _: bank, make_detector=made)
    for number in range(COST_PORTS):
        name = f"p{number}"
        engine.apply([OpenPort(PortSpec(name, rate, "callers")), SetPort(name, speech=watched)])
    begin = time.process_time()
    for tick in range(COST_S * 1000 // FRAME_MS):
        engine.tick(tick * FRAME_MS / 1000)
        engine.reports()
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("detectors", nargs="*", default=[BUILT_IN])
    parser.add_argument("--half", choices=("train", "test"), default="test")
    args = parser.parse_args()
    calls = list(greetings(args.half))
    for reference in args.detectors:
        module, _, name = reference.partition(":")
        made = getattr(importlib.import_module(module), name)
        print(f"\n{reference}")
        report(calls, detect(made(), calls))
        report_cold(made(), calls)
        costs = ", ".join(f"{cost_us(made, rate, calls):.0f} at {rate} Hz" for rate in COST_RATES)
        print(f"CPU microseconds per port and second, {COST_PORTS} ports: {costs}")
        whole = ", ".join(f"{tick_us(made, rate, calls):.0f} at {rate} Hz" for rate in COST_RATES)
        print(f"what it adds to a whole tick, reports and all: {whole}")


if __name__ == "__main__":
    main()
