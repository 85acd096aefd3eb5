"""Plugins are found, checked and guarded: one that fails is reported and left out."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import pytest

from hookswitch.plugin import Refusal, Route, hookimpl
from hookswitch.plugins.manager import TRACE, Plugins, PluginStatus

HOOKIMPL = "from hookswitch.plugin import hookimpl\n"
GOOD = "@hookimpl\ndef room_created(room):\n    seen.append(room)\nseen = []\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Modules written here can be imported by the test, and are forgotten after it."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, "hookswitch")


def load(folder: Path, **sources: str) -> tuple[Plugins, dict[str, PluginStatus]]:
    """Load each source as a plugin of that name."""
    for name, source in sources.items():
        (folder / f"test_plugin_{name}.py").write_text(HOOKIMPL + dedent(source))
    plugins = Plugins()
    plugins.load([entry(name, f"test_plugin_{name}") for name in sources])
    return plugins, {status.name: status for status in plugins.statuses}


def test_a_plugin_that_works(folder: Path) -> None:
    plugins, statuses = load(folder, good=GOOD)
    assert statuses["good"] == PluginStatus("good", "?", "?", ("room_created",), None)
    plugins.notify("room_created", room="a room")
    assert sys.modules["test_plugin_good"].seen == ["a room"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def (", "SyntaxError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise GeneratorExit('odd')", "GeneratorExit: odd"),
        ("@hookimpl\ndef room_craeted(room): ...", "room_craeted"),
        ("@hookimpl\ndef room_created(rom): ...", "rom"),
        ("def room_created(room): ...", "no hook"),
        ("", "no hook"),
    ],
    ids=[
        "raises",
        "imports what is missing",
        "is no Python",
        "exits",
        "raises what is no Exception",
        "misspells a hook",
        "misspells an argument",
        "marks nothing",
        "is empty",
    ],
)
def test_a_plugin_that_cannot_be_used_harms_nobody(
    folder: Path, caplog: pytest.LogCaptureFixture, source: str, why: str
) -> None:
    plugins, statuses = load(folder, a_good=GOOD, bad=source, other_good=GOOD)
    error = statuses["bad"].error
    assert error is not None
    assert why in error
    assert statuses["bad"].hooks == ()
    assert "plugin bad is left out" in caplog.text
    assert statuses["a_good"].error is statuses["other_good"].error is None
    plugins.notify("room_created", room=1)
    assert sys.modules["test_plugin_other_good"].seen == [1]


def test_a_module_that_is_not_there_is_reported() -> None:
    plugins = Plugins()
    plugins.load([entry("gone", "no_such_module:plugin"), entry("odd", "sys:no_such_name")])
    assert [bool(status.error) for status in plugins.statuses] == [True, True]


@pytest.mark.parametrize("value", ["sys:maxsize", "sys:argv", "sys:version", "sys:exit"])
def test_what_is_no_plugin_is_reported(value: str) -> None:
    plugins = Plugins()
    plugins.load([entry("odd", value)])
    assert plugins.statuses[0].error is not None


class AsClass:
    @hookimpl
    def room_created(self, room: object) -> None: ...


def test_a_class_instead_of_an_object_is_reported() -> None:
    plugins = Plugins()
    plugins.register(AsClass, "class")
    error = plugins.statuses[0].error
    assert error is not None
    assert "class" in error


def test_a_name_is_taken_once() -> None:
    plugins = Plugins()
    first, second = AsClass(), AsClass()
    plugins.register(first, "twin")
    plugins.register(second, "twin")
    plugins.register(first, "again")
    assert [bool(status.error) for status in plugins.statuses] == [False, True, True]
    assert plugins.manager.get_plugins() == {first}


def test_plugins_come_in_the_order_of_their_names() -> None:
    plugins = Plugins()
    plugins.load([entry("b", "b_missing"), entry("a", "a_missing"), entry("c", "c_missing")])
    assert [status.name for status in plugins.statuses] == ["a", "b", "c"]


def test_installed_plugins_are_found_with_their_distribution(folder: Path) -> None:
    info = folder / "hookswitch_example-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: hookswitch-example\nVersion: 1.2\n"
    )
    (info / "entry_points.txt").write_text("[hookswitch]\nexample = test_plugin_example\n")
    (folder / "test_plugin_example.py").write_text(HOOKIMPL + GOOD)
    assert "hookswitch-example" in {d.name for d in distributions()}
    plugins = Plugins()
    plugins.load()
    statuses = {status.name: status for status in plugins.statuses}
    assert statuses["example"] == PluginStatus(
        "example", "hookswitch-example", "1.2", ("room_created",), None
    )


# -- calling


def observer(name: str, calls: list[str], fails: bool = False) -> SimpleNamespace:
    @hookimpl
    def room_created(room: object) -> None:
        calls.append(name)
        if fails:
            raise ValueError(name)

    return SimpleNamespace(room_created=room_created)


def test_all_are_told_in_order_although_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    plugins, calls = Plugins(), []
    for name in ("a", "b", "c"):
        plugins.register(observer(name, calls, fails=name == "b"), name)
    plugins.notify("room_created", room=1)
    assert calls == ["c", "b", "a"]  # the one that came last is asked first
    assert "plugin b failed in room_created" in caplog.text


def decider(answer: object) -> SimpleNamespace:
    @hookimpl
    def route_from_leg(leg: object) -> object:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return SimpleNamespace(route_from_leg=route_from_leg)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([None, "a", "b"], "a"),
        ([ValueError(), None, "b"], "b"),
        ([SystemExit(3), GeneratorExit(), asyncio.CancelledError(), "b"], "b"),
        ([b"a", "b"], "b"),
        ([3.5], None),
        ([None, None], None),
        ([], None),
        ([0, "b"], 0),
    ],
)
def test_the_first_answer_decides(answers: list[object], expected: object) -> None:
    plugins = Plugins()
    for number, answer in reversed(list(enumerate(answers))):
        plugins.register(decider(answer), str(number))
    assert plugins.first("route_from_leg", str | int, leg=None) == expected


def test_an_answer_of_the_wrong_type_is_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    plugins = Plugins()
    plugins.register(decider(42), "muddled")
    assert plugins.first("route_from_leg", Route, leg=None) is None
    assert [record.getMessage() for record in caplog.records] == [
        "plugin muddled: route_from_leg answers int instead of Route"
    ]
    assert caplog.records[0].exc_info is None


def test_who_stops_the_server_by_hand_is_not_kept_from_it() -> None:
    plugins = Plugins()
    plugins.register(decider(KeyboardInterrupt()), "slow")
    with pytest.raises(KeyboardInterrupt):
        plugins.first("route_from_leg", Route, leg=None)


@pytest.mark.parametrize("kind", [Route, Refusal])
def test_a_decision_of_something_else_is_refused_where_it_is_made(kind: Any) -> None:
    with pytest.raises(TypeError, match="must be a string"):
        kind(42)


def test_hook_calls_can_be_traced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv(TRACE, "1")
    plugins = Plugins()
    plugins.register(decider("lobby"), "router")
    plugins.first("route_from_leg", str, leg="a leg")
    assert "router.route_from_leg{'leg': 'a leg'} -> 'lobby'" in caplog.text
