"""Recordings whose file cannot be made: the request is told, and nothing is left of them."""

from __future__ import annotations

import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookswitch.testing.server import RunningSwitch, run_switch

from .test_ended_early import told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "recordings"


@pytest.fixture
async def server(tmp_path: Path, folder: Path) -> AsyncIterator[RunningSwitch]:
    async with run_switch(tmp_path / "data", recording_dir=folder) as running:
        yield running


def limit_files(server: RunningSwitch, size: int) -> None:
    """What the recorder writes fits no more, as on a full disk; -1: it fits again."""
    worker = server.switch.recordings._recorder._worker
    assert worker is not None
    assert worker.pid is not None
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (size, -1))


async def test_a_full_disk_is_answered_500_and_leaves_nothing(
    server: RunningSwitch, folder: Path
) -> None:
    call = await server.dial()
    path = f"/v1/legs/{call.leg.id}/record"
    await server.ask("POST", path, {"filename": "before"})
    await server.ask("DELETE", path)
    limit_files(server, 0)
    problem = await server.problem(500, "POST", path, {"filename": "full"})
    assert problem.startswith("RECORDING_DIR: full.wav cannot be made: File too large")
    await server.problem(404, "DELETE", path)
    await server.problem(404, "POST", f"{path}/pause")
    limit_files(server, -1)
    await server.ask("POST", path, {"filename": "full"})
    await call.hears(0.5)
    await server.ask("DELETE", path)
    assert told(server) == ["recording.started", "recording.finished"] * 2
    assert sorted(n for n in os.listdir(folder) if n[0] != ".") == ["before.wav", "full.wav"]


async def test_after_a_restart_nothing_is_told_of_it(tmp_path: Path, folder: Path) -> None:
    async with run_switch(tmp_path / "data", recording_dir=folder) as server:
        call = await server.dial()
        path = f"/v1/legs/{call.leg.id}/record"
        await server.ask("POST", path, {"filename": "before"})
        await server.ask("DELETE", path)
        limit_files(server, 0)
        await server.problem(500, "POST", path)
    async with run_switch(tmp_path / "data", recording_dir=folder) as server:
        call = await server.dial()
        path = f"/v1/legs/{call.leg.id}/record"
        await server.ask("POST", path)
        await server.ask("DELETE", path)
        assert told(server) == ["recording.started", "recording.finished"]
    assert len(os.listdir(folder)) == 2
