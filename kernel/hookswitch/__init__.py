"""hookswitch: a programmable voice server made of a small kernel and many plugins.

The names plugins may use are in `hookswitch.plugin`; everything else belongs to the kernel.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hookswitch")
except PackageNotFoundError:  # run from a tree that was never installed
    __version__ = "0+unknown"
