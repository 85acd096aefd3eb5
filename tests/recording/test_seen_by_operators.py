"""What an operator sees of recordings: in the metrics, and in the log of the recorder."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hookswitch.plugin import hookimpl
from hookswitch.recording.messages import RecorderPulse
from hookswitch.recording.recorder.sidecar import SUFFIX
from hookswitch.recording.storage import Storage
from hookswitch.testing.server import run_switch
from tests.api.test_health_and_metrics import scrape, value

from .conftest import Desk
from .test_uploads import Shelf


class ShelfPlugin(Shelf):
    @hookimpl
    def register_storages(self) -> Sequence[Storage]:
        return [self]


async def test_recordings_and_uploads_are_counted(tmp_path: Path) -> None:
    shelf = ShelfPlugin()
    shelf.refusal = "closed"
    async with run_switch(tmp_path / "data", shelf, recording_dir=tmp_path / "r") as server:
        call = await server.dial()
        leg = f"/v1/legs/{call.leg.id}"
        none = await scrape(server)
        for name in ("recordings", "recordings_finishing", "playbacks", "uploads_pending"):
            assert value(none, name) == 0
        await server.ask("POST", f"{leg}/play", {"tone": "gb_dial"})
        await server.ask("POST", f"{leg}/record", {"storage": "shelf"})
        during = await scrape(server)
        assert (value(during, "recordings"), value(during, "playbacks")) == (1, 1)
        await server.ask("DELETE", f"{leg}/record")
        await server.events.wait("recording.store_failed")
        waiting = await scrape(server)
        assert (value(waiting, "recordings"), value(waiting, "uploads_pending")) == (0, 1)
        assert value(waiting, "uploads_failed_total") >= 1
        shelf.refusal = None
        await server.events.wait("recording.stored")
        assert value(await scrape(server), "uploads_stored_total") == 1
        assert value(await scrape(server), "recorder_lost_samples_total") == 0


async def test_samples_that_are_lost_add_up_over_recorders(tmp_path: Path) -> None:
    async with run_switch(tmp_path / "data", recording_dir=tmp_path / "r") as server:
        recorder = server.switch.recordings.recorder
        for lost in (100, 300):
            recorder._hear(RecorderPulse(1, lost), [])
        recorder._died()
        recorder._hear(RecorderPulse(1, 50), [])
        assert value(await scrape(server), "recorder_lost_samples_total") == 350


async def test_the_recorders_log_looks_like_the_servers(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.files.mkdir()
    (desk.files / f".odd{SUFFIX}").write_bytes(b"{}")
    desk.start(stderr=subprocess.PIPE)
    try:
        assert desk.process is not None
        assert desk.process.stderr is not None
        line = await asyncio.to_thread(desk.process.stderr.readline)
        when, what = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", r"hookswitch\.recording\.\S+: .*\.odd"
        assert re.match(f"{when} ERROR   {what}", line.decode()), line
    finally:
        desk.close()
        if desk.process is not None and desk.process.stderr is not None:
            desk.process.stderr.close()
