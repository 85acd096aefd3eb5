"""Threads for what may hang, such as a network: nobody waits for them at the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run something in a thread that does not hold up the end of the server."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def tell(how: Callable[[Any], None], outcome: Any) -> None:
        if not done.cancelled():
            how(outcome)

    def run() -> None:
        how: Callable[[Any], None] = done.set_result
        outcome: Any
        try:
            outcome = work()
        except Exception as error:
            how, outcome = done.set_exception, error
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, how, outcome)

    threading.Thread(target=run, name="storage", daemon=True).start()
    return await done
