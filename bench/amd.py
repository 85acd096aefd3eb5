"""How often answering machine detection is right, and how soon; on greetings of `greetings`.

Run: python -m bench.amd [--half test|train] [--greeting-duration 1500] [-v]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hookswitch.mixer.bank import TICK_MS, PortSpec
from hookswitch_amd.bank import AmdBank
from hookswitch_amd.limits import Limits

from .greetings import FULL_SCALE, Greeting, greetings

FRAME = 160
RESULTS = ("human", "machine", "no_speech", "not_sure")


@dataclass
class Heard:
    """What was told of one greeting; times are in ms from the answer."""

    greeting: Greeting
    verdict: Mapping[str, Any]
    beep: Mapping[str, Any] | None = None

    @property
    def result(self) -> str:
        return str(self.verdict.get("result", "none"))


def listen(calls: Sequence[Greeting], limits: Limits) -> list[Heard]:
    """Have one bank hear all calls at once."""
    bank = AmdBank()
    length = max(len(call.audio) for call in calls) // FRAME
    audio = np.zeros((len(calls), length * FRAME), np.float32)
    for row, call in enumerate(calls):
        audio[row, : len(call.audio)] = call.audio[: length * FRAME]
        bank.open(PortSpec(str(row), 8000, "hookswitch_amd.bank:AmdBank", limits.params()), row)
    heard = [Heard(call, {}) for call in calls]
    for tick in range(length):
        bank.push({8000: audio[:, tick * FRAME : (tick + 1) * FRAME]}, tick * 0.02)
        for report in bank.reports():
            one = heard[int(report.port)]
            if report.kind == "verdict":
                one.verdict = report.data
            elif report.kind == "beep":
                one.beep = {**report.data, "at": (tick + 1) * TICK_MS}
    return heard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("train", "test"), default="test")
    parser.add_argument("--greeting-duration", type=int, default=1500)
    parser.add_argument("-v", action="store_true", help="tell what was wrong")
    args = parser.parse_args()
    limits = Limits(greeting_duration=args.greeting_duration, beep_timeout=10_000)
    heard = listen(list(greetings(args.half)), limits)
    report(heard, verbose=args.v)


def report(heard: Sequence[Heard], *, verbose: bool = False) -> None:
    """Print the confusion matrix, the delays and the beeps."""
    print(f"{'':16}" + "".join(f"{result:>11}" for result in RESULTS))
    for kind in ("human", "machine", "no_speech", "long human", "short machine"):
        of_kind = [h for h in heard if _kind(h.greeting) == kind]
        counts = Counter(h.result for h in of_kind)
        right = counts[of_kind[0].greeting.label] / len(of_kind)
        print(f"{kind:16}" + "".join(f"{counts[r]:11}" for r in RESULTS) + f"  {right:7.1%}")
    people = [h for h in heard if h.greeting.label == "human" and h.result == "human"]
    delays = [h.verdict["total_analysis_ms"] - h.greeting.ends for h in people]
    print(f"human verdict after the greeting's end: median {np.median(delays):.0f} ms, "
        f"95 % {np.percentile(delays, 95):.0f} ms, most {max(delays):.0f} ms")  # fmt: skip
    machines = [h for h in heard if h.greeting.label == "machine" and h.result == "machine"]
    beeping = [h for h in machines if h.greeting.beep is not None]
    found = [h for h in beeping if h.beep is not None and _fits(h)]
    false = [h for h in heard if h.beep is not None and (h.greeting.beep is None or not _fits(h))]
    print(f"beeps found {len(found)} of {len(beeping)}, false {len(false)}")
    if verbose:
        for h in heard:
            wrong = h.result != h.greeting.label
            beep = (h in beeping and h not in found) or h in false
            if wrong or beep:
                level = 20 * np.log10(max(1, np.abs(h.greeting.audio).max()) / FULL_SCALE)
                print(f"{h.greeting.name:60} {h.greeting.noise:18} peak {level:.0f} words "
                    f"{h.greeting.begins}-{h.greeting.ends} {h.greeting.beep} "
                    f"{dict(h.verdict)} {h.beep}")  # fmt: skip


def _kind(greeting: Greeting) -> str:
    if not greeting.is_between:
        return greeting.label
    return "long human" if greeting.label == "human" else "short machine"


def _fits(heard: Heard) -> bool:
    """Whether a beep was told of when there was one."""
    assert heard.beep is not None
    if heard.greeting.beep is None:
        return False
    begins, ends = heard.greeting.beep
    return begins < heard.beep["at"] < ends + 200


if __name__ == "__main__":
    main()
