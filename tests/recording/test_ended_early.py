"""Recordings that are ended while they start: nothing goes on unasked, and no answer lies."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from hookswitch.plugin import hookimpl
from hookswitch.recording.storage import Storage
from hookswitch.testing.server import RunningSwitch, run_switch

from .test_uploads import Shelf, ShelfRequest


class SlowShelf(Shelf):
    """A shelf that takes its time to say whether it would take a file."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()

    def check(self, options: ShelfRequest) -> None:
        self.answers.wait()

    @hookimpl
    def register_storages(self) -> Sequence[Storage]:
        return [self]


@pytest.fixture
def shelf() -> SlowShelf:
    return SlowShelf()


@pytest.fixture
async def server(tmp_path: Path, shelf: SlowShelf) -> AsyncIterator[RunningSwitch]:
    folder = tmp_path / "recordings"
    async with run_switch(tmp_path / "data", shelf, recording_dir=folder) as running:
        yield running
        shelf.answers.set()
        for thread in threading.enumerate():
            if thread.name == "storage":
                await asyncio.to_thread(thread.join)


def told(server: RunningSwitch) -> list[str]:
    """The events of recordings, in order."""
    return [name for name in server.events.types() if name.startswith("recording")]


async def starting(server: RunningSwitch, path: str, **fields: Any) -> asyncio.Task[Any]:
    """A request to record that is being worked on."""
    asked = asyncio.create_task(server.http.post(path, json=fields))
    async with asyncio.timeout(10):
        while not len(server.switch.recordings):  # noqa: ASYNC110
            await asyncio.sleep(0)
    return asked


async def test_a_stop_during_the_check_of_the_storage_is_answered_at_once(
    server: RunningSwitch, shelf: SlowShelf
) -> None:
    """And the place is free for another."""
    call = await server.dial()
    path = f"/v1/legs/{call.leg.id}/record"
    asked = await starting(server, path, storage="shelf")
    await server.problem(404, "POST", f"{path}/pause")
    stopped = await server.ask("DELETE", path)
    assert stopped["status"] == "stopped"
    assert "file" not in stopped  # nothing comes of it
    answer = await asked
    assert answer.status_code == 409
    assert "before it began" in answer.json()["error"]
    await server.problem(404, "DELETE", path)
    assert not shelf.answers.is_set()
    await server.ask("POST", path)
    await server.ask("DELETE", path)
    assert told(server) == ["recording.started", "recording.finished"]


async def test_a_hangup_during_the_check_of_the_storage_ends_it(server: RunningSwitch) -> None:
    call = await server.dial()
    asked = await starting(server, f"/v1/legs/{call.leg.id}/record", storage="shelf")
    await call.hangs_up()
    assert (await asked).status_code == 409
    assert len(server.switch.recordings) == 0
    assert told(server) == []


@pytest.mark.parametrize("rounds", [0, 1, 2, 4, 8, 16, 32, 64])
async def test_whenever_it_is_ended_the_answers_are_true(
    server: RunningSwitch, rounds: int
) -> None:
    """The stop comes so many rounds of the event loop after the request to record."""
    call = await server.dial()
    path = f"/v1/legs/{call.leg.id}/record"
    asked = await starting(server, path)
    for _ in range(rounds):
        await asyncio.sleep(0)
    stopped = await server.http.delete(path)
    answer = await asked
    began = answer.status_code == 200
    assert answer.status_code in (200, 409)
    assert stopped.status_code == 200
    assert (stopped.json().get("file") is not None) == began
    if began:
        await server.events.wait("recording.finished")
        assert os.stat(stopped.json()["file"]).st_size > 0
    assert told(server) == (["recording.started", "recording.finished"] if began else [])
    assert len(server.switch.recordings) == 0


@pytest.mark.parametrize("rounds", [0, 1, 2, 4, 8, 16, 32, 64])
async def test_whenever_its_leg_hangs_up_it_ends(server: RunningSwitch, rounds: int) -> None:
    call = await server.dial()
    asked = await starting(server, f"/v1/legs/{call.leg.id}/record")
    for _ in range(rounds):
        await asyncio.sleep(0)
    await call.hangs_up()
    answer = await asked
    if answer.status_code == 200:
        await server.events.wait("recording.finished", file=answer.json()["file"])
        assert told(server) == ["recording.started", "recording.finished"]
    else:
        assert answer.status_code == 409
        assert told(server) == []
    assert len(server.switch.recordings) == 0
