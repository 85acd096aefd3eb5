"""What the control process and the player say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hookswitch.media.rings import ArenaShape

from .marks import NOBODY


@dataclass(frozen=True, slots=True)
class PlayerConfig:
    """First message to a player; the descriptor of the `Marks` travels beside it.

    ``media_dir``: ``file:`` URLs below it are allowed, with None none are. ``deny``: networks
    (CIDR) that a URL, or a redirect of it, must not lead to. ``max_bytes``: of one file.
    ``timeout_s``: for connecting, and between two pieces of a body. ``cache_dir``: where files are
    kept by validator, ``cache_bytes`` of them at the most.
    """

    media_dir: Path | None
    deny: tuple[str, ...]
    max_bytes: int
    timeout_s: float
    cache_dir: Path
    cache_bytes: int


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A file to fetch: http, https or file. ``mime_type`` as the caller gave it; "" is unknown."""

    url: str
    mime_type: str = ""


@dataclass(frozen=True, slots=True)
class ToneSource:
    """A tone by its whole name, such as ``us_ringback``; it never ends by itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Play:
    """Control to player: write a source into the *said* ring of ``row``, at the arena's rate.

    The arena's descriptor travels beside the message. ``repeat``: how often it is played, -1 for
    ever. ``slot``: its mark. What the ring's ``said_in`` already counts was written by a player
    that died: those samples are skipped, so that a prompt goes on where it was.
    """

    id: str
    source: UrlSource | ToneSource
    repeat: int
    arena: ArenaShape
    row: int
    slot: int = NOBODY


@dataclass(frozen=True, slots=True)
class StopPlaying:
    """Control to player: write no more of this; nothing is said of it from then on."""

    id: str


@dataclass(frozen=True, slots=True)
class PlayStarted:
    """Player to control: the first samples are in the ring."""

    id: str


@dataclass(frozen=True, slots=True)
class PlayEnded:
    """Player to control: the source is at its end, and the mixer has taken the last sample."""

    id: str


@dataclass(frozen=True, slots=True)
class PlayFailed:
    """Player to control: the source cannot be played, or not to its end; what to do about it."""

    id: str
    error: str


@dataclass(frozen=True, slots=True)
class PlayerPulse:
    """Player to control, once a second: it lives."""

    playing: int
