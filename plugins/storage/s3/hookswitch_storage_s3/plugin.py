"""What the kernel is offered."""

from __future__ import annotations

from collections.abc import Sequence

from hookswitch.plugin import Settings, Storage, hookimpl, load

from .settings import S3Settings
from .storage import S3Storage


@hookimpl
def register_settings() -> type[Settings]:
    return S3Settings


@hookimpl
def register_storages() -> Sequence[Storage]:
    return [S3Storage(load(S3Settings))]
