"""How often verdicts are right, on a part of the labelled greetings of the bench."""

from __future__ import annotations

import numpy as np
from bench.amd import listen
from bench.greetings import greetings

from hookswitch_amd.limits import Limits
from tests.interop.processes import need


def test_people_and_machines_are_nearly_always_told_apart() -> None:
    need("espeak-ng")
    calls = [call for call in greetings("test", every=5) if not call.is_between]
    heard = listen(calls, Limits(beep_timeout=10_000))
    for label in ("human", "machine"):
        results = [h.result for h in heard if h.greeting.label == label]
        assert len(results) >= 10
        assert results.count(label) >= 0.9 * len(results), results
    people = [h for h in heard if h.result == h.greeting.label == "human"]
    delays = [h.verdict["total_analysis_ms"] - h.greeting.ends for h in people]
    assert np.median(delays) < 1000
