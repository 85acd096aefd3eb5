"""Operations that record legs and rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model

from hookswitch.recording.messages import Finished
from hookswitch.recording.storage import Storages
from hookswitch.rooms.place import Place

from .model import ApiModel, Request
from .operation import Answer, Operation

if TYPE_CHECKING:
    from hookswitch.switch import Switch

Ids = Mapping[str, str]
PlaceOf = Callable[["Switch", Ids], Place]


class RecordRequest(ApiModel):
    """What to record, and where to."""

    storage: str = Field("file", description="Where the file goes when it is complete")
    multi_channel: bool = Field(
        False, description="A second file with a channel for each participant (rooms only)"
    )
    filename: str | None = Field(None, description="Name of the file; made up when absent")
    format: Literal["wav", "opus", "flac"] = Field("wav", description="Of the file")


def _told(told: Finished) -> dict[str, Any]:
    answer: dict[str, Any] = {"file": str(told.file)}
    if told.multi_channel_file is not None:
        answer["multi_channel_file"] = str(told.multi_channel_file)
        answer["channels"] = {
            name: {"channel": span.channel, "start_ms": span.start_ms, "end_ms": span.end_ms}
            for name, span in told.channels.items()
        }
    return answer


def _operations_at(
    place_of: PlaceOf, kind: str, path: str, missing: str, request: Request
) -> list[Operation]:
    async def start(switch: Switch, ids: Ids, request: RecordRequest) -> Answer:
        recording = await switch.recordings.start(
            place_of(switch, ids),
            request.format,
            request.filename,
            request.multi_channel,
            request.storage,
            request,
        )
        return {"status": "recording", "file": str(recording.file)}

    async def stop(switch: Switch, ids: Ids, request: None) -> Answer:
        recording, told = await switch.recordings.end(place_of(switch, ids).id)
        answer: dict[str, Any] = {}
        if recording.started:
            answer = {"file": str(recording.file)} if told is None else _told(told)
        return {"status": "stopped", **answer}

    async def pause(switch: Switch, ids: Ids, request: None) -> Answer:
        new = switch.recordings.get(place_of(switch, ids).id).pause()
        return {"status": "paused" if new else "already_paused"}

    async def resume(switch: Switch, ids: Ids, request: None) -> Answer:
        new = switch.recordings.get(place_of(switch, ids).id).resume()
        return {"status": "resumed" if new else "not_paused"}

    record, tag = f"{path}/record", f"{kind}s"
    none = {404: "No recording in progress"}
    return [
        Operation(f"{kind}_record_start", "POST", record, start, f"Record a {kind}", request,
                  errors={404: missing, 409: "There is nothing to hear, or a recording already",
                          500: "The file cannot be made"}, tag=tag),
        Operation(f"{kind}_record_stop", "DELETE", record, stop, f"Stop recording a {kind}",
                  errors=none, tag=tag),
        Operation(f"{kind}_record_pause", "POST", f"{record}/pause", pause,
                  "Record silence instead of sound", errors=none, tag=tag),
        Operation(f"{kind}_record_resume", "POST", f"{record}/resume", resume,
                  "Record sound again", errors=none, tag=tag),
    ]  # fmt: skip


def record_operations(storages: Storages) -> list[Operation]:
    """All of them, for legs and for rooms; requests have the fields of all storages."""
    bases: tuple[type[Any], ...] = (RecordRequest, *storages.requests)
    request: type[ApiModel] = create_model("Record", __base__=bases)
    return [
        *_operations_at(
            lambda switch, ids: switch.leg_place(ids["id"]),
            "leg",
            "/legs/{id}",
            "Leg not found",
            request,
        ),
        *_operations_at(
            lambda switch, ids: switch.room_place(ids["room_id"]),
            "room",
            "/rooms/{room_id}",
            "Room not found",
            request,
        ),
    ]
