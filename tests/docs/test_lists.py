"""Every hook, setting, operation, event, metric and public module is documented."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from types import FunctionType

import pytest

import hookswitch.events.legs
import hookswitch.events.rooms
import hookswitch_transport_sip.sip
from hookswitch import hookspecs, plugin
from hookswitch.api.metrics import Metrics
from hookswitch.cli import settings_classes
from hookswitch.events import media as media_events
from hookswitch.events.model import Event
from hookswitch.legs import leg
from hookswitch.plugins.builtin import load_plugins
from hookswitch.rooms import registry
from hookswitch.settings import KernelSettings
from hookswitch.switch import Switch
from hookswitch.testing.server import RunningSwitch
from hookswitch_transport_sip import events as sip_events

from . import DOCS

PLUGINS = (DOCS / "plugins.md").read_text()
API = (DOCS / "api.md").read_text()
OPERATING = (DOCS / "operating.md").read_text()
SETTINGS = (DOCS / "settings.md").read_text()

HOOKS = [
    function
    for _, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if hasattr(function, "hookswitch_spec")
]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.__name__)
def test_every_hook_is_documented_with_its_signature(hook: FunctionType) -> None:
    name = hook.__name__
    signature = str(inspect.signature(hook)).replace("'", "")
    section = re.search(rf"^### {name}\n\n(.*?)(?=^##|\Z)", PLUGINS, re.DOTALL | re.MULTILINE)
    assert section is not None
    assert f"```python\ndef {name}{signature}\n```\n" in section[1]
    assert len(section[1].partition("```\n\n")[2]) > 40, "say what it promises"


def test_no_hook_is_documented_that_does_not_exist() -> None:
    documented = re.findall(r"^### (\w+)$", PLUGINS, re.MULTILINE)
    assert documented == sorted(documented, key=_place)


def _place(name: str) -> int:
    """Where a hook stands in hookspecs.py."""
    source = inspect.getsource(hookspecs)
    assert f"\ndef {name}(" in source
    return source.index(f"\ndef {name}(")


def test_public_modules_are_listed() -> None:
    assert re.findall(r"^- `(hookswitch\.[\w.]+)`:", PLUGINS, re.MULTILINE) == list(
        plugin.PUBLIC_MODULES
    )


def test_every_setting_is_documented() -> None:
    for _, settings in settings_classes(load_plugins()):
        for name, field in settings.model_fields.items():
            assert field.description, name
            assert f"- `{name.upper()}` (" in SETTINGS


def test_settings_that_are_mentioned_exist() -> None:
    known = {
        name.upper()
        for _, settings in settings_classes(load_plugins())
        for name in settings.model_fields
    }
    known |= {"LINE_PORT", "HOOKSWITCH_TRACE_HOOKS", "PUBLIC_MODULES"}
    mentioned = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", OPERATING + API + PLUGINS))
    assert mentioned <= known | {"DATA_DIR"}


async def test_every_operation_is_documented(tmp_path: Path) -> None:
    switch = Switch(KernelSettings(data_dir=tmp_path, media_workers=0), load_plugins(), "test")
    for operation in switch.operations:
        assert f"| `{operation.command}` | `{operation.method} {operation.path}` |" in API


@pytest.mark.parametrize("module", [leg, registry], ids=lambda module: module.__name__)
def test_every_event_that_is_emitted_is_documented(module: object) -> None:
    for _, kind in inspect.getmembers(module, inspect.isclass):
        if issubclass(kind, Event) and kind.type:
            assert f"`{kind.type}`" in API


def test_no_event_is_documented_that_does_not_exist() -> None:
    known = {
        kind.type
        for module in (hookswitch.events.legs, hookswitch.events.rooms)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Event)
    }
    documented = set(re.findall(r"`((?:leg|room|dtmf|rtt|speaking)\.[a-z_]+)`", API))
    assert documented <= known


@pytest.mark.parametrize("family", ["playback", "recording"])
def test_every_event_of_playing_and_recording_is_documented(family: str) -> None:
    kinds = (kind for _, kind in inspect.getmembers(media_events, inspect.isclass) if _told(kind))
    emitted = {kind.type for kind in kinds if kind.type.startswith(f"{family}.")}
    rows = "".join(row.split("|")[1] for row in API.splitlines() if row.startswith("|"))
    assert emitted
    assert emitted == set(re.findall(rf"`({family}\.[a-z_]+)`", rows))


def test_every_event_of_sip_is_documented() -> None:
    assert _sip_events()
    assert _sip_events() == set(re.findall(r"`(sip\.[a-z_]+)`", API))


def _sip_events() -> set[str]:
    """Event types of the SIP transport."""
    return {kind.type for _, kind in inspect.getmembers(sip_events, inspect.isclass) if _told(kind)}


def _told(kind: type) -> bool:
    return issubclass(kind, Event) and bool(kind.type)


async def test_every_metric_is_documented(tmp_path: Path) -> None:
    switch = Switch(KernelSettings(data_dir=tmp_path, media_workers=0), load_plugins(), "test")
    text = Metrics(switch).text().decode()
    exported = set(re.findall(r"^# TYPE (hookswitch_\w+)", text, re.MULTILINE))
    documented = set(re.findall(r"^\| `(hookswitch_\w+)", OPERATING, re.MULTILINE))
    assert {name for name in exported if not name.endswith("_created")} <= documented
    told_later = {name for name in documented if name.startswith("hookswitch_sip_")}
    labelled = {"hookswitch_call_duration_seconds"}
    assert documented - told_later - labelled <= exported


def test_every_counter_of_the_sip_core_is_documented() -> None:
    folder = Path(hookswitch_transport_sip.sip.__path__[0])
    source = "".join(path.read_text() for path in folder.rglob("*.py"))
    counters = set(re.findall(r"(?:_count\(|counters\[)f?\"([a-z_]+)", source))
    assert counters, "the pattern fits no more"
    for counter in counters:
        name = "refused_<status>" if counter.startswith("refused_") else counter
        assert f"`hookswitch_sip_{name}_total`" in OPERATING


@pytest.mark.parametrize("page", ["README.md", "docs/plugins.md"])
def test_shown_plugins_are_as_they_are(page: str) -> None:
    installed = {status.name: status for status in load_plugins().statuses}
    shown = re.findall(
        r"^(\w+) +(hookswitch\S*) (?:\S+ )? *ok\n    (.+)$",
        (DOCS.parent / page).read_text(),
        re.MULTILINE,
    )
    assert len(shown) >= 4
    for name, distribution, hooks in shown:
        if name != "line":  # the sample plugin, which is not installed here
            assert distribution == installed[name].distribution
            assert hooks == ", ".join(installed[name].hooks)


async def test_a_leg_is_shown_as_it_is(running_switch: RunningSwitch) -> None:
    page = (DOCS.parent / "README.md").read_text()
    shown = re.search(r"```json\n(\[\n.*?\n\])\n```", page, re.DOTALL)
    assert shown is not None
    call = running_switch.fake.receive()
    view = await running_switch.ask("GET", f"/v1/legs/{call.leg.id}")
    (leg,) = json.loads(shown[1])
    assert list(leg) == [*view, "sip_headers"]
