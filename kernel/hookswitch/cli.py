"""The command ``hookswitch``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from typing import Any

from pydantic import SecretStr

from hookswitch import __version__
from hookswitch.events.schema import EventStoreError
from hookswitch.log_lines import write_log
from hookswitch.plugins.builtin import load_plugins
from hookswitch.plugins.manager import Plugins
from hookswitch.settings import KernelSettings, Settings, SettingsError, load

EPILOG = """\
examples:
  hookswitch serve                          API on 127.0.0.1:8080
  HTTP_ADDR=127.0.0.1:9000 hookswitch serve
  hookswitch config                         every setting, its value and what it does
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; answers its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status = int(arguments.run())
        sys.stdout.flush()
        return status
    except SettingsError as error:
        print(f"hookswitch: {error}", file=sys.stderr)
        print("hookswitch: `hookswitch config` lists all settings", file=sys.stderr)
    except BrokenPipeError:  # `hookswitch config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (EventStoreError, OSError) as error:
        print(f"hookswitch: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hookswitch",
        description="A programmable voice server. Everything is set by environment variables.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hookswitch {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("serve", _serve, "run the server until Ctrl-C or SIGTERM, then drain"),
        ("plugins", _plugins, "list the plugins: what is there, what failed and why"),
        ("config", _config, "list all settings: value, default, meaning"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    return parser


def _serve() -> int:
    # The server's imports are heavy; `hookswitch --help` does without them.
    from hookswitch.api.server import serve

    settings = load(KernelSettings)
    write_log(settings.log_level.upper())
    logging.getLogger("websockets").setLevel(logging.WARNING)
    plugins = load_plugins()
    _check_settings(plugins)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, plugins))
    return 0


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _plugins() -> int:
    logging.disable(logging.CRITICAL)  # the table says it all
    failed = 0
    for status in load_plugins().statuses:
        origin = f"{status.distribution} {status.version}".strip()
        print(f"{status.name:20} {origin:40} {'failed' if status.error else 'ok'}")
        if status.error:
            failed += 1
            print(f"    {status.error}")
        else:
            print(f"    {', '.join(status.hooks)}")
    return 1 if failed else 0


def _config() -> int:
    problems = []
    for owner, cls in settings_classes(load_plugins()):
        values: Settings | None = None
        try:
            values = load(cls)
        except SettingsError as error:
            problems.append(str(error))
        print(f"# {owner}")
        for name, field in cls.model_fields.items():
            value = "?" if values is None else _shown(getattr(values, name))
            default = _shown(field.get_default(call_default_factory=True, validated_data={}))
            mark = "" if value == default else f"   (default: {default})"
            print(f"{name.upper()}={value}{mark}\n    {field.description}")
        print()
    for problem in problems:
        print(f"hookswitch: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _check_settings(plugins: Plugins) -> None:
    """Load every settings class. Raises SettingsError that names all that cannot be used."""
    problems = []
    for _, cls in settings_classes(plugins):
        try:
            load(cls)
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("; ".join(problems))


def settings_classes(plugins: Plugins) -> list[tuple[str, type[Settings]]]:
    """All settings classes and who owns them."""
    found: list[tuple[str, type[Settings]]] = [("hookswitch", KernelSettings)]
    for cls in plugins.collect("register_settings", type):
        if issubclass(cls, Settings):
            found.append((cls.__module__.partition(".")[0], cls))
    return found


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(str(part) for part in value)
    return "" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main())
