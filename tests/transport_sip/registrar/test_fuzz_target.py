import runpy
from pathlib import Path

FUZZER = Path(__file__).parents[2] / "fuzz" / "fuzz_register.py"


def test_a_short_run_finds_nothing_and_accepts_some() -> None:
    target = runpy.run_path(str(FUZZER))
    assert 0 < target["main"](2000, seed=11) < 2000
