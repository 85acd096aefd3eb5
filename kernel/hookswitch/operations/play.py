"""Operations that play files and tones to legs and rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from yarl import URL

from hookswitch.playback.messages import ToneSource, UrlSource
from hookswitch.playback.player.errors import DecodeError
from hookswitch.playback.player.mime import parse
from hookswitch.playback.tone_table import find, tone_names
from hookswitch.rooms.place import Place

from .model import ApiModel
from .operation import Answer, Operation

if TYPE_CHECKING:
    from hookswitch.switch import Switch

Ids = Mapping[str, str]
Volume = Annotated[int, Field(ge=-8, le=8)]
PlaceOf = Callable[["Switch", Ids], Place]

_KINDS = {"dtmf": "digit", "speech": "speech"}


def _playable(url: str) -> str:
    try:
        parsed = URL(url)
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    if parsed.scheme not in ("http", "https", "file") or (
        parsed.scheme != "file" and not parsed.host
    ):
        raise ValueError("must be an http://, https:// or file:// URL")
    return url


def _mime_type(text: str) -> str:
    try:
        parse(text)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return text


def _known_tone(name: str) -> str:
    if find(name) is None:
        raise ValueError(f"{name!r} is not one of: {', '.join(tone_names())}")
    return name


class Play(ApiModel):
    """What to play: a file by its URL, or a tone by its name."""

    url: Annotated[str, AfterValidator(_playable)] | None = Field(
        None, description="Audio file: http, https, or file below MEDIA_DIR"
    )
    tone: Annotated[str, AfterValidator(_known_tone)] | None = Field(
        None, description="Built-in tone: {country}_{type} or {type}, such as gb_busy or dial"
    )
    mime_type: Annotated[str, AfterValidator(_mime_type)] | None = Field(
        None, description="Of the file, such as audio/wav"
    )
    repeat: int = Field(0, ge=-1, description="0 or 1 once, n times, -1 for ever (url only)")
    volume: Volume = Field(0, description="Steps of 3 dB")
    stop_on: list[Literal["dtmf", "speech"]] = Field(
        default_factory=list, description="Stops as soon as the caller presses a key or speaks"
    )

    @model_validator(mode="after")
    def _one_source(self) -> Play:
        if (self.url is None) == (self.tone is None):
            raise ValueError("exactly one of url and tone is needed")
        if self.url is not None and self.mime_type is None:
            raise ValueError("mime_type: required with url")
        return self


class SetVolume(ApiModel):
    """How loud a playback is."""

    volume: Volume = Field(description="Steps of 3 dB; 0 is unchanged")


def _operations_at(place_of: PlaceOf, kind: str, path: str, missing: str) -> list[Operation]:
    async def start(switch: Switch, ids: Ids, request: Play) -> Answer:
        source = (
            ToneSource(request.tone)
            if request.tone is not None
            else UrlSource(request.url or "", request.mime_type or "")
        )
        playback = await switch.playbacks.start(
            place_of(switch, ids),
            source,
            request.repeat or 1,
            request.volume,
            {_KINDS[event] for event in request.stop_on},
        )
        return {"playback_id": playback.id, "status": "playing"}

    async def set_volume(switch: Switch, ids: Ids, request: SetVolume) -> Answer:
        place = place_of(switch, ids)
        await switch.playbacks.get(place.id, ids["playback_id"]).set_volume(request.volume)
        return {"status": "ok"}

    async def stop(switch: Switch, ids: Ids, request: None) -> Answer:
        place = place_of(switch, ids)
        await switch.playbacks.get(place.id, ids["playback_id"]).stop()
        return {"status": "stopped"}

    one = f"{path}/play/{{playback_id}}"
    not_found = {404: missing}
    return [
        Operation(f"{kind}_play_start", "POST", f"{path}/play", start,
                  f"Play a file or a tone to a {kind}", Play,
                  errors={**not_found, 409: "Nobody could hear it"}, tag=f"{kind}s"),
        Operation(f"{kind}_play_volume", "PATCH", one, set_volume,
                  "Change the volume of what is being played", SetVolume,
                  errors={404: "Playback not found"}, tag=f"{kind}s"),
        Operation(f"{kind}_play_stop", "DELETE", one, stop, "Stop what is being played",
                  errors={404: "No playback in progress"}, tag=f"{kind}s"),
    ]  # fmt: skip


def play_operations() -> list[Operation]:
    """All of them, for legs and for rooms."""
    return [
        *_operations_at(
            lambda switch, ids: switch.leg_place(ids["id"]), "leg", "/legs/{id}", "Leg not found"
        ),
        *_operations_at(
            lambda switch, ids: switch.room_place(ids["room_id"]),
            "room",
            "/rooms/{room_id}",
            "Room not found",
        ),
    ]
