"""Fixtures for tests of plugins; pytest finds them when hookswitch is installed.

The asynchronous ones need pytest-asyncio. Everything is imported when it is asked for: tests that
have nothing to do with hookswitch pay nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server import RunningSwitch

if find_spec("pytest_asyncio"):
    import pytest_asyncio

    @pytest_asyncio.fixture
    async def running_switch(tmp_path: Path) -> AsyncIterator[RunningSwitch]:
        """A server with the fake transport, on a free port of this machine."""
        from .server import run_switch

        async with run_switch(tmp_path) as server:
            yield server
