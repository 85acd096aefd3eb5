"""What a crash left staged is stored when it is recovered, under the name it has got."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hookswitch.plugin import hookimpl
from hookswitch.recording.storage import Storage
from hookswitch.recording.upload_queue import UploadQueue
from hookswitch.testing.server import run_switch

from .conftest import Desk, numbers
from .test_uploads import Shelf
from .uploading import file


class ShelfPlugin:
    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    @hookimpl
    def register_storages(self) -> Sequence[Storage]:
        return [self._shelf]


async def test_a_recovered_recording_is_stored_and_its_namesake_is_not(
    desk: Desk, tmp_path: Path
) -> None:
    desk.record("call", desk.channel("mix", numbers(16000)))
    await desk.play(1.0)
    await desk.stop()
    data = tmp_path / "data"
    queue = UploadQueue(data / "uploads.sqlite3")
    queue.add("call", 0, desk.files / "call.wav", "shelf", {}, {"leg_id": "ann"})
    queue.close()
    file(desk.files, "call.wav", b"somebody else's")

    shelf = Shelf()
    async with run_switch(data, ShelfPlugin(shelf), recording_dir=desk.files) as server:
        finished = await server.events.wait("recording.finished", recovered=True)
        stored = await server.events.wait("recording.stored", leg_id="ann")
        assert stored["file"] == finished["file"] == str(desk.files / "call-2.wav")
        assert stored["location"] == "shelf:None/call-2.wav"
    assert list(shelf.kept) == ["call-2.wav"]
    assert len(shelf.kept["call-2.wav"]) > 32000
    assert (desk.files / "call.wav").read_bytes() == b"somebody else's"
