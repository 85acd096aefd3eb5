"""One consumer that raises does not cost the others their audio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hookswitch.media.plane import MediaPlane
from hookswitch.mixer.options import EngineOptions


@pytest.fixture(params=[0, 1], ids=["inline", "one worker"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[MediaPlane]:
    plane = MediaPlane(request.param, EngineOptions(comfort_noise=False))
    plane.start()
    yield plane
    await plane.stop()


async def test_a_listener_that_raises_stops_nobody(
    plane: MediaPlane, caplog: pytest.LogCaptureFixture
) -> None:
    ticks, enough = [], asyncio.Event()

    def careless() -> None:
        raise RuntimeError("careless")

    def careful() -> None:
        ticks.append(None)
        if len(ticks) >= 5:
            enough.set()

    await plane.open_ring("careless", 8000, on_heard=careless)
    await plane.open_ring("careful", 8000, on_heard=careful)
    async with asyncio.timeout(10):
        await enough.wait()
    assert "port careless" in caplog.text
    for port in ("careless", "careful"):
        await plane.close_port(port)
