"""What a test must not leave behind: tasks, threads, open files."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_ROUNDS = 10
"""Of the event loop, in which transports that were closed let go of their sockets."""


def open_files() -> set[str]:
    """Number and target of every open descriptor of this process (on Linux)."""
    found = set()
    with suppress(FileNotFoundError):
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):  # the listing's own descriptor is gone by now
                found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return found


@asynccontextmanager
async def nothing_leaks() -> AsyncIterator[None]:
    """Fail when what runs inside leaves a task, a thread or a descriptor."""
    tasks, threads, files = asyncio.all_tasks(), set(threading.enumerate()), open_files()
    yield
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
    if open_files() - files:
        gc.collect()
    assert asyncio.all_tasks() - tasks - {asyncio.current_task()} == set()
    left = set(threading.enumerate()) - threads
    pools = ("asyncio", "AnyIO")  # their threads wait for more to do
    assert [thread for thread in left if not thread.name.startswith(pools)] == []
    assert open_files() - files == set()
