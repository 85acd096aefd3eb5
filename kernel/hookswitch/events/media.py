"""Events of what is played to, recorded from, heard or answered on a leg or in a room.

Each names a leg, a room, or both (a transcript of one leg of a room).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from hookswitch.events.legs import LegEvent
from hookswitch.events.model import Event

EndReason = Literal["completed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackStarted(Event):
    type: ClassVar[str] = "playback.started"
    playback_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackFinished(Event):
    type: ClassVar[str] = "playback.finished"
    playback_id: str
    reason: EndReason
    played_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackFailed(Event):
    type: ClassVar[str] = "playback.error"
    playback_id: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TtsStarted(Event):
    type: ClassVar[str] = "tts.started"
    tts_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TtsFinished(Event):
    type: ClassVar[str] = "tts.finished"
    tts_id: str
    reason: EndReason
    played_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TtsFailed(Event):
    """``category`` is a word for programs: what kind of failure it was."""

    type: ClassVar[str] = "tts.error"
    tts_id: str
    error: str
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """Which channel of a multi-channel file a participant is on, and from when to when.

    The times are known when the recording is over.
    """

    channel: int
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEvent(Event):
    """Base of a recording's events; the last three fields are for multi-channel ones.

    ``omitted_legs``: who was in the room, and could be given no channel.
    """

    file: str
    multi_channel_file: str | None = None
    channels: Mapping[str, Channel] | None = None
    omitted_legs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(RecordingEvent):
    type: ClassVar[str] = "recording.started"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFinished(RecordingEvent):
    """With ``error`` it ended by itself; the file holds what was captured until then.

    ``recovered``: it was found unfinished after a crash, and completed.
    """

    type: ClassVar[str] = "recording.finished"
    duration_ms: int | None = None
    error: str | None = None
    recovered: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPaused(RecordingEvent):
    type: ClassVar[str] = "recording.paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResumed(RecordingEvent):
    type: ClassVar[str] = "recording.resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStored(Event):
    """A file of a finished recording is at its storage; ``file`` is where it was made."""

    type: ClassVar[str] = "recording.stored"
    file: str
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStoreFailed(Event):
    """An attempt to store a file was in vain; with ``will_retry`` another one follows."""

    type: ClassVar[str] = "recording.store_failed"
    file: str
    error: str
    will_retry: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTranscribed(Event):
    type: ClassVar[str] = "stt.text"
    text: str
    is_final: bool
    speech_final: bool | None = None
    audio_start_ms: int | None = None
    audio_end_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConnected(Event):
    type: ClassVar[str] = "agent.connected"
    conversation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDisconnected(Event):
    type: ClassVar[str] = "agent.disconnected"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUserTranscribed(Event):
    """What the agent understood the caller to say."""

    type: ClassVar[str] = "agent.user_transcript"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResponded(Event):
    type: ClassVar[str] = "agent.agent_response"
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringMachineJudged(LegEvent):
    type: ClassVar[str] = "amd.result"
    result: Literal["human", "machine", "no_speech", "not_sure"]
    initial_silence_ms: int
    greeting_duration_ms: int
    total_analysis_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringMachineBeeped(LegEvent):
    type: ClassVar[str] = "amd.beep"
    beep_ms: int
