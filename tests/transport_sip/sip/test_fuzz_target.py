import runpy
from pathlib import Path

import pytest

FUZZERS = Path(__file__).parents[2] / "fuzz"


@pytest.mark.parametrize("name", ["fuzz_sip_message.py", "fuzz_sip_stream.py"])
def test_a_short_run_finds_nothing_and_accepts_some(name: str) -> None:
    target = runpy.run_path(str(FUZZERS / name))
    assert 0 < target["main"](2000, seed=11) < 2000


def test_odd_requests_do_a_call_no_harm() -> None:
    target = runpy.run_path(str(FUZZERS / "fuzz_sip_dialog.py"))
    assert target["main"](1000, seed=5) > 300
