"""``file:`` URLs: only what lies below the operator's folder."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import FetchError, short
from .spool import Spool


def open_local(url: str, media_dir: Path | None, max_bytes: int) -> Spool:
    """Open the file of a URL: an absolute path below ``media_dir``, or one relative to it.

    Raises FetchError. Links and ``..`` are followed first, and then the place is judged.
    """
    if media_dir is None:
        raise FetchError("file: URLs are not allowed here (set MEDIA_DIR)")
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise FetchError(f"file: URLs name no other host than localhost, not {short(parts.netloc)}")
    try:
        root = media_dir.resolve(strict=True)
        path = (root / unquote(parts.path)).resolve(strict=True)
        if not path.is_relative_to(root):
            raise FetchError(f"{short(unquote(parts.path))} is outside of MEDIA_DIR")
        return _opened(path, max_bytes)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FetchError(f"{short(unquote(parts.path))}: {why}") from error


def _opened(path: Path, max_bytes: int) -> Spool:
    # A pipe would block the open, and a link put there since would lead elsewhere.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    spool = Spool(fd, complete=True)
    is_file = stat.S_ISREG(os.fstat(fd).st_mode)
    if is_file and spool.size <= max_bytes:
        return spool
    spool.close()
    why = f"is too large (at most {max_bytes} bytes)" if is_file else "is no file"
    raise FetchError(f"{short(path.name)} {why}")
