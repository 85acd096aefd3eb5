"""What the control process and the recorder say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hookswitch.media.rings import ArenaShape

Format = Literal["wav", "opus", "flac"]


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """First message to a recorder: where files are staged and published.

    ``ongoing``: ids of the recordings that are ordered anew after this. What else is found staged
    there was left by a crash, and is completed.
    """

    directory: Path
    ongoing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Channel:
    """A port's *heard* ring; its arena's descriptor travels beside the message, one per channel.

    ``name``: the participant (a leg's id) in multi-channel recordings, else "left", "right" or
    "mix". What the ring's ``heard_out`` counts has been written to the staged file.
    """

    name: str
    arena: ArenaShape
    row: int


@dataclass(frozen=True, slots=True)
class Record:
    """Control to recorder: begin. One channel is mono, two are left and right.

    All channels were opened in one batch: they began with the same tick. They have one rate, which
    may be half of ``rate``, the file's. ``file`` is the path at
    which the whole file will appear. With ``multi_channel_file`` a second file is made of the
    channels that `AddChannel` names, all aligned to the first one of ``channels``. ``context`` is
    control's, as JSON can hold it: it is told again of a recording that was recovered.
    """

    id: str
    file: Path
    format: Format
    rate: int
    channels: tuple[Channel, ...]
    multi_channel_file: Path | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddChannel:
    """Control to recorder: a participant came."""

    id: str
    channel: Channel


@dataclass(frozen=True, slots=True)
class EndChannel:
    """Control to recorder: a participant left; its port is closed when `ChannelEnded` is said."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Control to recorder: silence instead of sound from sample ``at`` of the first channel on.

    ``at`` counts like its ring's ``heard_in``, so the pause is where it was asked for. All pauses
    and resumptions may be repeated to a new recorder, in order.
    """

    id: str
    at: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Control to recorder: sound again from sample ``at`` on."""

    id: str
    at: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Control to recorder: take what the rings still hold, then publish the files."""

    id: str


@dataclass(frozen=True, slots=True)
class Span:
    """Where a participant is in a multi-channel file: its channel, and its time in it."""

    channel: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class ChannelEnded:
    """Recorder to control: all of a channel's sound is taken, its port may be closed.

    Said for participants who left and, before `Finished`, for every channel that is left: making
    the file may take a while.
    """

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Begun:
    """Recorder to control: the recording's file is open, and what is heard gets into it."""

    id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Recorder to control: the files are whole and at their places.

    Without `Begun` before it, with an ``error``: no file could be made, and nothing is left of it.

    With ``error`` the recording ended by itself (the disk is full, say); what was captured until
    then is in the files all the same. ``recovered``: found staged at start, after a crash;
    ``context`` is what was ordered with it then.
    """

    id: str
    file: Path
    duration_ms: int
    multi_channel_file: Path | None = None
    channels: Mapping[str, Span] = field(default_factory=dict)
    error: str | None = None
    recovered: bool = False
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All that came of it."""
        return [file for file in (self.file, self.multi_channel_file) if file is not None]


@dataclass(frozen=True, slots=True)
class RecorderPulse:
    """Recorder to control, once a second: it lives. ``lost``: samples overwritten unread."""

    recording: int
    lost: int
