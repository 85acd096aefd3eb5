"""One file to one object, which appears when it is whole, and never in another's place."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

CONTENT_TYPES = {".wav": "audio/wav", ".opus": "audio/ogg", ".flac": "audio/flac"}

PART_BYTES = 16 << 20
"""Larger files go up in parts of this size; with 10,000 of them, S3's limit, 160 GiB fit."""

DIGEST = "sha256"
"""Metadata by which an object is known to be the very file."""

PRECONDITION_FAILED, NOT_IMPLEMENTED = 412, 501


class Taken(Exception):
    """There is an object of this name."""


def is_taken(client: Any, bucket: str, key: str) -> bool:
    """Whether there is an object of this name.

    It is looked for in the list of the bucket, where whoever may list it finds it: HEAD needs a
    permission to read. A name comes before all others that begin with it.
    """
    found = client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
    return any(one["Key"] == key for one in found)


class Upload:
    """A file that is to be an object. One part after the other, in the thread that called."""

    def __init__(self, client: Any, file: Path) -> None:
        """Reads the file once for its digest. Raises OSError."""
        self._client, self._file = client, file
        with file.open("rb") as opened:
            self._digest = hashlib.file_digest(opened, "sha256").hexdigest()

    def put(self, bucket: str, key: str) -> None:
        """Raises Taken when another object is there, and what the SDK raises."""
        where = {"Bucket": bucket, "Key": key}
        if is_taken(self._client, bucket, key):
            if self._is_ours(where):
                return
            raise Taken
        try:
            self._send(where, {"IfNoneMatch": "*"})
        except Exception as problem:
            status = _status(problem)
            if status == NOT_IMPLEMENTED:  # not all that speak S3 know conditions
                self._send(where, {})
            elif status != PRECONDITION_FAILED:
                raise
            elif not self._is_ours(where):
                raise Taken from None

    def _is_ours(self, where: dict[str, str]) -> bool:
        """Whether the object is this file, stored before; if we may not see it, it is not."""
        try:
            head = self._client.head_object(**where)
        except Exception as problem:
            if _status(problem) in (403, 404):
                return False
            raise
        return bool(head.get("Metadata", {}).get(DIGEST) == self._digest)

    def _send(self, where: dict[str, str], condition: dict[str, str]) -> None:
        about: dict[str, Any] = {
            "ContentType": CONTENT_TYPES.get(self._file.suffix, "application/octet-stream"),
            "Metadata": {DIGEST: self._digest},
        }
        with self._file.open("rb") as body:
            if self._file.stat().st_size <= PART_BYTES:
                self._client.put_object(**where, **about, **condition, Body=body)
                return
            begun = self._client.create_multipart_upload(**where, **about)
            where = {**where, "UploadId": begun["UploadId"]}
            try:
                parts: list[dict[str, Any]] = []
                while part := body.read(PART_BYTES):
                    number = len(parts) + 1
                    sent = self._client.upload_part(**where, PartNumber=number, Body=part)
                    parts.append({"PartNumber": number, "ETag": sent["ETag"]})
                self._client.complete_multipart_upload(
                    **where, **condition, MultipartUpload={"Parts": parts}
                )
            except BaseException:
                with suppress(Exception):  # the first problem is the one to be told
                    self._client.abort_multipart_upload(**where)
                raise


def _status(problem: Exception) -> int | None:
    """The HTTP status of what the SDK raised, if it was answered."""
    response = getattr(problem, "response", None) or {}
    status: int | None = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status
