"""Writes docs/settings.md from the settings classes of the kernel and of all installed plugins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from hookswitch.cli import settings_classes
from hookswitch.plugins.builtin import load_plugins

TARGET = Path(__file__).parent.parent / "docs" / "settings.md"

HEAD = """\
# Settings

<!-- Written by scripts/settings_table.py: change the settings classes, then run it. -->

Every setting is an environment variable. An empty variable is an unset one. A value that cannot be
used stops the server before it starts, with a message that names the variable. `hookswitch config`
prints the same list with the values in force; secrets are shown as stars. Lists are separated by
commas. A setting without a default is empty unless its meaning says otherwise.
"""

ORIGINS = {"hookswitch": "The kernel"}


def page() -> str:
    """The whole of docs/settings.md."""
    kernel, *plugins = settings_classes(load_plugins())
    lines = [HEAD]
    for owner, settings in [kernel, *sorted(plugins, key=lambda plugin: plugin[0])]:
        plugin = owner.replace("_", "-")
        lines += [f"## {ORIGINS.get(owner, f'Plugin `{plugin}`')}", ""]
        for name, field in settings.model_fields.items():
            meaning = (field.description or "").rstrip(".")
            lines += _wrapped(f"- `{name.upper()}` ({_values(field)}{_default(field)}): {meaning}.")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _values(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) is Literal:
        *values, last = (f"`{value}`" for value in get_args(kind))
        return f"{', '.join(values)} or {last}" if values else last
    if kind is bool:
        return "`true` or `false`"
    if kind in (int, float):
        return ("whole number" if kind is int else "number") + "".join(_limits(field))
    return "list" if get_origin(kind) is tuple else "secret" if kind is SecretStr else "text"


def _limits(field: FieldInfo) -> Iterator[str]:
    for limit in field.metadata:
        if isinstance(limit, Ge):
            yield f" from {limit.ge}"
        elif isinstance(limit, Gt):
            yield f" above {limit.gt}"
        elif isinstance(limit, Le):
            yield f" to {limit.le}"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return ""  # its description says what it depends on
    value: Any = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, tuple):
        value = ",".join(value)
    if isinstance(value, float):
        value = f"{value:g}"
    return f", default `{value}`" if value not in ("", None) else ""


def _wrapped(text: str, width: int = 100) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append(" ")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print(page(), end="")
    else:
        TARGET.write_text(page())
        print(f"wrote {TARGET}")
