"""What comes with a package that is not installed is answered with the package's name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from hookswitch.operations.absent import COMMANDS, LEG_TYPES, OPERATIONS
from hookswitch.testing.server import RunningSwitch

NOBODY = "00000000-0000-0000-0000-000000000000"


async def test_an_absent_leg_type_names_its_package(running_switch: RunningSwitch) -> None:
    for leg_type, extra in LEG_TYPES.items():
        body = {"type": leg_type, "to": "x"}
        message = await running_switch.problem(400, "POST", "/v1/legs", body)
        assert message.startswith("type: ")
        assert f"pip install 'hookswitch[{extra}]'" in message


async def test_an_absent_operation_names_its_package(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    for method, path, extra in OPERATIONS:
        for prefix in ("", "/v1"):
            with subtests.test(f"{method} {prefix}{path}"):
                where = prefix + path.format(id=NOBODY)
                message = await running_switch.problem(501, method, where, {})
                assert f"pip install 'hookswitch[{extra}]'" in message


async def test_answering_machine_detection_of_a_new_call_is_absent_too(
    running_switch: RunningSwitch,
) -> None:
    body = {"type": "fake", "to": "x", "amd": {}}
    assert "hookswitch[amd]" in await running_switch.problem(400, "POST", "/v1/legs", body)


def test_extras_are_written_alike_everywhere() -> None:
    extras = {*LEG_TYPES.values(), *COMMANDS.values(), *(extra for _, _, extra in OPERATIONS)}
    assert all(re.fullmatch(r"[a-z][a-z-]*", extra) for extra in extras)
    project = tomllib.loads(Path("kernel/pyproject.toml").read_text())["project"]
    extras |= {"s3", "opus", "g722"}  # a storage and codecs: no route is absent without them
    assert extras >= set(project["optional-dependencies"]) - {"all", "testing"}
