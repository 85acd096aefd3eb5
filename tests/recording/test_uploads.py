"""The queue of uploads: nothing in it is lost, and its secrets are told to nobody."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel, HttpUrl, SecretStr, create_model

from hookswitch.errors import BadRequest
from hookswitch.operations.model import ApiModel
from hookswitch.recording.storage import Storage, Storages
from hookswitch.recording.uploads import AT_ONCE

from .uploading import add, file, running


class ShelfRequest(ApiModel):
    shelf_board: str | None = None
    shelf_key: SecretStr | None = None
    shelf_url: HttpUrl | None = None


class Shelf(Storage):
    """Keeps contents in memory; can be made to refuse, or to wait."""

    name, request = "shelf", ShelfRequest

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.options: list[ShelfRequest] = []
        self.refusal: str | None = None
        self.open = threading.Event()
        self.open.set()
        self.busy = self.busiest = 0
        self._lock = threading.Lock()

    def check(self, options: ShelfRequest) -> None:
        if options.shelf_board == "none":
            raise BadRequest("shelf_board: there is no such board")

    def store(self, file: Path, options: ShelfRequest) -> str:
        with self._lock:
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        try:
            self.open.wait()
            self.options.append(options)
            content = file.read_bytes()
            if self.refusal is not None:
                raise ConnectionError(self.refusal)
            self.kept[file.name] = content
            return f"shelf:{options.shelf_board}/{file.name}"
        finally:
            with self._lock:
                self.busy -= 1


OPTIONS = ShelfRequest(
    shelf_board="top", shelf_key=SecretStr("open sesame"), shelf_url=HttpUrl("http://shelf/")
)


async def test_a_file_is_stored_and_then_deleted(tmp_path: Path) -> None:
    shelf, path = Shelf(), file(tmp_path)
    async with running(tmp_path, shelf) as (uploads, told):
        await add(uploads, path, "shelf", OPTIONS, {"leg_id": "ann"})
        await told.until(lambda: bool(told.stored))
        upload, location = told.stored[0]
        assert (upload.file, upload.context, location) == (
            path,
            {"leg_id": "ann"},
            "shelf:top/call.wav",
        )
    assert shelf.kept == {"call.wav": b"sound"}
    assert shelf.options == [OPTIONS]
    assert not path.exists()
    async with running(tmp_path, shelf) as (uploads, told):
        assert uploads.pending == 0


async def test_the_local_file_may_be_kept(tmp_path: Path) -> None:
    path = file(tmp_path)
    async with running(tmp_path, Shelf(), keep_local=True) as (uploads, told):
        await add(uploads, path, "shelf", OPTIONS, {})
        await told.until(lambda: bool(told.stored))
    assert path.exists()


async def test_what_fails_is_tried_until_it_works(tmp_path: Path) -> None:
    shelf, path = Shelf(), file(tmp_path)
    shelf.refusal = "closed"
    async with running(tmp_path, shelf) as (uploads, told):
        await add(uploads, path, "shelf", OPTIONS, {})
        await told.until(lambda: len(told.failed) >= 3)
        assert {(error, again) for _, error, again in told.failed} == {("closed", True)}
        assert path.exists()
        shelf.refusal = None
        await told.until(lambda: bool(told.stored))


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.refusal = "closed"
    async with running(tmp_path, shelf) as (uploads, told):
        for index in range(20):
            await add(uploads, file(tmp_path, f"{index}.wav"), "shelf", OPTIONS, {"index": index})
        await told.until(lambda: len(told.failed) >= 20)
    async with running(tmp_path) as (uploads, told):  # the plugin is not there for once
        await told.until(lambda: len(told.failed) >= 20)
        assert "no plugin offers the storage 'shelf'" in told.failed[0][1]
    shelf.refusal = None
    async with running(tmp_path, shelf) as (uploads, told):
        await told.until(lambda: len(told.stored) == 20)
    assert sorted(upload.context["index"] for upload, _ in told.stored) == list(range(20))
    assert shelf.options[-1] == OPTIONS
    assert len(shelf.kept) == 20


async def test_a_stop_in_the_middle_of_an_upload_waits_for_nobody(tmp_path: Path) -> None:
    shelf, path = Shelf(), file(tmp_path)
    shelf.open.clear()
    async with running(tmp_path, shelf) as (uploads, _):
        await add(uploads, path, "shelf", OPTIONS, {})
        assert uploads.pending == 1
    assert path.exists()
    shelf.open.set()
    async with running(tmp_path, shelf) as (uploads, told):
        await told.until(lambda: bool(told.stored))


async def test_few_files_are_stored_at_the_same_time(tmp_path: Path) -> None:
    shelf = Shelf()
    async with running(tmp_path, shelf) as (uploads, told):
        for index in range(30):
            await add(uploads, file(tmp_path, f"{index}.wav"), "shelf", OPTIONS, {})
        await told.until(lambda: len(told.stored) == 30)
    assert shelf.busiest <= AT_ONCE


class Boards(Shelf):
    """Of its boards, one hangs."""

    def target(self, options: ShelfRequest) -> str:
        return options.shelf_board or ""

    def store(self, file: Path, options: ShelfRequest) -> str:
        if options.shelf_board == "good":
            self.kept[file.name] = file.read_bytes()
            return "shelf:good"
        return super().store(file, options)


async def test_a_target_that_hangs_delays_no_other(tmp_path: Path) -> None:
    shelf = Boards()
    shelf.open.clear()
    async with running(tmp_path, shelf) as (uploads, told):
        for index in range(2 * AT_ONCE):
            await add(uploads, file(tmp_path, f"{index}.wav"), "shelf", OPTIONS, {})
        good = ShelfRequest(shelf_board="good")
        await add(uploads, file(tmp_path), "shelf", good, {})
        await told.until(lambda: bool(told.stored))
        assert [location for _, location in told.stored] == ["shelf:good"]
        shelf.open.set()
        await told.until(lambda: len(told.stored) == 2 * AT_ONCE + 1)
    assert shelf.busiest <= AT_ONCE


async def test_a_file_that_vanished_is_given_up(tmp_path: Path) -> None:
    shelf, path = Shelf(), file(tmp_path, "gone.wav")
    shelf.open.clear()
    async with running(tmp_path, shelf) as (uploads, told):
        await add(uploads, path, "shelf", OPTIONS, {})
        path.unlink()
        shelf.open.set()
        await told.until(lambda: bool(told.failed))
        assert told.failed[0][2] is False
        assert "No such file" in told.failed[0][1]
    async with running(tmp_path, Shelf()) as (uploads, told):
        assert uploads.pending == 0


async def test_secrets_are_the_owners_and_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shelf = Shelf()
    shelf.refusal = "closed"
    queue = tmp_path / "uploads.sqlite3"
    async with running(tmp_path, shelf) as (uploads, told):
        await add(uploads, file(tmp_path), "shelf", OPTIONS, {})
        await told.until(lambda: bool(told.failed))
        assert queue.stat().st_mode & 0o777 == 0o600
        assert b"open sesame" in queue.read_bytes()
        assert "open sesame" not in repr(told.failed)
        shelf.refusal = None
        await told.until(lambda: bool(told.stored))
    assert b"open sesame" not in queue.read_bytes()
    assert "cannot be stored" in caplog.text
    assert "sesame" not in caplog.text


async def test_a_damaged_queue_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "uploads.sqlite3").write_bytes(b"no database at all" * 100)
    async with running(tmp_path, Shelf()) as (uploads, told):
        await add(uploads, file(tmp_path), "shelf", OPTIONS, {})
        await told.until(lambda: bool(told.stored))
    names = sorted(os.listdir(tmp_path))
    assert names[0] == "uploads.sqlite3"
    assert names[1].startswith("uploads.sqlite3.corrupt-")


async def test_storages_are_chosen_and_checked(caplog: pytest.LogCaptureFixture) -> None:
    storages = Storages([Shelf(), Shelf()])
    assert "a second storage shelf is left out" in caplog.text
    assert storages.names == ("file", "shelf")
    model: type[BaseModel] = create_model(  # as an operation makes it
        "RecordRequest", __base__=(*storages.requests, ApiModel), storage=(str, "file")
    )
    request = model.model_validate({"storage": "shelf", "shelf_board": "top", "shelf_key": "k"})
    options = await storages.check("shelf", request)
    assert isinstance(options, ShelfRequest)
    assert options.shelf_board == "top"
    await storages.check("file", request)
    with pytest.raises(BadRequest, match="shelf_board: there is no such board"):
        await storages.check("shelf", model.model_validate({"shelf_board": "none"}))
    with pytest.raises(BadRequest, match="storage: 's4' is not one of: file, shelf"):
        await storages.check("s4", request)


async def test_what_was_promised_before_a_crash_is_stored_when_it_was_recovered(
    tmp_path: Path,
) -> None:
    path, other = tmp_path / "call.wav", tmp_path / "other.wav"
    async with running(tmp_path, Shelf()) as (uploads, _):
        await uploads.promise("r", 0, path, "shelf", OPTIONS, {"leg_id": "ann"})
        await uploads.promise("s", 0, other, "shelf", OPTIONS, {})
        await uploads.withdraw("s", 0)
    async with running(tmp_path, shelf := Shelf()) as (uploads, told):
        assert uploads.pending == 0
        file(tmp_path)
        await uploads.complete("r", 0, path)
        await uploads.complete("s", 0, other)
        await told.until(lambda: len(told.stored) > 0)
        assert told.stored[0][0].context == {"leg_id": "ann"}
    assert list(shelf.kept) == ["call.wav"]


async def test_a_recovered_file_that_got_another_name_is_the_one_that_is_stored(
    tmp_path: Path,
) -> None:
    path = tmp_path / "call.wav"
    async with running(tmp_path, Shelf()) as (uploads, _):
        await uploads.promise("old", 0, path, "shelf", OPTIONS, {"leg_id": "ann"})
    file(tmp_path, content=b"somebody else's")
    async with running(tmp_path, shelf := Shelf(), unfinished=["old"]) as (uploads, told):
        assert uploads.pending == 0
        await uploads.promise("new", 0, path, "shelf", OPTIONS, {"leg_id": "bob"})
        await uploads.complete("new", 0, path)
        await told.until(lambda: len(told.stored) == 1)
        await uploads.complete("old", 0, file(tmp_path, "call-2.wav", b"ann's"))
        await told.until(lambda: len(told.stored) == 2)
        assert [upload.context["leg_id"] for upload, _ in told.stored] == ["bob", "ann"]
    assert shelf.kept == {"call.wav": b"somebody else's", "call-2.wav": b"ann's"}


async def test_a_file_that_could_not_be_made_stays_promised(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    async with running(tmp_path, Shelf()) as (uploads, told):
        await uploads.promise("r", 0, path, "shelf", OPTIONS, {})
        await uploads.complete("r", 0, path)  # the disk is full: there is none
        assert uploads.pending == 0
        assert told.failed == []
    async with running(tmp_path, shelf := Shelf(), unfinished=["r"]) as (uploads, told):
        await uploads.complete("r", 0, file(tmp_path))
        await told.until(lambda: len(told.stored) == 1)
    assert list(shelf.kept) == ["call.wav"]
