"""The storage itself: one object per file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hookswitch.plugin import BadRequest, Storage

from .client import connect, transfer_config
from .problems import refusal
from .requests import S3Options, Target
from .settings import S3Settings

CONTENT_TYPES = {".wav": "audio/wav", ".opus": "audio/ogg", ".flac": "audio/flac"}


class S3Storage(Storage):
    """Files become objects named by prefix and file name.

    What a request says is kept with its file; what the settings say is read anew at each start, so
    an operator can mend what was wrong while files wait.
    """

    name = "s3"
    request = S3Options

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings

    def check(self, options: S3Options) -> None:
        """The bucket must be there, and be ours to use."""
        target = Target.of(options, self._settings)
        try:
            connect(target).head_bucket(Bucket=target.bucket)
        except BadRequest:
            raise
        except Exception as problem:  # the SDK's own, and whatever is wrong with an address
            raise BadRequest(refusal(problem, target)) from problem

    def store(self, file: Path, options: S3Options) -> str:
        """Upload the file, in parts if it is large; the object appears when it is whole."""
        target = Target.of(options, self._settings)
        key = target.prefix + file.name
        extra: dict[str, Any] = {
            "ContentType": CONTENT_TYPES.get(file.suffix, "application/octet-stream")
        }
        connect(target).upload_file(
            str(file), target.bucket, key, ExtraArgs=extra, Config=transfer_config()
        )
        return f"s3://{target.bucket}/{key}"
