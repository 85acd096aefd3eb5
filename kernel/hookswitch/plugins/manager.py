"""Loads plugins from entry points, each guarded: one that fails is reported and left out."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import UnionType
from typing import Any

import pluggy

from hookswitch import hookspecs
from hookswitch.settings import SettingsError

log = logging.getLogger(__name__)

GROUP = "hookswitch"
TRACE = "HOOKSWITCH_TRACE_HOOKS"
"""Set this variable to have every hook call logged."""


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What became of one plugin. ``error`` is None when it works."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...]
    error: str | None


class Plugins:
    """The plugins of one server."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.statuses: list[PluginStatus] = []
        self._traced = bool(os.environ.get(TRACE))

    def load(self, found: Iterable[EntryPoint] | None = None) -> None:
        """Load all installed plugins, or those given."""
        points = entry_points(group=GROUP) if found is None else found
        for point in sorted(points, key=lambda p: p.name):
            self._load(point)

    def register(self, plugin: object, name: str) -> None:
        """Register an object that is no distribution (a built-in, a test's)."""
        error = self._register(plugin, name)
        hooks = self._hooks(plugin) if error is None else ()
        self.statuses.append(PluginStatus(name, "hookswitch", "", hooks, error))

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call an observing hook of all plugins. One that raises is logged; the others go on."""
        for _ in self._call_each(hook, arguments):
            pass

    def collect(self, hook: str, kind: type, **arguments: Any) -> list[Any]:
        """Everything the plugins offer by a ``register_…`` hook, lists joined.

        What is no ``kind`` is reported and left out.
        """
        found = []
        for name, result in self._call_each(hook, arguments):
            for offer in result if isinstance(result, list | tuple) else [result]:
                if isinstance(offer, kind):
                    found.append(offer)
                else:
                    log.error("plugin %s: %s offers %r, which is no %s",
                              name, hook, offer, kind.__name__)  # fmt: skip
        return found

    def first(self, hook: str, kind: type | UnionType, **arguments: Any) -> Any:
        """The first answer that is not None of a deciding hook.

        What is no ``kind`` is reported and passed over.
        """
        for name, result in self._call_each(hook, arguments):
            if isinstance(result, kind):
                return result
            log.error("plugin %s: %s answers %s instead of %s",
                      name, hook, type(result).__name__, _named(kind))  # fmt: skip
        return None

    def _call_each(self, hook: str, arguments: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        caller = getattr(self.manager.hook, hook)
        # pluggy calls the plugin registered last first
        for implementation in reversed(caller.get_hookimpls()):
            given = {name: arguments[name] for name in implementation.argnames}
            try:
                result = implementation.function(**given)
            except SettingsError:
                raise  # the operator must know now, not find the plugin missing later
            except KeyboardInterrupt:
                raise
            except BaseException:  # a plugin that calls exit() must not end all calls
                log.exception("plugin %s failed in %s", implementation.plugin_name, hook)
                continue
            if self._traced:
                log.info("%s.%s%s -> %r", implementation.plugin_name, hook, given, result)
            if result is not None:
                yield implementation.plugin_name, result

    def _load(self, point: EntryPoint) -> None:
        plugin: object = None
        error: str | None
        try:
            plugin = point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # a stranger's import may raise anything
            error = f"cannot be imported: {type(problem).__name__}: {problem}"
        else:
            error = self._register(plugin, point.name)
        if error:
            log.error("plugin %s is left out: %s", point.name, error)
        dist = point.dist
        self.statuses.append(
            PluginStatus(
                point.name,
                dist.name if dist else "?",
                dist.version if dist else "?",
                self._hooks(plugin) if error is None else (),
                error,
            )
        )

    def _register(self, plugin: object, name: str) -> str | None:
        """Register one plugin, or undo it; answers what is wrong with it."""
        if isinstance(plugin, type):
            return "is a class; an entry point names a module or an object"
        if self.manager.is_registered(plugin):
            return f"is registered already, as {self.manager.get_name(plugin)}"
        try:
            self.manager.register(plugin, name=name)
            self.manager.check_pending()
        except (pluggy.PluginValidationError, ValueError, TypeError) as problem:
            # pluggy keeps a plugin registered whose validation failed
            if self.manager.is_registered(plugin):
                self.manager.unregister(plugin)
            return str(problem)
        if not self._hooks(plugin):
            self.manager.unregister(plugin)
            return "implements no hook (are its functions marked with hookimpl?)"
        return None

    def _hooks(self, plugin: object) -> tuple[str, ...]:
        callers: Sequence[Any] = self.manager.get_hookcallers(plugin) or ()
        return tuple(sorted(caller.name for caller in callers))


def _named(kind: type | UnionType) -> str:
    return str(kind) if isinstance(kind, UnionType) else kind.__name__
