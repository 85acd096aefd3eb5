"""What must be known of a staged recording to go on with it, or to complete it after a crash.

A small JSON file beside the staged samples; written anew, atomically, when something changes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hookswitch.recording.messages import Format

from .wav import WavFormat

SUFFIX = ".recording.json"


@dataclass(slots=True)
class Participant:
    """One channel of the multi-channel file, staged by itself on the recording's time.

    ``start``: its first sample in the file, None until it is known; ``end``: the first one after it
    left, None while it is there. ``ring``: the arena and row it comes from, and ``offset``: what to
    add to that ring's counter to get the first channel's.
    """

    name: str
    start: int | None = None
    end: int | None = None
    ring: tuple[str, int] | None = None
    offset: int | None = None


@dataclass(slots=True)
class Sidecar:
    """A staged recording.

    ``rate``: of its rings, in Hz; all places and lengths here are in samples of theirs. The file
    has ``doubled`` times that.
    ``shift``: what to add to the first channel's counter to get the place in the file; it grows
    with each padding. ``zero``: the clock's zero, as in `drift`. ``frames``: the length of the
    whole, once it is finished. ``error``: why it ended by itself.
    ``context``: what control wants to be told of it after a crash; it may hold secrets.
    """

    id: str
    file: Path
    format: Format
    rate: int
    channels: int
    multi_channel_file: Path | None = None
    doubled: int = 1
    shift: int = 0
    zero: float | None = None
    pauses: list[tuple[int, int | None]] = field(default_factory=list)
    participants: list[Participant] = field(default_factory=list)
    frames: int | None = None
    error: str | None = None
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def form(self) -> WavFormat:
        """Of the recording itself."""
        return WavFormat(self.rate * self.doubled, self.channels)

    def pack(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def unpack(cls, data: bytes) -> Sidecar:
        """From JSON. Raises ValueError."""
        try:
            found: dict[str, Any] = json.loads(data)
            many = found["multi_channel_file"]
            found["file"] = Path(found["file"])
            found["multi_channel_file"] = Path(many) if many else None
            found["pauses"] = [(start, end) for start, end in found["pauses"]]
            found["participants"] = [_participant(one) for one in found["participants"]]
            return cls(**found)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no description of a recording: {error!r}") from error


def _participant(found: dict[str, Any]) -> Participant:
    ring = found.pop("ring")
    return Participant(**found, ring=(ring[0], ring[1]) if ring else None)


@dataclass(frozen=True, slots=True)
class Place:
    """The staged files of one recording: in the folder of recordings, under hidden names."""

    directory: Path
    id: str

    @property
    def sidecar(self) -> Path:
        return self.directory / f".{self.id}{SUFFIX}"

    @property
    def main(self) -> Path:
        """The recording itself."""
        return self.directory / f".{self.id}.part"

    def participant(self, index: int) -> Path:
        """One channel of the multi-channel file."""
        return self.directory / f".{self.id}.{index}.part"

    @property
    def made(self) -> Path:
        """What is made of the staged samples, until it is published."""
        return self.directory / f".{self.id}.made.part"

    def save(self, packed: bytes) -> None:
        """Write the sidecar, wholly or not at all, for its owner only. Raises OSError."""
        new = self.sidecar.with_suffix(".new")
        try:
            new.unlink(missing_ok=True)
            with open(new, "xb", opener=_for_the_owner) as file:
                file.write(packed)
            new.replace(self.sidecar)
        except OSError:
            new.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Remove what is staged; the sidecar last, so that nothing is left behind unseen."""
        for part in self.directory.glob(f".{self.id}.*part"):
            part.unlink(missing_ok=True)
        self.sidecar.unlink(missing_ok=True)


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def staged(directory: Path) -> Iterator[tuple[Place, bytes]]:
    """The staged recordings of a folder, each with its sidecar's content."""
    for entry in sorted(os.listdir(directory)):
        if entry.startswith(".") and entry.endswith(SUFFIX):
            place = Place(directory, entry[1 : -len(SUFFIX)])
            yield place, place.sidecar.read_bytes()
