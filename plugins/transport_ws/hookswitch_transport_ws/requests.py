"""What WebSocket legs are asked to be, by ``POST /legs`` and by ``GET /legs/websocket``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, HttpUrl, field_validator
from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from hookswitch.plugin import ApiModel, CreateLeg, LegOptions, WebhookTarget, check_room_id, parse

from .frames import WireFormat

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HANDSHAKE = frozenset({"host", "connection", "upgrade", "content-length", "transfer-encoding"})
"""Headers that belong to the upgrade itself, beside all of Sec-WebSocket-…"""

_CAPTURED = ("x-", "p-")
_WORDS = {"true": True, "1": True, "false": False, "0": False}


class AudioFields(ApiModel):
    """How a leg's audio and text travel."""

    sample_rate: Literal[8000, 16000, 24000, 48000] = Field(
        16000, description="PCM sample rate of websocket legs"
    )
    wire_format: WireFormat = Field(
        "binary",
        description="Raw PCM as binary messages, or base64 in JSON text messages",
    )
    sample_format: Literal["s16le"] = Field("s16le", description="Encoding of PCM samples")
    rtt: bool = Field(False, description="Enable the bidirectional text channel")


class CreateWebSocketLeg(AudioFields, CreateLeg):
    """An outbound WebSocket leg."""

    type: Literal["websocket"]
    url: str = Field(description="WebSocket target, ws:// or wss://")

    @field_validator("amd")
    @classmethod
    def _is_a_program(cls, amd: dict[str, Any] | None) -> None:
        if amd is not None:
            raise ValueError("only SIP legs are listened to for answering machines")

    @field_validator("url")
    @classmethod
    def _is_websocket(cls, url: str) -> str:
        try:
            parse_uri(url)
            url.encode("ascii")
        except (InvalidURI, ValueError):
            raise ValueError("must be a ws:// or wss:// URL") from None
        return url

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            lower = name.lower()
            if lower in _HANDSHAKE or lower.startswith("sec-websocket-"):
                raise ValueError(f"header {name!r} belongs to the WebSocket upgrade")
            if not _TOKEN.fullmatch(name) or not value.isascii() or not value.isprintable():
                raise ValueError(f"header {name!r} is not valid")
        return headers

    @property
    def public_url(self) -> str:
        """The URL without credentials."""
        parts = urlsplit(self.url)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class ConnectLeg(AudioFields):
    """An inbound WebSocket leg."""

    room_id: str | None = Field(None, description="Room to join; created if it does not exist")
    app_id: str | None = Field(None, description="Carried through to all events of this leg")
    webhook_url: HttpUrl | None = Field(None, description="All events of this leg go here")
    webhook_secret: str | None = Field(None, description="Signs what goes to webhook_url")

    @field_validator("room_id")
    @classmethod
    def _can_be_a_room(cls, room_id: str | None) -> str | None:
        return None if room_id is None else check_room_id(room_id)

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> ConnectLeg:
        """Raises BadRequest naming the parameter."""
        data: dict[str, Any] = dict(query)
        rate = query.get("sample_rate", "")
        if rate.isascii() and rate.isdigit() and len(rate) < 10:
            data["sample_rate"] = int(rate)
        if (word := query.get("rtt", "").lower()) in _WORDS:
            data["rtt"] = _WORDS[word]
        connect = parse(cls, data)
        assert isinstance(connect, cls)
        return connect

    def options(self, headers: Mapping[str, str]) -> LegOptions:
        """The leg this request describes."""
        url = self.webhook_url
        return LegOptions(
            app_id=self.app_id,
            room_id=self.room_id,
            webhook=WebhookTarget(str(url), self.webhook_secret) if url else None,
            headers=headers,
        )


def captured_headers(headers: Iterable[tuple[str, str]], api_secret: str | None) -> dict[str, str]:
    """The X- and P- headers of an upgrade request and its Authorization, names as usually written.

    An Authorization that holds our own API key is no business of those who see the leg.
    """
    captured: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower == "authorization":
            if api_secret is not None and api_secret in value:
                continue
        elif not lower.startswith(_CAPTURED):
            continue
        usual = "-".join(part.capitalize() for part in lower.split("-"))
        captured[usual] = f"{captured[usual]}, {value}" if usual in captured else value
    return captured
