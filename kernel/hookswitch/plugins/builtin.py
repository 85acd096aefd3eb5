"""What the kernel itself brings, loaded the same way as a stranger's plugin."""

from __future__ import annotations

from hookswitch.codecs import builtin as codecs

from .manager import Plugins


def load_plugins() -> Plugins:
    """The built-in plugins and all that are installed."""
    plugins = Plugins()
    plugins.register(codecs, "codecs")
    plugins.load()
    return plugins
