"""Recordings in S3: seen in a server of S3's API, through its outages."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hookswitch_storage_s3.requests import S3Options
from hookswitch_storage_s3.settings import S3Settings
from hookswitch_storage_s3.storage import S3Storage
from hookswitch_storage_s3.upload import PART_BYTES, Taken, Upload

from hookswitch.operations.model import parse
from hookswitch.plugin import BadRequest, hookimpl
from hookswitch.plugins.builtin import load_plugins
from hookswitch.recording.storage import Storage, Storages
from hookswitch.recording.uploads import AT_ONCE
from hookswitch.testing.server import run_switch
from tests.recording.uploading import add, file, running

from .conftest import CREDENTIALS, S3Server

README = (Path(__file__).parents[2] / "plugins/storage/s3/README.md").read_text()


def storage(**settings: str) -> S3Storage:
    return S3Storage(S3Settings.model_validate(settings))


def options(**fields: Any) -> S3Options:
    parsed = parse(S3Options, fields)
    assert isinstance(parsed, S3Options)
    return parsed


async def test_a_recording_becomes_an_object(s3: S3Server, tmp_path: Path) -> None:
    chosen = storage(s3_endpoint=s3.url, s3_bucket="calls", s3_prefix="2026/")
    chosen.check(options())
    for name, kind in (("a.wav", "audio/wav"), ("a.opus", "audio/ogg"), ("a.flac", "audio/flac")):
        path = file(tmp_path, name, b"sound of " + name.encode())
        assert chosen.store(path, options()) == f"s3://calls/2026/{name}"
        found = s3.client().get_object(Bucket="calls", Key=f"2026/{name}")
        assert found["ContentType"] == kind
        assert found["Body"].read() == path.read_bytes()
        assert chosen.store(path, options()) == f"s3://calls/2026/{name}"  # again does no harm


async def test_large_files_go_up_in_parts(s3: S3Server, tmp_path: Path) -> None:
    content = np.random.default_rng(1).bytes(2 * PART_BYTES + 12345)
    path = file(tmp_path, "large.wav", content)
    storage(s3_endpoint=s3.url, s3_bucket="calls").store(path, options())
    found = s3.client().get_object(Bucket="calls", Key="large.wav")
    assert found["Body"].read() == content
    assert re.search(r"-3\"$", found["ETag"])  # of three parts


@pytest.mark.parametrize("size", [5, PART_BYTES + 5])
async def test_no_object_is_ever_replaced(s3: S3Server, tmp_path: Path, size: int) -> None:
    chosen = storage(s3_endpoint=s3.url, s3_bucket="calls", s3_prefix="p/")
    path = file(tmp_path, "call.wav", b"a" * size)
    assert not chosen.taken("call.wav", options())
    assert chosen.store(path, options()) == "s3://calls/p/call.wav"
    assert chosen.taken("call.wav", options())
    assert not chosen.taken("call", options())
    for number, letter in enumerate((b"b", b"c"), 2):
        path.write_bytes(letter * size)
        for _ in range(2):  # again does no harm
            assert chosen.store(path, options()) == f"s3://calls/p/call-{number}.wav"
    keys = {"p/call.wav": b"a", "p/call-2.wav": b"b", "p/call-3.wav": b"c"}
    for key, letter in keys.items():
        assert s3.client().get_object(Bucket="calls", Key=key)["Body"].read() == letter * size
    assert s3.client().list_objects_v2(Bucket="calls")["KeyCount"] == 3
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket="calls")


@pytest.mark.parametrize("size", [5, PART_BYTES + 5])
async def test_who_comes_between_the_look_and_the_upload_loses_nothing(
    s3: S3Server, tmp_path: Path, size: int
) -> None:
    """The server decides: ours has seen that the name is free, and the other was faster."""
    client = s3.client()

    def another_comes(**_: Any) -> None:
        s3.client().put_object(Bucket="calls", Key="call.wav", Body=b"another's")

    for step in ("PutObject", "CompleteMultipartUpload"):
        client.meta.events.register(f"before-call.s3.{step}", another_comes)
    path = file(tmp_path, "call.wav", b"a" * size)
    upload = Upload(client, path)
    with pytest.raises(Taken):
        upload.put("calls", "call.wav")
    assert s3.client().get_object(Bucket="calls", Key="call.wav")["Body"].read() == b"another's"
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket="calls")


async def test_a_name_that_is_in_the_bucket_is_refused(s3: S3Server, tmp_path: Path) -> None:
    """Over the API, for the file of a room's channels too; the local files are gone."""
    for key in ("call.wav", "room-multi.wav"):
        s3.client().put_object(Bucket="calls", Key=key, Body=b"another's")
    plugin = S3Plugin(storage(s3_endpoint=s3.url, s3_bucket="calls"))
    async with run_switch(tmp_path / "d", plugin, recording_dir=tmp_path / "r") as server:
        call = await server.dial(room_id="r")
        leg, room = f"/v1/legs/{call.leg.id}/record", "/v1/rooms/r/record"
        fields = {"storage": "s3", "filename": "call"}
        assert "call.wav" in await server.problem(409, "POST", leg, fields)
        fields = {"storage": "s3", "filename": "room", "multi_channel": True}
        assert "room-multi.wav" in await server.problem(409, "POST", room, fields)
        assert len(server.switch.recordings) == 0


async def test_a_server_that_hangs_delays_no_other(s3: S3Server, tmp_path: Path) -> None:
    chosen = storage(s3_endpoint=s3.url, s3_bucket="calls")
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:  # takes, never answers
        hangs = options(s3_endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        async with running(tmp_path, chosen) as (uploads, told):
            for index in range(2 * AT_ONCE):
                await add(uploads, file(tmp_path, f"{index}.wav"), "s3", hangs, {})
            await add(uploads, file(tmp_path), "s3", options(), {})
            await told.until(lambda: bool(told.stored))
            assert [location for _, location in told.stored] == ["s3://calls/call.wav"]
            assert told.failed == []


class S3Plugin:
    """The storage as a test has set it."""

    def __init__(self, chosen: S3Storage) -> None:
        self._chosen = chosen

    @hookimpl
    def register_storages(self) -> Sequence[Storage]:
        return [self._chosen]


async def test_a_request_overrides_the_settings(s3: S3Server, tmp_path: Path) -> None:
    s3.client().create_bucket(Bucket="others")
    chosen = storage(s3_endpoint="http://127.0.0.1:9", s3_bucket="calls", s3_prefix="x/")
    fields = options(
        s3_endpoint=s3.url, s3_bucket="others", s3_region="us-east-1", s3_prefix="y/",
        s3_access_key="key", s3_secret_key="secret",
    )  # fmt: skip
    chosen.check(fields)
    assert chosen.store(file(tmp_path), fields) == "s3://others/y/call.wav"
    assert s3.client().get_object(Bucket="others", Key="y/call.wav")["Body"].read() == b"sound"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "s3_bucket: required"),
    ({"s3_bucket": ""}, "s3_bucket: required"),
    ({"s3_bucket": "missing"}, "s3_bucket: there is no bucket 'missing'"),
    ({"s3_bucket": "no such name"}, "s3_bucket, s3_region: "),
    ({"s3_bucket": "calls", "s3_endpoint": "http://127.0.0.1:9"}, "s3_endpoint: cannot be"),
    ({"s3_bucket": "calls", "s3_region": "no region"}, "s3_bucket, s3_region: "),
    ({"s3_bucket": "calls", "s3_endpoint": "nowhere"}, "s3_endpoint: "),
    ({"s3_bucket": 5}, "s3_bucket: "),
    ({"s3_access_key": "alone"}, "s3_access_key and s3_secret_key must be set together"),
    ({"s3_secret_key": "alone"}, "s3_access_key and s3_secret_key must be set together"),
]


async def test_what_cannot_work_is_refused_at_the_start(
    s3: S3Server, subtests: pytest.Subtests
) -> None:
    for fields, problem in REFUSED:
        with subtests.test(fields=fields):
            with pytest.raises(BadRequest) as refused:
                storage(s3_endpoint=s3.url).check(options(**fields))
            assert problem in str(refused.value)
            assert "alone" not in str(refused.value)


async def test_a_server_without_credentials_says_so(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(BadRequest, match="s3_access_key: none is given"):
        storage(s3_endpoint=s3.url, s3_bucket="calls").check(options())


async def test_wrong_keys_are_refused(tmp_path: Path, s3: S3Server) -> None:
    """The server checks signatures once its administrator's keys are made."""
    await s3.stop()
    await s3.start(INITIAL_NO_AUTH_ACTION_COUNT="4")
    s3.client().create_bucket(Bucket="calls")
    iam = s3.client("iam")
    iam.create_user(UserName="recorder")
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_user_policy(UserName="recorder", PolicyName="all", PolicyDocument=policy)
    key = iam.create_access_key(UserName="recorder")["AccessKey"]
    access, secret = key["AccessKeyId"], key["SecretAccessKey"]
    chosen = storage(s3_endpoint=s3.url, s3_bucket="calls")
    chosen.check(options(s3_access_key=access, s3_secret_key=secret))
    for wrong in ({"s3_secret_key": "wrong"}, {"s3_access_key": "AKIAWRONG"}):
        fields = options(**{"s3_access_key": access, "s3_secret_key": secret, **wrong})
        with pytest.raises(BadRequest, match="no access to the bucket 'calls'") as refused:
            chosen.check(fields)
        assert secret not in str(refused.value)
        with pytest.raises(Exception, match=r"SignatureDoesNotMatch|InvalidAccessKey"):
            chosen.store(file(tmp_path), fields)


async def test_files_wait_while_the_server_is_away(s3: S3Server, tmp_path: Path) -> None:
    """It is down, then it has lost its bucket, then ours restarts, then all is well."""
    chosen = storage(s3_endpoint=s3.url, s3_bucket="calls")
    await s3.stop()
    async with running(tmp_path, chosen) as (uploads, told):
        await add(uploads, file(tmp_path), "s3", options(), {"leg_id": "ann"})
        await told.until(lambda: len(told.failed) >= 2)
        assert all(again for _, _, again in told.failed)
    await s3.start()
    async with running(tmp_path, chosen) as (uploads, told):
        await told.until(lambda: bool(told.failed))
        assert "NoSuchBucket" in told.failed[0][1]
        s3.client().create_bucket(Bucket="calls")
        await told.until(lambda: bool(told.stored))
    upload, location = told.stored[0]
    assert (upload.context, location) == ({"leg_id": "ann"}, "s3://calls/call.wav")
    assert s3.client().get_object(Bucket="calls", Key="call.wav")["Body"].read() == b"sound"
    assert not (tmp_path / "call.wav").exists()


async def test_a_bucket_deleted_meanwhile_costs_no_recording(s3: S3Server, tmp_path: Path) -> None:
    chosen = storage(s3_endpoint=s3.url, s3_bucket="calls")
    chosen.check(options())
    s3.client().delete_bucket(Bucket="calls")
    async with running(tmp_path, chosen) as (uploads, told):
        path = file(tmp_path, "large.wav", bytes(PART_BYTES + 1))
        await add(uploads, path, "s3", options(s3_access_key="a", s3_secret_key="b"), {})
        await told.until(lambda: len(told.failed) >= 2)
        assert path.exists()
        s3.client().create_bucket(Bucket="calls")
        await told.until(lambda: bool(told.stored))
    assert s3.client().head_object(Bucket="calls", Key="large.wav")["ContentLength"] > PART_BYTES


def test_the_plugin_offers_it() -> None:
    offered = Storages(load_plugins().collect("register_storages", Storage))
    assert offered.names == ("file", "s3")


def test_every_setting_and_field_is_described() -> None:
    for name in S3Settings.model_fields:
        assert f"| `{name.upper()}` | `{name}` |" in README
    for name in S3Options.model_fields:
        assert f"`{name}`" in README
