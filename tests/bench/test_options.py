"""What the benchmarks can be asked for is what their help and the documents show."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from bench.capacity import cases, options

OPERATING = Path(__file__).parents[2] / "docs/operating.md"


def test_in_the_clear_beside_a_suite() -> None:
    asked = ["--legs", "10", "--rooms", "2", "--srtp", "clear,AES_CM_128_HMAC_SHA1_80"]
    rows = [case for case in cases(options().parse_args(asked)) if case.room]
    assert [row.suite for row in rows] == ["clear", "AES_CM_128_HMAC_SHA1_80"]
    assert options().parse_args([]).srtp in options().format_help()


def test_commands_of_the_documents() -> None:
    commands = re.findall(r'make bench ARGS="([^"]*)"', OPERATING.read_text())
    assert commands
    for command in commands:
        assert list(cases(options().parse_args(shlex.split(command))))
