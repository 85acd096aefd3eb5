"""The messages of a WebSocket leg, and how they look in both wire formats.

Audio is a binary message of int16 little-endian samples, or ``{"type":"audio","audio":base64}``.
Everything else is a JSON text in either format. What goes out is one 20 ms frame per message; what
comes in may hold any number of whole samples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from hookswitch.websocket.pcm import PcmError, pack_pcm, unpack_pcm, whole_samples
from hookswitch.websocket.socket import Message

WireFormat = Literal["binary", "json_base64"]


class FrameError(ValueError):
    """A message that is none of ours; says where and what."""


@dataclass(frozen=True, slots=True)
class Audio:
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Ping:
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Hangup:
    """The peer ends the call."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A message could not be used. Never answered, or two servers would complain for ever."""

    error: str


LegMessage = Audio | Text | Ping | Pong | Hangup | Problem


class Wire:
    """Packs and unpacks messages in one wire format."""

    def __init__(self, wire_format: WireFormat) -> None:
        self._is_binary = wire_format == "binary"

    def pack(self, message: LegMessage) -> Message:
        match message:
            case Audio(pcm):
                return self.pack_frame(pcm)
            case Text(text):
                return _json(type="text", text=text)
            case Ping(event_id):
                return self._numbered("ping", event_id)
            case Pong(event_id):
                return self._numbered("pong", event_id)
            case Hangup():
                return _json(type="hangup")
            case Problem(error):
                return _json(type="error", error=error)

    def pack_frame(self, pcm: bytes) -> Message:
        """Audio, without a detour: this is done fifty times a second."""
        if self._is_binary:
            return pcm
        return f'{{"type":"audio","audio":"{pack_pcm(pcm)}"}}'

    def pack_ping(self, number: int) -> Message:
        return self.pack(Ping(number))

    def unpack(self, message: Message) -> LegMessage:
        """Raises FrameError."""
        if isinstance(message, str):
            return self._from_json(message)
        if not self._is_binary:
            raise FrameError("a binary message, but the wire format is json_base64")
        try:
            return Audio(whole_samples(message))
        except PcmError as error:
            raise FrameError(f"audio: {error}") from None

    def _from_json(self, text: str) -> LegMessage:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FrameError(f"malformed JSON: {error}") from None
        if not isinstance(fields, dict):
            raise FrameError("must be a JSON object")
        match fields.get("type"):
            case "audio":
                return self._audio(fields)
            case "text":
                return Text(_text(fields))
            case "ping":
                return Ping(_event_id(fields))
            case "pong":
                return Pong(_event_id(fields))
            case "hangup":
                return Hangup()
            case "error":
                return Problem(str(fields.get("error", "")))
            case other:
                raise FrameError(f"type: {_shown(other)} is not known")

    def _audio(self, fields: dict[str, Any]) -> Audio:
        if self._is_binary:
            raise FrameError("audio: the wire format is binary")
        try:
            return Audio(unpack_pcm(fields.get("audio")))
        except PcmError as error:
            raise FrameError(f"audio: {error}") from None

    @staticmethod
    def _numbered(kind: str, event_id: int | None) -> str:
        return _json(type=kind) if event_id is None else _json(type=kind, event_id=event_id)


def _text(fields: dict[str, Any]) -> str:
    text = fields.get("text")
    if not isinstance(text, str):
        raise FrameError("text: must be a string")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise FrameError("text: holds half of a surrogate pair") from None
    return text


def _event_id(fields: dict[str, Any]) -> int | None:
    event_id = fields.get("event_id")
    if event_id is None or (isinstance(event_id, int) and not isinstance(event_id, bool)):
        return event_id
    raise FrameError("event_id: must be an integer")


def _shown(value: object) -> str:
    """A peer's value, short enough to be sent back."""
    return ascii(value)[:40]


def _json(**fields: Any) -> str:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=True)
