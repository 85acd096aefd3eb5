"""The server's folders: there and writable, or the operator is told before anything starts."""

from __future__ import annotations

import logging
import tempfile
import time
import uuid
from pathlib import Path

from hookswitch.settings import KernelSettings, SettingsError

log = logging.getLogger("hookswitch")

LONGEST_ID = 200
"""Characters of this server's name."""


def prepare_folders(settings: KernelSettings) -> None:
    """Create the folders that are written to. Raises SettingsError naming the variable."""
    for name, folder in (
        ("DATA_DIR", settings.data_dir),
        ("RECORDING_DIR", settings.recording_dir),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise SettingsError(f"{name}: cannot write to {folder}: {error.strerror}") from None


def instance_id(settings: KernelSettings) -> str:
    """INSTANCE_ID, or one made up once and kept in DATA_DIR. Raises OSError."""
    if settings.instance_id:
        return settings.instance_id
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    file = settings.data_dir / "instance_id"
    if (kept := _kept(file)) is not None:
        return kept
    made_up = str(uuid.uuid4())
    file.write_text(made_up + "\n")
    return made_up


def _kept(file: Path) -> str | None:
    """The name in the file. One that cannot be a name is moved aside."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    name = content.decode("utf-8", "replace").strip()
    if name.isprintable() and "\N{REPLACEMENT CHARACTER}" not in name and len(name) <= LONGEST_ID:
        return name or None
    aside = file.with_name(f"{file.name}.corrupt-{time.strftime('%Y%m%d-%H%M%S')}")
    file.replace(aside)
    log.error("%s is damaged: moved to %s", file, aside)
    return None
