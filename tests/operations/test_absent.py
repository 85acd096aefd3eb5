"""What comes with a package that is not installed is answered with the package's name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hookswitch.operations.absent import COMMANDS, LEG_TYPES, OPERATIONS
from hookswitch.operations.operation import Operation
from hookswitch.plugin import hookimpl
from hookswitch.plugins.builtin import load_plugins
from hookswitch.settings import KernelSettings
from hookswitch.switch import Switch
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch.testing.vsi import VsiError

EXTRAS = set(
    tomllib.loads(Path("kernel/pyproject.toml").read_text())["project"]["optional-dependencies"]
)
NOBODY = "00000000-0000-0000-0000-000000000000"


async def test_an_absent_leg_type_names_its_package(running_switch: RunningSwitch) -> None:
    for leg_type, extra in LEG_TYPES.items():
        body = {"type": leg_type, "to": "x"}
        message = await running_switch.problem(400, "POST", "/v1/legs", body)
        assert message.startswith("type: ")
        assert hints_at(message, extra)


def hints_at(message: str, extra: str) -> bool:
    """Whether it says what to install, or that there is nothing to install."""
    if extra in EXTRAS:
        return f"pip install 'hookswitch[{extra}]>=0.1'" in message
    return f"brings none for it ({extra})" in message and "pip install" not in message


async def test_an_absent_operation_names_its_package(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    for _, method, path, extra in OPERATIONS:
        for prefix in ("", "/v1"):
            with subtests.test(f"{method} {prefix}{path}"):
                where = prefix + re.sub(r"{\w+}", NOBODY, path)
                message = await running_switch.problem(501, method, where, {})
                assert message.startswith(f"{method} {path} ")
                assert hints_at(message, extra)


async def test_an_absent_command_names_its_package(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    async with running_switch.vsi() as stream:
        for command, extra in COMMANDS.items():
            with subtests.test(command):
                with pytest.raises(VsiError) as refused:
                    await stream.command(command, id=NOBODY)
                assert refused.value.code == 501
                assert hints_at(refused.value.message, extra)


SPEECH_AND_AGENTS = """
POST /legs/{id}/tts POST /legs/{id}/stt DELETE /legs/{id}/stt
POST /legs/{id}/agent/elevenlabs POST /legs/{id}/agent/vapi
POST /legs/{id}/agent/pipecat POST /legs/{id}/agent/deepgram
POST /legs/{id}/agent/message DELETE /legs/{id}/agent
"""


def test_speech_and_agents_are_known_for_legs_and_rooms() -> None:
    words = SPEECH_AND_AGENTS.split()
    known = {(method, path) for _, method, path, _ in OPERATIONS}
    for method, path in zip(words[::2], words[1::2], strict=True):
        assert {(method, path), (method, path.replace("legs", "rooms"))} <= known
    for place in ("leg", "room"):
        for what in ("tts", "stt_start", "stt_stop", "agent_message", "agent_stop"):
            assert f"{place}_{what}" in COMMANDS


async def test_what_the_installed_plugins_offer_is_known(tmp_path: Path) -> None:
    settings = KernelSettings(data_dir=tmp_path, media_workers=0)
    switch = Switch(settings, load_plugins(), "test")
    offered = switch.plugins.collect("register_operations", Operation, switch=switch)
    known = {(command, method, path) for command, method, path, _ in OPERATIONS}
    assert offered
    assert {(one.command, one.method, one.path) for one in offered} <= known


class Speaker:
    """Calls the id of a path by another name."""

    @hookimpl
    def register_operations(self, switch: Switch) -> list[Operation]:
        async def speak(switch: Any, ids: Mapping[str, str], request: None) -> dict[str, Any]:
            return {"status": "playing", "room": ids["room_id"]}

        return [Operation("room_tts", "POST", "/rooms/{room_id}/tts", speak, "Speak")]


async def test_what_is_installed_is_not_absent(tmp_path: Path) -> None:
    async with run_switch(tmp_path, Speaker()) as server:
        for path in ("/rooms/r/tts", "/v1/rooms/r/tts"):
            assert (await server.ask("POST", path, status=200))["room"] == "r"
        await server.problem(501, "POST", "/v1/legs/r/tts")
        async with server.vsi() as stream:
            assert (await stream.command("room_tts", id="r"))["room"] == "r"


async def test_answering_machine_detection_of_a_new_call_is_absent_too(
    running_switch: RunningSwitch,
) -> None:
    body = {"type": "fake", "to": "x", "amd": {}}
    assert "hookswitch[amd]" in await running_switch.problem(400, "POST", "/v1/legs", body)


def test_extras_are_written_alike_everywhere() -> None:
    extras = {*LEG_TYPES.values(), *COMMANDS.values(), *(known.extra for known in OPERATIONS)}
    assert all(re.fullmatch(r"[a-z][a-z-]*", extra) for extra in extras)
    extras |= {"s3", "opus", "g722", "silero"}  # without these no route is absent
    assert extras >= EXTRAS - {"all", "testing"}


def test_no_version_of_somebody_elses_hookswitch_satisfies_ours() -> None:
    """A public index has versions below 0.1 of a project that is not this one."""
    projects = [*Path().glob("plugins/**/pyproject.toml"), Path("kernel/pyproject.toml")]
    projects.append(Path("docs/examples/line/pyproject.toml"))
    assert len(projects) > 8
    for path in projects:
        project = tomllib.loads(path.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        needed = [*project["dependencies"], *(name for extra in extras for name in extra)]
        ours = [name for name in needed if name.startswith("hookswitch")]
        assert ours, path
        assert all(name.endswith(">=0.1") for name in ours), path
