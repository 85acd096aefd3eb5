"""A file that takes long to make: the recording is over all the same, and nobody waits for it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from hookswitch.testing.server import run_switch

from .test_ended_early import told


async def test_a_stop_does_not_wait_for_a_long_encoding(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the encoder writes to is a pipe that nobody reads yet."""
    folder = tmp_path / "recordings"
    async with run_switch(tmp_path / "data", recording_dir=folder) as server:
        call = await server.dial()
        path = f"/v1/legs/{call.leg.id}/record"
        await server.ask("POST", path, {"format": "opus", "filename": "long"})
        await call.hears(0.3)
        pipe = folder / f".{server.switch.recordings.get(call.leg.id).id}.made.part"
        os.mkfifo(pipe)
        stopped = await server.ask("DELETE", path)
        assert (stopped["status"], stopped["file"]) == ("stopped", str(folder / "long.opus"))
        assert told(server) == ["recording.started"]
        assert server.switch.recordings.finishing == 1
        await server.problem(404, "DELETE", path)
        taken = await server.problem(409, "POST", path, {"format": "opus", "filename": "long"})
        assert "long.opus" in taken
        await server.ask("POST", path, {"filename": "next"})
        await server.ask("DELETE", path)
        finished = await server.events.wait("recording.finished")
        assert finished["file"] == str(folder / "next.wav")

        reader = await asyncio.to_thread(os.open, pipe, os.O_RDONLY)
        pipe.unlink()  # so the encoding is in vain in the end, and its samples become a WAV file
        while await asyncio.to_thread(os.read, reader, 65536):
            pass
        os.close(reader)
        finished = await server.events.wait("recording.finished", file=str(folder / "long.wav"))
        assert "kept as WAV" in finished["error"]
        assert server.switch.recordings.finishing == 0
    assert "worker recorder" not in caplog.text  # it was never thought dead
