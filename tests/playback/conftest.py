"""A server of files, and a fetcher that may ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hookswitch.playback.messages import PlayerConfig
from hookswitch.playback.player.fetch import Fetcher
from hookswitch.testing.leaks import nothing_leaks

from .media_server import MediaServer, media_server


def player_config(folder: Path, **changes: Any) -> PlayerConfig:
    """What a player is told, with time-outs for tests."""
    media = folder / "media"
    media.mkdir(exist_ok=True)
    values: dict[str, Any] = {
        "media_dir": media,
        "deny": ("169.254.0.0/16", "fe80::/10"),
        "max_bytes": 1 << 20,
        "timeout_s": 5.0,
        "cache_dir": folder / "cache",
        "cache_bytes": 1 << 22,
    }
    return PlayerConfig(**{**values, **changes})


@pytest.fixture
async def server() -> AsyncIterator[MediaServer]:
    async with nothing_leaks(), media_server() as server:
        yield server


@pytest.fixture
def make_fetcher(server: MediaServer, tmp_path: Path) -> Iterator[Callable[..., Fetcher]]:
    """Fetchers over one cache; closed at the end."""
    fetchers: list[Fetcher] = []

    def make(**changes: Any) -> Fetcher:
        fetchers.append(Fetcher(player_config(tmp_path, **changes)))
        return fetchers[-1]

    yield make
    for fetcher in fetchers:
        fetcher.close()


@pytest.fixture
def fetcher(make_fetcher: Callable[..., Fetcher]) -> Fetcher:
    return make_fetcher()
