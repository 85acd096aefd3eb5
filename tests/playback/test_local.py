"""file: URLs end below the operator's folder, or nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hookswitch.playback.player.errors import FetchError
from hookswitch.playback.player.local import open_local
from hookswitch.playback.player.spool import SpoolReader
from hookswitch.playback.player.stop import Stop


@pytest.fixture
def media(tmp_path: Path) -> Path:
    media = tmp_path / "media"
    (media / "sub").mkdir(parents=True)
    (media / "sub" / "a b.wav").write_bytes(b"sound")
    (media / "link.wav").symlink_to("sub/a b.wav")
    (tmp_path / "secret").write_bytes(b"secret")
    (media / "out.wav").symlink_to("../secret")
    os.mkfifo(media / "pipe")
    return media


def read(url: str, media: Path | None, limit: int = 100) -> bytes:
    spool = open_local(url, media, limit)
    try:
        return SpoolReader(spool, Stop()).read(100)
    finally:
        spool.close()


def test_what_lies_below(media: Path) -> None:
    for url in (
        f"file://{media}/sub/a%20b.wav",
        f"file://localhost{media}/sub/a%20b.wav",
        f"file:{media}/link.wav",
        "file:sub/a%20b.wav",
        "file:sub/../link.wav",
    ):
        assert read(url, media) == b"sound"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/etc/passwd", "outside"),
        ("../secret", "outside"),
        ("sub/../../secret", "outside"),
        ("out.wav", "outside"),
        ("%2e%2e/secret", "outside"),
        ("none.wav", "No such file"),
        ("sub", "no file"),
        ("pipe", "no file"),
        ("a%00b", "null"),
        ("", "no file"),
    ],
)
def test_what_does_not(media: Path, path: str, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        read(f"file:{path}", media)


def test_limits(media: Path) -> None:
    with pytest.raises(FetchError, match="too large"):
        read("file:link.wav", media, limit=4)
    with pytest.raises(FetchError, match="not allowed here"):
        read("file:link.wav", None)
    with pytest.raises(FetchError, match="no other host"):
        read("file://example.com/link.wav", media)
