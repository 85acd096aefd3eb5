"""A worker that is started by a server with very many sockets."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
from typing import Any

import pytest

from hookswitch.media import supervisor
from hookswitch.media.messages import Pulse
from hookswitch.media.supervisor import Worker, WorkerSpec
from hookswitch.media.worker import TARGET, Begin
from hookswitch.mixer.options import EngineOptions

BEYOND_SELECT = 1100


async def test_a_link_with_a_large_number_works(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < BEYOND_SELECT + 10:
        pytest.skip("this system allows too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, BEYOND_SELECT + 10), hard))
    low = os.dup(0)
    filler = [fcntl.fcntl(low, fcntl.F_DUPFD, number) for number in range(3, BEYOND_SELECT)]
    pulsed = asyncio.Event()
    tick_fd = os.eventfd(0)

    def hear(message: Any, fds: list[int]) -> None:
        if isinstance(message, Pulse):
            pulsed.set()

    worker = Worker(
        WorkerSpec("high", TARGET),
        on_start=lambda: worker.send(Begin(EngineOptions(), ()), [tick_fd]),
        on_message=hear,
    )
    try:
        worker.start()
        assert worker._end is not None
        assert worker._end.fileno() > 1024
        async with asyncio.timeout(supervisor.SILENCE_LIMIT):
            await pulsed.wait()
        assert worker.restarts == 0
    finally:
        await worker.stop()
        for fd in {low, tick_fd, *filler}:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
