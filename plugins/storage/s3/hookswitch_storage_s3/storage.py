"""The storage itself: one object per file."""

from __future__ import annotations

from pathlib import Path

from hookswitch.plugin import BadRequest, Storage

from .client import connect
from .problems import refusal
from .requests import S3Options, Target
from .settings import S3Settings
from .upload import Taken, Upload, is_taken

MOST_NAMESAKES = 100


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

    def taken(self, name: str, options: S3Options) -> bool:
        """Whether there is such an object in the bucket."""
        target = Target.of(options, self._settings)
        try:
            return is_taken(connect(target), target.bucket, target.prefix + name)
        except Exception as problem:
            raise BadRequest(refusal(problem, target)) from problem

    def target(self, options: S3Options) -> str:
        """An endpoint's bucket."""
        target = Target.of(options, self._settings)
        return f"{target.endpoint or target.region}/{target.bucket}"

    def store(self, file: Path, options: S3Options) -> str:
        """Upload the file, in parts if it is large; the object appears when it is whole.

        If there is another object of its name, it gets a number, as local files do.
        """
        target = Target.of(options, self._settings)
        upload = Upload(connect(target), file)
        for number in range(1, MOST_NAMESAKES):
            name = file.name if number == 1 else f"{file.stem}-{number}{file.suffix}"
            key = target.prefix + name
            try:
                upload.put(target.bucket, key)
            except Taken:
                continue
            return f"s3://{target.bucket}/{key}"
        raise FileExistsError(f"{file.name} and all names like it are taken in {target.bucket}")
